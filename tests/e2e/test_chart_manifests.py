"""The chart as it is and manifests/ install the same: object by object, and each difference has its reason."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.harness.components import Components
from tests.e2e.harness.helm import Helm, named
from tests.e2e.harness.podgate import MANIFESTS
from webhook.settings import parse_settings

Objects = Mapping[str, dict[str, Any]]

ONLY_IN_MANIFESTS = {
    "Namespace/podgate": "Helm makes it with --create-namespace",
}
ONLY_IN_CHART = {
    "ServiceAccount/podgate-check": "the check is a hook of Helm's",
    "ClusterRole/podgate-check": "the same",
    "ClusterRoleBinding/podgate-check": "the same",
    "Job/podgate-check": "the same",
}

DIFFERENT: Mapping[str, Mapping[str, str]] = {
    "Deployment/podgate": {
        ".spec.template.metadata.annotations.podgate.dev/settings-at-start": "an upgrade makes new pods for them",
        ".spec.template.spec.containers[podgate].imagePullPolicy": "a value of the chart; with a tag it is the default",
    },
}
"""Paths within objects that both have, and why they differ there."""

COMPARED_OTHERWISE = {"ClusterRole/podgate", "ConfigMap/podgate"}
"""By what they mean (see below): the chart leaves rules away, and writes settings out."""

LABELS = (
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
)
"""By which Helm tells releases apart; manifests/ has one, app.kubernetes.io/name."""


def built(components: Components, folder: Path) -> Objects:
    """What `kubectl apply -k` applies."""
    command = [str(components.programs["kubectl"]), "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return named(list(yaml.safe_load_all(text)))


def relative(path: Path, start: Path) -> str:
    """kustomize takes no absolute paths."""
    return os.path.relpath(path, start)


@pytest.fixture(scope="module")
def manifests(components: Components) -> Objects:
    return built(components, MANIFESTS)


@pytest.fixture(scope="module")
def chart(helm: Helm) -> Objects:
    """What `helm install podgate` installs into the namespace podgate."""
    return named(helm.template())


def without_helms_labels(node: Any) -> Any:
    if isinstance(node, list):
        return [without_helms_labels(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: without_helms_labels(value) for key, value in node.items() if key not in LABELS}


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths with values. What a list holds is told apart by its name, or else by its place."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(node, list) and node:
        for number, value in enumerate(node):
            name = value.get("name", number) if isinstance(value, dict) else number
            yield from leaves(value, f"{path}[{name}]")
    else:
        yield path, node


def differences(left: dict[str, Any], right: dict[str, Any]) -> set[str]:
    """The paths at which two objects differ."""
    return {path for path, _ in _items(left) ^ _items(right)}


def _items(node: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, repr(value)) for path, value in leaves(without_helms_labels(node))}


def test_both_have_the_same_objects(manifests: Objects, chart: Objects):
    assert manifests.keys() - chart.keys() == ONLY_IN_MANIFESTS.keys()
    assert chart.keys() - manifests.keys() == ONLY_IN_CHART.keys()


def test_settings_are_the_same_but_for_what_is_said_twice(manifests: Objects, chart: Objects):
    """The chart writes every key out, with its default."""
    here, there = (
        parse_settings(yaml.safe_load(objects["ConfigMap/podgate"]["data"]["settings.yaml"]))
        for objects in (manifests, chart)
    )
    assert here == there


def test_the_same_objects_have_the_same_fields(manifests: Objects, chart: Objects):
    for name in sorted(manifests.keys() & chart.keys() - COMPARED_OTHERWISE):
        assert differences(manifests[name], chart[name]) == DIFFERENT.get(name, {}).keys(), name


def test_roles_give_the_same_rights(manifests: Objects, chart: Objects):
    names = [name for name in manifests if name.startswith(("ClusterRole/", "Role/"))]
    assert "ClusterRole/podgate" in names
    for name in names:
        assert rights(manifests[name]) == rights(chart[name]), name


def rights(role: dict[str, Any]) -> set[tuple[str, ...]]:
    """A role's rights, one by one: group, resource, name (empty: any), verb."""
    return {
        (group, resource, name, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def test_a_binding_component_and_the_chart_with_bindings_ask_for_the_same(
    components: Components, helm: Helm, tmp_path: Path
):
    """manifests/components/binding beside settings.binding."""
    component = MANIFESTS / "components" / "binding"
    resources = {"resources": [relative(MANIFESTS, tmp_path)], "components": [relative(component, tmp_path)]}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(resources))  # JSON is YAML
    here = built(components, tmp_path)
    there = named(helm.template({"settings": {"binding": "warn"}}))
    name = "ValidatingWebhookConfiguration/podgate"
    assert differences(here[name], there[name]) == set()
    assert rights(here["ClusterRole/podgate"]) == rights(there["ClusterRole/podgate"])
    assert ("", "pods", "", "get") in rights(there["ClusterRole/podgate"])
