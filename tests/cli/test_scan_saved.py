"""`podgate scan -f`: workloads that were saved, of a cluster or before there is one."""

import json
from pathlib import Path

from tests.cli.test_scan import APP, BOTH, document
from tests.support.command import Podgate
from tests.support.fleet import deployment, named, pods_of, replica_set, template
from tests.support.manifests import node, write

ARM = ("--target", "linux/arm64")


def test_saved_workloads(podgate: Podgate, settings: Path, tmp_path: Path):
    """As `kubectl get deploy,rs,pods -A -o yaml` prints them; no cluster is asked."""
    web = deployment("web")
    first = replica_set(web)
    items = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [web, first, *pods_of(first, 4), named("v1", "ConfigMap", "c")],
    }
    saved = write(tmp_path / "saved.yaml", items, node("amd-1", "amd64"), node("amd-2", "amd64"))
    found = document(podgate("scan", "--config", settings, "-f", saved, "-o", "json"))
    assert [(one["name"], one["replicas"], one["state"]) for one in found["workloads"]] == [("web", 4, "ready")]
    assert [(one["name"], one["nodes"]) for one in found["columns"]] == [("linux/amd64", 2)]
    lone = json.dumps(web).encode()
    ran = podgate("scan", "--config", settings, "-f", "-", "--target", "linux/arm64", "-o", "json", stdin=lone)
    found = document(ran)
    assert (ran.code, found["summary"]["replicas"]["blocked"]) == (0, 3)
    assert ran.err == "podgate: no pods in the files: replicas are those that the workloads ask for\n"
    bad = write(tmp_path / "bad.yaml", deployment("web"), {**deployment("odd"), "spec": {}})
    ran = podgate("scan", "--config", settings, "-f", bad, "-f", tmp_path / "none", "--target", "linux/arm64")
    assert ran.code == 2
    assert ran.err.splitlines()[-2:] == [
        f"podgate: {bad}#2: spec.template: is missing",
        f"podgate: {tmp_path / 'none'}: cannot be read: No such file or directory",
    ]


def test_a_pod_beside_workloads_whose_pods_were_not_saved(podgate: Podgate, settings: Path, tmp_path: Path):
    bare = {**named("v1", "Pod", "debug"), "spec": template()["spec"]}
    idle = {**deployment("idle", namespace="bank"), "spec": {**deployment("idle")["spec"], "replicas": 0}}
    saved = write(tmp_path / "saved.yaml", deployment("web"), bare, idle)
    ran = podgate("scan", "--config", settings, "-f", saved, *ARM, "-o", "json")
    replicas = {one["name"]: one["replicas"] for one in document(ran)["workloads"]}
    assert (ran.code, replicas) == (0, {"web": 3, "debug": 1, "idle": 0})
    told = "no pods in the files of Deployment shop/web: replicas are those that they ask for"
    assert ran.err == f"podgate: {told}\n"


def test_pods_alone_lack_what_their_daemonset_asks_for(podgate: Podgate, settings: Path, tmp_path: Path):
    agent = {**named("apps/v1", "DaemonSet", "agent", "kube-system"), "spec": {"template": template(BOTH)}}
    saved = write(tmp_path / "pods.yaml", *pods_of(agent, 2))
    ran = podgate("scan", "--config", settings, "-f", saved, *ARM)
    told = "not in the files: DaemonSet kube-system/agent; their pods are judged without the node affinity"
    assert (ran.code, ran.err) == (0, f"podgate: {told} that these ask for\n")
    both = podgate("scan", "--config", settings, "-f", saved, "-f", write(tmp_path / "agent.yaml", agent), *ARM)
    assert (both.code, both.err, both.out) == (0, "", ran.out)


