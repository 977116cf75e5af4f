"""`podgate check` where all goes well: what it reads, what it prints, how it ends (design, section 9)."""

import json
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from jsonschema import ValidationError

from tests.support.command import SCHEMA, SCHEMA_FILE, Podgate
from tests.support.images import multi
from tests.support.manifests import REGISTRY, node, pod, write
from webhook import cli
from webhook.app.check import WRITERS
from webhook.core import decision, errors, outcome

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "app", "image": f"{REGISTRY}/team/app:1.4"}]}}},
}


def test_the_document_is_that_of_the_design(podgate: Podgate, settings: Path, tmp_path: Path):
    app = write(tmp_path / "app.yaml", pod(f"{REGISTRY}/team/app:2.0", name="first"), DEPLOYMENT)
    nodes = write(tmp_path / "nodes.yaml", {"apiVersion": "v1", "kind": "List", "items": [node("arm-1")]})
    ran = podgate.json("-f", app, "--nodes", nodes, "--config", settings)
    assert (ran.code, ran.err) == (1, "")
    assert ran.document["summary"] == {"allow": 1, "warn": 0, "deny": 1, "skipped": 0}
    denied = ran.document["objects"][1]
    message = denied.pop("messages")
    assert denied == {
        "source": f"{app}#2",
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "decision": "deny",
        "reason": "mismatch",
        "images": [
            {
                "container": "app",
                "image": f"{REGISTRY}/team/app:1.4",
                "resolved": f"{REGISTRY}/team/app@{multi('linux/amd64').digest}",
                "kind": "index",
                "platforms": ["linux/amd64"],
                "error": None,
            }
        ],
        "nodes": [
            {
                "name": "arm-1",
                "platform": "linux/arm64",
                "runtime": "containerd://2.1.4",
                "outcome": "fails",
                "images": [{"container": "app", "outcome": "fails", "why": "no-matching-entry"}],
            }
        ],
    }
    for words in (
        "Deployment web",
        'container "app"',
        f"{REGISTRY}/team/app:1.4",
        "linux/amd64",
        "arm-1 (linux/arm64)",
    ):
        assert words in message[0]


def test_the_schema_has_the_words_of_the_code_and_no_others():
    """A word that is new in one of them and not in the other breaks the contract for scripts."""
    parts = json.loads(SCHEMA_FILE.read_text())["$defs"]
    object_ = parts["object"]["properties"]
    image = parts["image"]["properties"]
    of_node = parts["node"]["properties"]["images"]["items"]["properties"]
    assert set(object_["decision"]["enum"]) == set(get_args(decision.Decision))
    assert set(object_["reason"]["enum"]) == set(get_args(decision.Reason))
    assert set(image["error"]["properties"]["code"]["enum"]) == set(get_args(errors.ErrorCode))
    assert set(of_node["why"]["enum"]) == set(get_args(outcome.Why))
    assert set(parts["outcome"]["enum"]) == set(get_args(outcome.Verdict))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("more",), 1),
        (("objects", 0, "decision"), "refuse"),
        (("objects", 0, "images", 0, "error"), {"code": "no-idea", "message": "x"}),
        (("objects", 0, "nodes", 0, "images", 0, "why"), "because"),
        (("objects", 0, "messages"), []),
        (("objects", 0, "nodes"), []),
        (("objects", 0, "source"), "app.yaml"),
        (("summary", "deny"), -1),
    ],
)
def test_the_schema_refuses(podgate: Podgate, settings: Path, path: tuple[Any, ...], value: object):
    ran = podgate.json("--target", "linux/arm64", "--config", settings, stdin=json.dumps(DEPLOYMENT).encode())
    document = ran.document
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(ValidationError):
        SCHEMA.validate(document)


