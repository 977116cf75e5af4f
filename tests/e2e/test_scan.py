"""`podgate scan` of a real cluster: controllers that make pods, a scheduler that binds them, RBAC, real registries."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import ROOT, pod, podgate_settings
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.workloads import workload
from tests.support import images

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "scan.schema.json").read_text()))
NODES = {"scan-amd-1": "linux/amd64", "scan-amd-2": "linux/amd64", "scan-arm-1": "linux/arm64"}
AMD = {"nodeSelector": {"kubernetes.io/arch": "amd64"}}


@pytest.fixture(scope="module")
def scanned(cluster: Cluster, registry: Registry) -> Iterator[str]:
    """A namespace with web (4 pods, amd64 alone, pinned there), api (2, both), a CronJob, a DaemonSet, a StatefulSet, a
    bare pod, and a Deployment scaled to zero."""
    for name, platform in NODES.items():
        cluster.add_node(name, platform)
    registry.push("scan/app", images.multi("linux/amd64"), "1.0")
    registry.push("scan/app", images.multi("linux/amd64", "linux/arm64"), "1.1")
    amd, both = f"{registry.host}/scan/app:1.0", f"{registry.host}/scan/app:1.1"
    with cluster.namespace("scan") as namespace:
        web = workload("Deployment", "web", amd, **AMD)
        web["spec"]["replicas"] = 4
        api = workload("Deployment", "api", both)
        api["spec"]["replicas"] = 2
        idle = workload("Deployment", "idle", amd)
        idle["spec"]["replicas"] = 0
        objects = [web, api, idle, workload("CronJob", "nightly", both), workload("DaemonSet", "agent", both)]
        objects += [pod("bare", amd, **AMD), workload("StatefulSet", "db", both)]
        cluster.must("apply", "-n", namespace, "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects})
        wait_until("all pods are bound", lambda: len(_bound(cluster, namespace)) == 4 + 2 + 3 + 1 + 1)
        yield namespace
    for name in NODES:
        cluster.remove_node(name)


def _bound(cluster: Cluster, namespace: str) -> list[str]:
    pods = cluster.get("pods", "-n", namespace)["items"]
    return [one["metadata"]["name"] for one in pods if one["spec"].get("nodeName")]


@pytest.fixture
def settings(hosts: Path, tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(podgate_settings(hosts)))
    return path


def scan(cluster: Cluster, settings: Path, *arguments: str, kubeconfig: Path | None = None) -> tuple[int, str, str]:
    environment = {**cluster.environment(), "HOME": str(settings.parent), "XDG_CACHE_HOME": str(settings.parent)}
    if kubeconfig is not None:
        environment["KUBECONFIG"] = str(kubeconfig)
    command = [sys.executable, "-m", "webhook", "scan", "--config", str(settings), *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def states(text: str) -> dict[str, tuple[str, int, str]]:
    """Kind, replicas and state of workloads by name; the document is one of the schema."""
    document: dict[str, Any] = json.loads(text)
    SCHEMA.validate(document)
    return {one["name"]: (one["kind"], one["replicas"], one["state"]) for one in document["workloads"]}


def test_todays_nodes(cluster: Cluster, scanned: str, settings: Path):
    code, out, complaints = scan(cluster, settings, "-n", scanned, "-o", "json")
    assert (code, complaints) == (0, "")
    assert states(out) == {
        "web": ("Deployment", 4, "ready"),
        "api": ("Deployment", 2, "ready"),
        "idle": ("Deployment", 0, "partial"),
        "nightly": ("CronJob", 0, "ready"),
        "agent": ("DaemonSet", 3, "ready"),
        "bare": ("Pod", 1, "ready"),
        "db": ("StatefulSet", 1, "ready"),
    }
    columns = {one["name"]: one["nodes"] for one in json.loads(out)["columns"]}
    assert columns == {"linux/amd64": 2, "linux/arm64": 1}


def test_a_platform_that_is_to_come(cluster: Cluster, scanned: str, settings: Path, registry: Registry):
    before = len(registry.requests())
    target = ("-n", scanned, "--target", "linux/arm64")
    code, out, complaints = scan(cluster, settings, *target, "--suggest", "--fail-on", "blocked", "-o", "json")
    assert (code, complaints) == (1, "")
    found = states(out)
    assert {name: state for name, (_, _, state) in found.items()} == {
        "web": "unknown",  # it asks for amd64
        "bare": "unknown",
        "idle": "blocked",
        **dict.fromkeys(("api", "nightly", "agent", "db"), "ready"),
    }
    (image,) = (one for one in json.loads(out)["images"] if one["state"] == "blocked")
    assert image["suggestion"]["image"] == f"{registry.host}/scan/app:1.1"
    asked = registry.requests()[before:]
    assert len(asked) == 2 + 1  # two indexes, one list of tags
    _, table, _ = scan(cluster, settings, *target)
    assert f"0 replicas  {registry.host}/scan/app:1.0  has linux/amd64" in table.splitlines()
    assert f"    4 Deployment {scanned}/web (asks for linux/amd64)" in table.splitlines()
    assert table.splitlines()[-1] == "ready: 6 of 11 replicas (5 unknown), 4 of 7 workloads (1 blocked, 2 unknown)"
    assert len(registry.requests()[before:]) == len(asked)  # kept


def test_a_rollout_that_cannot_go_on(cluster: Cluster, scanned: str, settings: Path, registry: Registry):
    """No pod of the new template is there yet: what runs is ready, and what is to run is not."""
    image = f"app={registry.host}/scan/app:1.0"
    cluster.must("rollout", "pause", "-n", scanned, "deployment/api")
    cluster.must("set", "image", "-n", scanned, "deployment/api", image)
    _, out, _ = scan(cluster, settings, "-n", scanned, "--target", "linux/arm64", "-o", "json")
    assert states(out)["api"] == ("Deployment", 2, "blocked")
    cluster.must("set", "image", "-n", scanned, "deployment/api", image.replace(":1.0", ":1.1"))
    cluster.must("rollout", "resume", "-n", scanned, "deployment/api")


def test_saved_objects_give_the_same(cluster: Cluster, scanned: str, settings: Path, tmp_path: Path):
    kinds = "pods,deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs"
    saved = tmp_path / "saved.yaml"
    saved.write_text(cluster.must("get", kinds, "-n", scanned, "-o", "yaml"))
    _, live, _ = scan(cluster, settings, "-n", scanned, "--target", "linux/arm64", "-o", "json")
    code, out, complaints = scan(cluster, settings, "-f", str(saved), "--target", "linux/arm64", "-o", "json")
    assert (code, complaints) == (0, "")
    assert json.loads(out) == json.loads(live)


def test_labels_and_namespaces_of_choice(cluster: Cluster, scanned: str, settings: Path):
    """Pods have labels that their Deployment and DaemonSet have not, and are known for theirs all the same."""
    selected = ("-n", scanned, "-l", "app in (web, agent)", "-o", "json")
    code, out, complaints = scan(cluster, settings, *selected)
    assert (code, complaints) == (0, "")
    assert states(out) == {"web": ("Deployment", 4, "ready"), "agent": ("DaemonSet", 3, "ready")}
    code, _, complaints = scan(cluster, settings, "-n", scanned, "-l", "app in (web")
    assert code == 2
    assert "400: unable to parse requirement" in complaints
    code, _, complaints = scan(cluster, settings, "-n", f"{scanned}-not", "--fail-on", "blocked")
    assert (code, complaints) == (2, f"podgate: there is no namespace {scanned}-not\n")


def test_somebody_who_may_not_see_everything(cluster: Cluster, scanned: str, settings: Path):
    cluster.must("create", "serviceaccount", "-n", scanned, "looker")
    rights = ("--verb=list,get", "--resource=pods,deployments.apps,replicasets.apps,serviceaccounts,secrets")
    cluster.must("create", "role", "-n", scanned, "look", *rights)
    cluster.must("create", "rolebinding", "-n", scanned, "look", "--role=look", f"--serviceaccount={scanned}:looker")
    kubeconfig = cluster.service_account_kubeconfig(scanned, "looker")
    target = ("-n", scanned, "--target", "linux/arm64", "-o", "json")
    code, out, complaints = scan(cluster, settings, *target, kubeconfig=kubeconfig)
    assert code == 2
    assert "daemonsets in the namespace" in complaints
    assert states(out)["web"] == ("Deployment", 4, "unknown")
    code, out, complaints = scan(cluster, settings, "-n", scanned, kubeconfig=kubeconfig)
    assert (code, out) == (2, "")
    assert "nodes is forbidden" in complaints
