"""What `podgate scan` shows on a terminal, and what names of anybody's do to it."""

import re
from pathlib import Path

from tests.support.command import Podgate
from tests.support.fleet import deployment, named, template
from tests.support.manifests import REGISTRY, node, write
from tests.support.registry import Registry
from tests.support.terminal import on_terminal

APP, BOTH = f"{REGISTRY}/team/app:1.4", f"{REGISTRY}/team/app:2.0"
COLUMNS = 72


def test_a_terminal_gets_a_bar_and_lines_of_its_width(settings: Path, tmp_path: Path):
    owners = [deployment(f"a-name-of-some-length-{number:02}") for number in range(14)]
    saved = write(tmp_path / "saved.yaml", *owners, deployment("free", BOTH, "bank"))
    target = "linux/arm64,label=topology.kubernetes.io/zone=a,label=example.com/pool=blue"
    sent = on_terminal(["scan", "-f", saved, "--target", target, "--config", settings], COLUMNS, {})
    assert "looking images up" in sent
    assert sent.rpartition("\x1b[2K")[2].strip()  # the bar is gone when the survey comes
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in sent.rpartition("\x1b[2K")[2].splitlines()]
    assert max(map(len, lines)) <= max(COLUMNS, len(target) + 9)  # names stay whole
    assert "    3 Deployment shop/a-name-of-some-length-09 (app)" in lines
    assert "    and 4 more" in lines
    assert f"42 replicas  {APP}  has linux/amd64" in lines
    plain = on_terminal(["scan", "-f", saved, "--target", target, "--config", settings], COLUMNS, {"NO_COLOR": "1"})
    assert "\x1b[3" not in plain.rpartition("\x1b[2K")[2]


def test_a_pipe_gets_every_owner_on_a_line(podgate: Podgate, settings: Path, tmp_path: Path):
    owners = [deployment(f"{'long' * 20}-{number:02}") for number in range(14)]
    ran = podgate(
        "scan", "-f", write(tmp_path / "saved.yaml", *owners), "--target", "linux/arm64", "--config", settings
    )
    assert len([line for line in ran.out.splitlines() if line.startswith("    3 Deployment shop/long")]) == 14
    assert "\x1b" not in ran.out + ran.err


def test_names_that_a_terminal_would_obey(podgate: Podgate, settings: Path, tmp_path: Path, registry: Registry):
    evil = named("v1", "Pod", "\x1b[2Jgone\u202e", "shop\r\n\x07")
    evil["spec"] = {"containers": [{"name": "\x1b]0;title\x07", "image": "reg.example/\x1b[31m:1"}]}
    odd = node("odd")
    odd["metadata"]["labels"]["kubernetes.io/arch"] = odd["status"]["nodeInfo"]["architecture"] = "\x1b[5mx"
    saved = write(tmp_path / "saved.yaml", evil, {**named("v1", "Pod", "b"), "spec": template()["spec"]}, odd)
    for form in ("table", "csv"):
        ran = podgate("scan", "-f", saved, "--config", settings, "-o", form)
        assert ran.code == 0
        assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\u202e]", ran.out + ran.err)
    assert len(ran.out.split("\r\n")) == 4  # as CSV each stays on its line


def test_files_alone_load_no_kubernetes_client(podgate: Podgate, settings: Path, tmp_path: Path):
    """A scan of saved objects asks no cluster, even where a kubeconfig is broken."""
    (tmp_path / "home" / ".kube").mkdir()
    (tmp_path / "home" / ".kube" / "config").write_text("no: [kubeconfig")
    saved = write(tmp_path / "saved.yaml", deployment("web", BOTH))
    ran = podgate("scan", "-f", saved, "--target", "linux/arm64", "--config", settings)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "ready: 3 of 3 replicas, 1 of 1 workloads")
    assert podgate("scan", "--target", "linux/arm64", "--config", settings).code == 2


def test_usage(podgate: Podgate, tmp_path: Path):
    for arguments, text in (
        (["-f", "-", "--nodes", "-"], "only once"),
        (["--cache-ttl", "soon"], "no duration"),
        (["--timeout", "0"], "longer than nothing"),
        (["--target", "nothing"], "--target"),
        (["--jobs", "0"], "jobs"),
        (["-o", "xml"], "xml"),
    ):
        ran = podgate("scan", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert text in ran.err
    empty = write(tmp_path / "empty.yaml")
    ran = podgate("scan", "-f", empty, "--target", "linux/arm64")
    assert (ran.code, ran.err) == (2, f"podgate: {empty}: no objects in it\n")