@pytest.mark.parametrize(
    ("image", "targets", "strict", "expected"),
    [
        ("team/app:2.0", ["linux/amd64", "linux/arm64"], False, (0, "allow")),
        ("team/app:2.0", ["linux/amd64", "linux/arm64"], True, (0, "allow")),
        ("team/app:1.4", ["linux/amd64", "linux/arm64"], False, (0, "warn")),
        ("team/app:1.4", ["linux/amd64", "linux/arm64"], True, (1, "warn")),
        ("team/app:1.4", ["linux/arm64"], False, (1, "deny")),
        ("team/tool:1", ["linux/arm64"], False, (1, "deny")),
        ("team/app:9", ["linux/arm64"], False, (0, "warn")),
        ("Team:x", ["linux/arm64"], False, (1, "deny")),
    ],
)
def test_exit_codes(podgate: Podgate, settings: Path, image: str, targets: list[str], strict: bool, expected: object):
    name = image if image.startswith("Team") else f"{REGISTRY}/{image}"
    arguments = [part for target in targets for part in ("--target", target)] + ["--strict"] * strict
    ran = podgate.json(*arguments, "--config", settings, stdin=json.dumps(pod(name)).encode())
    assert (ran.code, ran.document["objects"][0]["decision"]) == expected
    assert ran.err == ""


def test_what_cannot_be_read_outweighs_a_denial_and_hides_no_result(podgate: Podgate, settings: Path, tmp_path: Path):
    good = write(tmp_path / "good.yaml", pod())
    missing = tmp_path / "missing.yaml"
    url = "https://reg.example/app.yaml"
    ran = podgate.json("-f", missing, "-f", good, "-f", url, "--target", "linux/arm64", "--config", settings)
    assert ran.code == 2
    assert ran.objects["web"]["decision"] == "deny"
    why = "cannot be read: No such file or directory"
    hint = f"addresses are not fetched: curl -fsSL {url} | podgate check"
    assert ran.err == f"podgate: {missing}: {why}\npodgate: {url}: {why}; {hint}\n"


def test_files_directories_and_lists(podgate: Podgate, tmp_path: Path):
    folder = tmp_path / "app"
    (folder / "more").mkdir(parents=True)
    write(folder / "b.yaml", pod(name="b1"), None, {"apiVersion": "v1", "kind": "List", "items": [pod(name="b3")]})
    write(folder / "a.json", pod(name="a1"))
    write(folder / "more" / "c.yml", pod(name="c1"))
    (folder / "notes.txt").write_text("no manifest")
    flat = podgate.json("-f", folder, "--target", "linux/amd64")
    deep = podgate.json("-R", "-f", folder, "--target", "linux/amd64")
    assert [one["name"] for one in flat.document["objects"]] == ["a1", "b1", "b3"]
    assert [one["source"].rpartition("/")[2] for one in deep.document["objects"]] == [
        "a.json#1",
        "b.yaml#1",
        "b.yaml#3",
        "c.yml#1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"\xef\xbb\xbf" + json.dumps(pod()).encode(), id="byte order mark"),
        pytest.param(
            b"# a comment\r\n---\r\n" + json.dumps(pod(), indent=1).encode().replace(b"\n", b"\r\n"), id="CRLF"
        ),
        pytest.param(b"---\n---\n" + json.dumps(pod()).encode() + b"\n...\n---\n# nothing\n", id="empty documents"),
    ],
)
def test_standard_input_in_any_dress(podgate: Podgate, text: bytes):
    ran = podgate.json("-f", "-", "--target", "linux/amd64", stdin=text)
    assert (ran.code, ran.err) == (0, "")
    assert ran.objects["web"]["source"].startswith("stdin#")


def test_other_kinds_are_passed_over_with_a_count(podgate: Podgate, tmp_path: Path):
    others = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}] * 2
    crds = [{"apiVersion": "example.com/v1", "kind": f"Kind{n}", "metadata": {"name": "x"}} for n in range(6)]
    counted = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}]
    ran = podgate.json("-f", write(tmp_path / "a.yaml", pod(), *others, *crds, *counted), "--target", "linux/amd64")
    assert ran.code == 0
    assert list(ran.objects) == ["web"]
    assert ran.err.startswith("podgate: 8 objects of other kinds passed over: Service (2), Kind0 (1)")
    assert ran.err.endswith("and 2 more\n")


NOTHING = "podgate: no objects to check\n"


