"""`podgate check` against a cluster: kubeconfigs good and bad, and an API server on loopback."""

import base64
import json
from pathlib import Path

import pytest

from tests.cli.conftest import kubeconfig
from tests.support.apiserver import ApiServer, Fault
from tests.support.command import Podgate
from tests.support.manifests import REGISTRY, pod

GOOD = json.dumps(pod()).encode()
WAYS = "; --nodes FILE or --target PLATFORM do without"


def test_the_nodes_of_the_current_context(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    ran = podgate.json("--config", settings, stdin=GOOD)
    assert (ran.code, ran.err) == (1, "")
    assert [(one["name"], one["outcome"]) for one in ran.objects["web"]["nodes"]] == [("arm-1", "fails")]
    named = podgate.json("--context", "here", "--config", settings, stdin=GOOD)
    assert named.document == ran.document


def test_no_cluster_is_asked_where_nodes_are_given(
    podgate: Podgate, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    assert podgate.json("--target", "linux/amd64", stdin=GOOD).code == 0
    assert cluster.requests == []


def test_a_kubeconfig_that_is_named(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """It counts before KUBECONFIG, and names a cluster as --context does."""
    right = kubeconfig(monkeypatch, tmp_path / "right", cluster.url, namespace="team")
    kubeconfig(monkeypatch, tmp_path / "wrong", "https://127.0.0.1:1")
    named = ("--kubeconfig", right, "--config", settings)
    found = podgate.json(*named, "--target", "linux/amd64", stdin=GOOD).objects["web"]
    assert (found["namespace"], [one["name"] for one in found["nodes"]]) == ("team", ["arm-1", "linux/amd64"])
    image = f"{REGISTRY}/team/app:1.4"
    assert '"linux/arm64"' in podgate("inspect", image, *named, "-o", "json").out
    assert podgate("scan", *named).out.startswith("Nodes: linux/arm64")
    ready = podgate("ready", "--kubeconfig", right, "--timeout", "1ms")
    assert ready.err.startswith(f"podgate: not ready after 0.001 s: {cluster.url}")
    missing = podgate("check", "--kubeconfig", tmp_path / "none", stdin=GOOD)
    assert (missing.code, missing.err) == (2, f"podgate: no kubeconfig: {tmp_path / 'none'} does not exist{WAYS}\n")
    assert podgate("check", "--kubeconfig", right, "--nodes", "n", stdin=GOOD).err.startswith("podgate: --nodes excl")


def test_a_context_and_a_target_count_together(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The nodes that are there, and one that is to come."""
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    ran = podgate.json("--context", "here", "--target", "linux/amd64", "--config", settings, stdin=GOOD)
    assert [one["name"] for one in ran.objects["web"]["nodes"]] == ["arm-1", "linux/amd64"]


def test_node_pools_are_asked_for_only_where_settings_want_them(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    cluster.absent.clear()
    cluster.fail("list nodepools", Fault(500))
    ran = podgate.json("--config", settings, stdin=GOOD)
    assert ran.objects["web"]["decision"] == "warn"  # what cannot be listed may run it
    assert "NodePools are not known" in ran.err
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "nodes": {"nodePools": False}}))
    ran = podgate.json("--config", settings, stdin=GOOD)
    assert (ran.objects["web"]["decision"], ran.err) == ("deny", "")
    assert cluster.count("list nodepools") == 1


def test_secrets_that_whoever_runs_it_may_not_read(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """It is a matter of the kubeconfig's user, not of podgate's ClusterRole. Among the manifests the Secret counts."""
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    cluster.forbidden.add("get secrets")
    private = json.dumps(pod(imagePullSecrets=[{"name": "pull"}])).encode()
    ran = podgate.json("--config", settings, stdin=private)
    found = ran.objects["web"]
    assert (found["decision"], found["images"][0]["error"]["code"]) == ("warn", "bad-credentials")
    (message,) = found["messages"]
    why = "secret default/pull: the cluster does not let this run's user get secrets in the namespace default"
    assert message.endswith(f"{why}; allow that user to get secrets")
    data = {".dockerconfigjson": base64.b64encode(b'{"auths": {}}').decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"}, "data": data}
    secret["type"] = "kubernetes.io/dockerconfigjson"
    ran = podgate.json("--config", settings, stdin=json.dumps(secret).encode() + b"\n---\n" + private)
    assert (ran.code, ran.objects["web"]["decision"]) == (1, "deny")


def test_labels_of_namespaces_are_wanted_and_not_needed(
    podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    labels = {"podgate.dev/mode": "warn"}
    cluster.put("namespaces", {"metadata": {"name": "default", "labels": labels}})
    assert podgate.json("--config", settings, stdin=GOOD).objects["web"]["decision"] == "warn"
    cluster.forbidden.add("list namespaces")  # a namespace may be read by name all the same
    ran = podgate.json("--config", settings, stdin=GOOD)
    assert (ran.code, ran.objects["web"]["decision"]) == (0, "warn")
    cluster.forbidden.add("get namespaces")
    ran = podgate.json("--config", settings, stdin=GOOD)
    assert (ran.code, ran.objects["web"]["decision"]) == (1, "deny")
    assert ran.err.startswith("podgate: Labels of namespaces are not known: ")


@pytest.mark.parametrize(
    ("token", "forbidden", "words"),
    [
        ("expired", "", "does not accept the credentials (401); they may have expired: log in again"),
        (
            "right",
            "list nodes",
            f'answers 403: nodes is forbidden: User "somebody" cannot list resource "nodes"{WAYS}',
        ),
    ],
)
def test_refused_by_the_cluster(
    podgate: Podgate,
    cluster: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    token: str,
    forbidden: str,
    words: str,
):
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url, token)
    cluster.forbidden.add(forbidden)
    ran = podgate.json(stdin=GOOD)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"podgate: {cluster.url} {words}\n"


def test_a_cluster_that_cannot_be_reached(podgate: Podgate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    kubeconfig(monkeypatch, tmp_path / "config", "https://127.0.0.1:1")
    ran = podgate.json(stdin=GOOD)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert ran.err.startswith("podgate: https://127.0.0.1:1: cannot be reached")


@pytest.mark.parametrize(
    "content", ["", "null", ":::", "a: b", "a: [", "- a", "\x00", "{contexts: 3, current-context: x}", "{users: [3]}"]
)
def test_a_broken_kubeconfig(podgate: Podgate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str):
    path = tmp_path / "config"
    path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    ran = podgate.json(stdin=GOOD)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert ran.err.startswith("podgate: ")


def test_no_kubeconfig_or_no_such_context(podgate: Podgate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    missing = podgate.json(stdin=GOOD)
    assert (missing.code, missing.out, len(missing.err.splitlines())) == (2, "", 1)
    assert missing.err.startswith("podgate: no kubeconfig: ")
    assert missing.err.endswith(f"{WAYS}\n")
    waiting = podgate("ready")  # which knows no such options
    assert (waiting.code, waiting.err) == (2, missing.err.replace(WAYS, ""))
    path = kubeconfig(monkeypatch, tmp_path / "config", "https://127.0.0.1:1")
    ran = podgate.json("--context", "other", stdin=GOOD)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"podgate: {path} has no context 'other'; it has: here\n"