def test_directories_are_read_as_for_check(podgate: Podgate, settings: Path, tmp_path: Path):
    folder = tmp_path / "saved"
    (folder / "deeper").mkdir(parents=True)
    write(folder / "a.yaml", deployment("web"), {**deployment("odd"), "spec": {}})
    write(folder / "b.json", deployment("api", BOTH))
    write(folder / "deeper" / "c.yaml", deployment("deep"), named("v1", "ConfigMap", "c"))
    (folder / "values.yaml").write_text("replicas: 3\n")
    (folder / "notes.txt").write_text("{")
    ran = podgate("scan", "--config", settings, "-f", folder, *ARM, "-o", "json")
    assert {one["name"] for one in document(ran)["workloads"]} == {"web", "api"}
    assert (ran.code, document(ran)["problems"]) == (2, [f"{folder}/a.yaml#2: spec.template: is missing"])
    assert "passed over" in ran.err
    (folder / "a.yaml").unlink()
    ran = podgate("scan", "--config", settings, "-f", folder, "-R", *ARM, "-o", "json")
    assert {one["name"] for one in document(ran)["workloads"]} == {"api", "deep"}
    assert (ran.code, document(ran)["problems"]) == (0, [])
    assert "1 object of other kinds passed over: ConfigMap (1)" in ran.err
    assert podgate("scan", "-R").code == 2


def test_a_document_that_is_no_object_does_not_end_the_file(podgate: Podgate, settings: Path, tmp_path: Path):
    """Nor does an item that is none end its list."""
    listed = {"apiVersion": "v1", "kind": "List", "items": [None, deployment("listed"), 7]}
    saved = tmp_path / "saved.json"
    documents = [deployment("first"), [], {"spec": {}}, listed, "text", deployment("last")]
    saved.write_text("\n".join(map(json.dumps, documents)))
    ran = podgate("scan", "--config", settings, "-f", saved, *ARM, "-o", "json")
    assert {one["name"] for one in document(ran)["workloads"]} == {"first", "listed", "last"}
    assert (ran.code, document(ran)["problems"]) == (
        2,
        [
            f"{saved}#2: is a list, not an object",
            f"{saved}#3: apiVersion: is missing",
            f"{saved}#4: items[0]: is null, not an object",
            f"{saved}#4: items[2]: is a number, not an object",
            f"{saved}#5: is a string, not an object",
        ],
    )
    saved.write_text("")
    good = write(tmp_path / "good.yaml", deployment("web", BOTH))
    ran = podgate("scan", "--config", settings, "-f", saved, "-f", good, *ARM)
    assert ran.code == 2
    assert f"podgate: {saved}: no objects in it\n" in ran.err


def test_namespaces_of_saved_workloads(podgate: Podgate, settings: Path, tmp_path: Path):
    empty = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "empty"}}
    saved = write(tmp_path / "saved.yaml", deployment("web"), deployment("api", BOTH, "bank"), empty)
    arguments = ("scan", "--config", settings, "-f", saved, *ARM, "-o", "json", "--fail-on", "blocked")
    ran = podgate(*arguments, "-n", "bank", "-n", "empty")
    assert {one["name"] for one in document(ran)["workloads"]} == {"api"}
    assert (ran.code, document(ran)["problems"]) == (0, [])
    ran = podgate(*arguments, "-n", "bank", "-n", "bnak")
    assert (ran.code, document(ran)["problems"]) == (2, ["nothing in the files is in the namespace bnak"])


def test_without_a_cluster_the_ways_that_need_none_are_named(podgate: Podgate, settings: Path, tmp_path: Path):
    saved = write(tmp_path / "saved.yaml", deployment("web", APP))
    for arguments, way in (
        ((), "-f FILE with --nodes FILE or --target PLATFORM does without"),
        (ARM, "-f FILE reads saved workloads instead"),
        (("-f", saved), "--nodes FILE or --target PLATFORM do without"),
    ):
        ran = podgate("scan", "--config", settings, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("podgate: no kubeconfig: ")
        assert ran.err.endswith(f"; {way}\n")