@pytest.mark.parametrize("content", ["", "---\n", "# nothing\n", "null\n", "apiVersion: v1\nkind: List\nitems: []\n"])
def test_where_there_is_no_object_nothing_was_checked(podgate: Podgate, tmp_path: Path, content: str):
    """kubectl apply fails, too: `no objects passed to apply`. Here 1 is a denial, so that it is 2."""
    path = tmp_path / "empty.yaml"
    path.write_text(content)
    ran = podgate.json("-f", path, "--target", "linux/amd64")
    assert (ran.code, ran.document["objects"]) == (2, [])
    assert ran.err == f"podgate: {path}: no objects in it\n{NOTHING}"
    ran = podgate.json("--target", "linux/amd64", stdin=content.encode())
    assert (ran.code, ran.err) == (2, f"podgate: stdin: no objects in it\n{NOTHING}")


def test_a_directory_without_manifests_is_said(podgate: Podgate, tmp_path: Path):
    (tmp_path / "none").mkdir()
    ran = podgate.json("-f", tmp_path / "none", "--target", "linux/amd64")
    assert (ran.code, ran.document["objects"]) == (2, [])
    assert ran.err == f"podgate: {tmp_path / 'none'}: no .yaml, .yml, .json files in it\n{NOTHING}"


def test_without_objects_no_cluster_is_asked(podgate: Podgate):
    assert podgate.json(stdin=b"").err == f"podgate: stdin: no objects in it\n{NOTHING}"


def test_an_empty_file_beside_others_is_said_and_is_no_error(podgate: Podgate, tmp_path: Path):
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "none").mkdir()
    good = write(tmp_path / "good.yaml", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}})
    ran = podgate.json("-f", tmp_path / "empty.yaml", "-f", tmp_path / "none", "-f", good, "--target", "linux/amd64")
    assert ran.code == 0
    assert [line.rpartition("/")[2] for line in ran.err.splitlines()[:2]] == [
        "empty.yaml: no objects in it",
        "none: no .yaml, .yml, .json files in it",
    ]


def test_a_node_without_node_info_leaves_it_uncertain(podgate: Podgate, settings: Path, tmp_path: Path):
    nodes = write(tmp_path / "nodes.yaml", node("bare", architecture=None))
    ran = podgate.json("--nodes", nodes, "--config", settings, stdin=json.dumps(pod()).encode())
    assert (ran.code, ran.err) == (0, "")
    found = ran.objects["web"]
    assert (found["decision"], found["reason"]) == ("warn", "undetermined")
    assert found["nodes"] == [
        {
            "name": "bare",
            "platform": None,
            "runtime": None,
            "outcome": "uncertain",
            "images": [{"container": "app", "outcome": "uncertain", "why": "node-platform-unknown"}],
        }
    ]


def test_a_cluster_without_nodes_has_no_candidates(podgate: Podgate, tmp_path: Path):
    nodes = write(tmp_path / "nodes.yaml", {"apiVersion": "v1", "kind": "List", "items": []})
    ran = podgate.json("--nodes", nodes, stdin=json.dumps(pod()).encode())
    assert (ran.code, ran.objects["web"]["reason"]) == (0, "no-candidates")
    assert ran.err == f"podgate: {nodes}: no nodes in it\n"


def test_targets_of_one_platform_are_different_nodes(podgate: Podgate, settings: Path):
    targets = ["linux/arm64", "linux/arm64,runtime=cri-o://1.33.2", "linux/arm64,taint=only=x:NoSchedule"]
    arguments = [part for target in targets for part in ("--target", target)]
    ran = podgate.json(*arguments, "--config", settings, stdin=json.dumps(pod(f"{REGISTRY}/team/app:2.0")).encode())
    assert [(one["name"], one["runtime"]) for one in ran.objects["web"]["nodes"]] == [
        ("linux/arm64", None),
        ("linux/arm64,runtime=cri-o://1.33.2", "cri-o://1.33.2"),
    ]


