"""`podgate check` where something is wrong: exit code 2, one line that names it, results only where there are some."""

import json
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.command import Podgate
from tests.support.manifests import pod, write
from webhook.cluster.documents import read_bounded
from webhook.core.errors import MalformedObject

GOOD = json.dumps(pod())
LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
)

MANIFESTS = {
    "not YAML": (b"a: [", "not YAML: line 2, column 1"),
    "not JSON": (b'{"kind": "Pod", ', "not "),
    "binary": (bytes(range(256)), "is not UTF-8 text (byte 128)"),
    "an executable": (b"\x7fELF\x02\x01\x01" + bytes(64) + b"\xff", "is not UTF-8 text"),
    "a NUL": (b"kind: \x00", "not YAML"),
    "Windows-1252": (b"kind: Pod # \x93quoted\x94", "is not UTF-8 text (byte 12)"),
    "UTF-16": (GOOD.encode("utf-16"), "is UTF-16; kubectl reads UTF-8 only"),
    "a YAML bomb": (LAUGHS.encode(), "excessive aliasing"),
    "nested deeply": (b"[" * 5000, "nested deeper than"),
    "a list": (b"- a", "#1: is a list, not an object"),
    "text": (b"just words", "#1: is a string, not an object"),
    "a Python tag": (b"!!python/object/apply:os.system [ls]", "#1"),
    "no kind": (b"apiVersion: v1", "#1: kind: is missing"),
    "no apiVersion": (b"kind: Deployment", "#1: apiVersion: is missing"),
    "a kind of a wrong type": (b"{apiVersion: v1, kind: 3}", "#1: kind: must be a string, not a number"),
    "no spec": (b"{apiVersion: v1, kind: Pod}", "#1: spec: is missing"),
    "no containers": (b"{apiVersion: v1, kind: Pod, spec: {}}", "#1: spec.containers: is missing or empty"),
    "containers of a wrong type": (
        b"kind: Service\napiVersion: v1\n---\n{apiVersion: v1, kind: Pod, spec: {containers: [3]}}",
        "#2: spec.containers[0]: must be an object, not a number",
    ),
    "an item of a list": (
        b"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, spec: {containers: x}}]}",
        "#1: spec.containers: must be a list, not a string",
    ),
    "items of a wrong type": (b"{apiVersion: v1, kind: List, items: 3}", "#1: items: is not a list"),
    "a label of a wrong type": (
        b"{apiVersion: v1, kind: Pod, spec: {nodeSelector: {a: 1}, containers: [{name: a, image: a}]}}",
        "#1: spec.nodeSelector[a]: must be a string, not a number",
    ),
    "a secret of a wrong type": (b"{apiVersion: v1, kind: Secret, metadata: 3}", "#1: metadata"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(podgate: Podgate, tmp_path: Path, name: str):
    content, words = MANIFESTS[name]
    path = tmp_path / "app.yaml"
    path.write_bytes(content)
    good = write(tmp_path / "good.yaml", pod())
    ran = podgate.json("-f", path, "-f", good, "--target", "linux/amd64")
    said = [line for line in ran.err.splitlines() if "passed over" not in line]
    assert ran.code == 2
    assert len(said) == 1
    assert said[0].startswith(f"podgate: {path}")
    assert words in said[0]
    assert list(ran.objects) == ["web"]  # what is good is judged all the same


@pytest.mark.parametrize(("wrong", "judged"), [("a: [", ["first"]), ("a: *b", ["first"]), ("- a", ["first", "last"])])
def test_what_stands_before_a_mistake_is_judged(podgate: Podgate, tmp_path: Path, wrong: str, judged: list[str]):
    """What stands behind it too, where it is not the syntax that is wrong, as kubectl reads on then
    (cli-runtime, pkg/resource/visitor.go: StreamVisitor, FlattenListVisitor)."""
    path = tmp_path / "app.yaml"
    path.write_text(f"{json.dumps(pod(name='first'))}\n---\n{wrong}\n---\n{json.dumps(pod(name='last'))}\n")
    ran = podgate.json("-f", path, "--target", "linux/amd64")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert ran.err.startswith(f"podgate: {path}#2: ")
    assert list(ran.objects) == judged


def test_a_manifest_that_is_not_there(podgate: Podgate, tmp_path: Path):
    for name, words in (
        (tmp_path / "none.yaml", f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory"),
        ("x" * 300, "cannot be read: File name too long"),
        ("a\0b", "cannot be read"),
        ("", "-f: the name of a file is empty"),
        (write(tmp_path / "f", pod()) / "below", "cannot be read: Not a directory"),
    ):
        ran = podgate.json("-f", name, "--target", "linux/amd64")
        assert (ran.code, ran.document["objects"], len(ran.err.splitlines())) == (2, [], 1)
        assert words in ran.err


def test_a_manifest_that_may_not_be_read(podgate: Podgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """/proc/self/mem stands for it: whoever may read everything (root, in a container) cannot read that either."""
    ran = podgate.json("-f", "/proc/self/mem", "--target", "linux/amd64")
    assert (ran.code, ran.document["objects"]) == (2, [])
    assert ran.err == "podgate: /proc/self/mem: cannot be read: Input/output error\n"


def test_what_has_no_end_is_not_read_to_its_end(podgate: Podgate):
    for arguments in (("-f", "/dev/zero"), ("--nodes", "/dev/zero")):
        ran = podgate("check", *arguments, "--target", "linux/amd64", stdin=GOOD.encode())
        assert (ran.code, len(ran.err.splitlines())) == (2, 1)
        assert ran.err.startswith("podgate: /dev/zero#1: not YAML: ")


def test_more_than_anybody_has_is_refused():
    text = b"a: b\n" * 500_000
    assert read_bounded(BytesIO(text), "stdin", 3 << 20) == text
    with pytest.raises(MalformedObject, match=r"^stdin: is more than 2 MiB, and may have no end; give it in parts$"):
        read_bounded(BytesIO(text), "stdin", 2 << 20)


NODES = {
    "nothing": ("", "is empty; it must hold nodes"),
    "comments": ("# kubectl failed\n---\n", "is empty; it must hold nodes"),
    "other objects": (json.dumps(pod()), "holds objects, but no Node"),
    "not YAML": ("a: [", "not YAML: line 2"),
    "a node without a name": ('{"apiVersion": "v1", "kind": "Node"}', "#1: metadata: is missing"),
    "a wrong type": ('{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "labels": 3}}', "metadata.labels"),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes(podgate: Podgate, tmp_path: Path, name: str):
    content, words = NODES[name]
    path = tmp_path / "nodes.yaml"
    path.write_text(content)
    for arguments, stdin in ((["--nodes", path], b""), (["--nodes", "-"], content.encode())):
        manifests = write(tmp_path / "app.yaml", pod())
        ran = podgate.json("-f", manifests, *arguments, stdin=stdin)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert words in ran.err
        assert ran.err.startswith(f"podgate: {path if arguments[1] == path else 'stdin'}")


def test_nodes_that_are_not_there(podgate: Podgate, tmp_path: Path):
    for path, words in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        ran = podgate.json("--nodes", path, stdin=GOOD.encode())
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"podgate: {path}: cannot be read: {words}\n"


@pytest.mark.parametrize(
    "target",
    [
        *("", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "linux/amd64:10.0.20348", "linux/amd64,"),
        *("linux/amd64,x=y", "linux/amd64,runtime=containerd", "linux/amd64,runtime=://1"),
        *("linux/amd64,label=a", "linux/amd64,label==b"),
        *("linux/amd64,taint=a", "linux/amd64,taint=a=b:Never", "linux/amd64,taint=:NoSchedule"),
    ],
)
def test_targets(podgate: Podgate, target: str):
    ran = podgate.json("--target", target, stdin=GOOD.encode())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert ran.err.startswith("podgate: --target")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode: deny\nevents: [", "not YAML: line 2: "),
        ("mod: deny", "mod: unknown key"),
        ("mode: refuse", "mode: must be one of deny, warn, audit, off"),
        ("binding: on", "binding: must be one of off, warn, deny"),
        (
            "registries: {requestTimeout: 1y}",
            "registries.requestTimeout: must be a duration, such as 5s, 250ms or 1m30s",
        ),
    ],
)
def test_settings(podgate: Podgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    ran = podgate.json("--target", "linux/amd64", "--config", path, stdin=GOOD.encode())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert ran.err.startswith(f"podgate: {path}: {words}")
    monkeypatch.setenv("PODGATE_CONFIG", str(path))
    assert podgate.json("--target", "linux/amd64", stdin=GOOD.encode()) == ran


def test_settings_that_are_not_there(podgate: Podgate, tmp_path: Path):
    ran = podgate.json("--target", "linux/amd64", "--config", tmp_path / "none", stdin=GOOD.encode())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"podgate: {tmp_path / 'none'}: cannot be read: No such file or directory\n"


def test_a_broken_pull_secret_is_uncertain_and_named(podgate: Podgate, tmp_path: Path):
    """The webhook could do no more, either; what is wrong with it is said beside the image."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": "TUFSS0VE"},  # MARKED
    }
    path = write(tmp_path / "a.yaml", secret, pod(imagePullSecrets=[{"name": "login"}]))
    ran = podgate.json("-f", path, "--target", "linux/amd64")
    error = ran.objects["web"]["images"][0]["error"]
    assert (ran.code, error["code"]) == (0, "bad-credentials")
    assert "default/login" in error["message"]
    assert "MARKED" not in ran.out + ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bogus"],
        ["-o", "xml"],
        ["--nodes", "x", "--context", "y"],
        ["-f", "-", "-f", "-", "--target", "linux/amd64"],
        ["--nodes", "-"],
        ["stray"],
    ],
)
def test_a_wrong_command_line(podgate: Podgate, arguments: list[str]):
    ran = podgate("check", *arguments, stdin=GOOD.encode())
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("podgate: ")
    assert line.endswith("ee podgate check --help")


class _Failing(BytesIO):
    def read(self, *_: object) -> bytes:
        raise RuntimeError("made to fail")


def test_a_fault_of_podgate_itself_is_no_denial(podgate: Podgate, monkeypatch: pytest.MonkeyPatch):
    """Python would end with 1, which scripts take for a denied object. No fault is known, so that a file makes one."""
    ran = podgate.json("--target", "linux/amd64", stdin=_Failing())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert ran.err.startswith("podgate: internal error: RuntimeError: made to fail; set PODGATE_DEBUG=1")
