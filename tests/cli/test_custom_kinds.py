"""`podgate check` and custom kinds: what settings name is judged, what cannot be read is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Podgate
from tests.support.manifests import REGISTRY, node, write

ROLLOUTS = {"kinds": [{"group": "argoproj.io", "resource": "rollouts"}]}


@pytest.fixture
def with_kinds(settings: Path) -> Path:
    settings.write_text(json.dumps({**json.loads(settings.read_text()), **ROLLOUTS}))
    return settings


def rollout(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


def template(image: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app", "image": f"{REGISTRY}/{image}"}]}}


def owned(kind: str) -> dict[str, Any]:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "name": "o", "uid": "u", "controller": True}
    metadata = {"name": f"of-{kind.lower()}", "ownerReferences": [owner]}
    spec = {"template": template("team/app:1.4")}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}


def test_they_are_judged_and_their_own_objects_skipped(podgate: Podgate, with_kinds: Path, tmp_path: Path):
    app = write(
        tmp_path / "app.yaml",
        node("arm-1"),
        rollout("bad", template=template("team/app:1.4")),
        rollout("good", template=template("team/app:2.0")),
        rollout("refers", workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}),
        owned("Rollout"),
        owned("Experiment"),
    )
    ran = podgate.json("-f", app, "--config", with_kinds)
    assert (ran.code, ran.err) == (1, "")
    shown = {name: (one["kind"], one["decision"], one["reason"]) for name, one in ran.objects.items()}
    assert shown == {
        "bad": ("Rollout", "deny", "mismatch"),
        "good": ("Rollout", "allow", "match"),
        "refers": ("Rollout", "allow", "skipped"),
        "of-rollout": ("ReplicaSet", "allow", "skipped"),
        "of-experiment": ("ReplicaSet", "deny", "mismatch"),
    }


def test_without_the_setting_they_are_of_another_kind(podgate: Podgate, settings: Path, tmp_path: Path):
    app = write(tmp_path / "app.yaml", node("arm-1"), rollout("bad", template=template("team/app:1.4")))
    ran = podgate.json("-f", app, "--config", settings)
    assert (ran.code, ran.document["objects"]) == (0, [])
    assert "1 object of other kinds passed over: Rollout (1)" in ran.err


def test_a_template_that_cannot_be_read_is_said(podgate: Podgate, with_kinds: Path, tmp_path: Path):
    app = write(tmp_path / "app.yaml", node("arm-1"), rollout("odd", template={"spec": {"containers": "none"}}))
    ran = podgate.json("-f", app, "--config", with_kinds)
    assert ran.code == 2
    assert f"{app}#2: spec.template.spec.containers: must be a list, not a string" in ran.err