def test_a_target_has_labels_taints_and_a_runtime(podgate: Podgate, settings: Path):
    target = (
        "linux/arm64,label=zone=a,label=empty=,taint=only=x:NoSchedule,taint=bare:NoExecute,runtime=containerd://2.1"
    )
    demanding = pod(
        f"{REGISTRY}/team/app:2.0",
        nodeSelector={"zone": "a", "empty": "", "kubernetes.io/arch": "arm64"},
        tolerations=[{"operator": "Exists"}],
    )
    ran = podgate.json("--target", target, "--config", settings, stdin=json.dumps(demanding).encode())
    (found,) = ran.objects["web"]["nodes"]
    assert (found["name"], found["platform"], found["runtime"]) == (target, "linux/arm64", "containerd://2.1")


def test_nodes_and_targets_count_together(podgate: Podgate, settings: Path, tmp_path: Path):
    nodes = write(tmp_path / "nodes.yaml", node("amd-1", "amd64"))
    stdin = json.dumps(pod()).encode()
    ran = podgate.json("--nodes", nodes, "--target", "linux/arm64", "--config", settings, stdin=stdin)
    assert {one["name"]: one["outcome"] for one in ran.objects["web"]["nodes"]} == {
        "amd-1": "runs",
        "linux/arm64": "fails",
    }
    assert ran.objects["web"]["reason"] == "partial"


def test_nodes_come_from_standard_input_too(podgate: Podgate, tmp_path: Path):
    ran = podgate.json("-f", write(tmp_path / "a.yaml", pod()), "--nodes", "-", stdin=json.dumps(node("n")).encode())
    assert [one["name"] for one in ran.objects["web"]["nodes"]] == ["n"]


def test_nodes_among_the_manifests_stand_for_a_cluster(podgate: Podgate, settings: Path):
    """`kubectl get nodes,deployments -o yaml | podgate check`: no other cluster is asked."""
    items = {"apiVersion": "v1", "kind": "List", "items": [node("n", "amd64"), pod()]}
    ran = podgate.json("--config", settings, stdin=json.dumps(items).encode())
    assert [one["name"] for one in ran.objects["web"]["nodes"]] == ["n"]
    assert ran.objects["web"]["decision"] == "allow"


def test_a_platform_that_no_node_has_is_doubted(podgate: Podgate):
    ran = podgate.json("--target", "darwin/arm64", stdin=json.dumps(pod()).encode())
    assert ran.code == 0
    doubt = "no kind of node is known that is darwin/arm64; is it misspelt?"
    assert ran.err == f"podgate: --target darwin/arm64: {doubt}\n"


def test_the_namespace_of_objects_that_name_none(podgate: Podgate):
    stdin = json.dumps(pod()).encode() + b"\n---\n" + json.dumps(DEPLOYMENT).encode()
    for arguments, expected in (([], "default"), (["-n", "team"], "team"), (["-n", ""], "default")):
        ran = podgate.json("--target", "linux/amd64", *arguments, stdin=stdin)
        assert [one["namespace"] for one in ran.document["objects"]] == [expected, "shop"]


def test_owned_and_exempt_objects_are_printed_as_skipped(podgate: Podgate):
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", "controller": True}
    owned = {**DEPLOYMENT, "kind": "ReplicaSet", "metadata": {"name": "web-1", "ownerReferences": [owner]}}
    exempt = {**pod(name="dns"), "metadata": {"name": "dns", "namespace": "kube-system"}}
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": [owned, exempt]}).encode()
    ran = podgate.json("--target", "linux/arm64", stdin=stdin)
    assert ran.document["summary"] == {"allow": 0, "warn": 0, "deny": 0, "skipped": 2}
    assert {(one["decision"], one["reason"]) for one in ran.document["objects"]} == {("allow", "skipped")}
    table = podgate("check", "--target", "linux/arm64", stdin=stdin)
    assert table.out.splitlines() == [
        "skipped  ReplicaSet default/web-1    stdin#1",
        "skipped  Pod kube-system/dns         stdin#1",
        "0 allow, 0 warn, 0 deny, 2 skipped",
    ]


def test_the_choices_of_output_are_the_forms_that_there_are():
    """The command line must not load them all to say their names."""
    output = next(option for option in cli.check.params if option.name == "output")
    assert isinstance(output.type, click.Choice)
    assert list(output.type.choices) == list(WRITERS)
