"""The table that people see: on a terminal, in a pipe, with many nodes."""

import json
import re
from pathlib import Path

import pytest

from tests.support.command import Podgate
from tests.support.manifests import REGISTRY, node, pod, write
from tests.support.terminal import on_terminal

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.usefixtures("new_user")
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_texts_are_laid_out_for_the_terminal(settings: Path, tmp_path: Path, columns: int):
    path = write(tmp_path / "app.yaml", pod(), pod(name="denied", nodeSelector={"kubernetes.io/arch": "arm64"}))
    targets: list[str | Path] = ["--target", "linux/amd64", "--target", "linux/arm64"]
    sent = on_terminal(["check", "-f", path, *targets, "--config", settings], columns, {})
    assert "\x1b[33mwarn" in sent
    assert "\x1b[31mdeny" in sent
    lines = ESCAPE.sub("", sent).splitlines()
    assert {len(line) for line in lines if line.startswith("    ")} <= set(range(columns + 1))
    assert "1 warn, 1 deny" in lines[-1]


@pytest.mark.usefixtures("new_user")
def test_no_color(settings: Path, tmp_path: Path):
    path = write(tmp_path / "app.yaml", pod())
    arguments: list[str | Path] = ["check", "-f", path, "--target", "linux/arm64", "--config", settings]
    assert "\x1b" not in on_terminal(arguments, 80, {"NO_COLOR": "1"})


def test_a_pipe_gets_whole_lines_without_colour(podgate: Podgate, settings: Path, tmp_path: Path):
    path = write(tmp_path / "app.yaml", pod())
    ran = podgate("check", "-f", path, "--target", "linux/amd64", "--target", "linux/arm64", "--config", settings)
    assert ran.code == 0
    first, warning, last = ran.out.splitlines()
    assert first == f"warn  Pod default/web  partial  {path}#1"
    assert warning.startswith("    podgate: Pod web: ")
    assert f"{REGISTRY}/team/app:1.4" in warning
    assert warning.endswith("add nodeSelector kubernetes.io/arch: amd64")
    assert last == "0 allow, 1 warn, 0 deny, 0 skipped"


def test_five_thousand_nodes_stay_readable(podgate: Podgate, settings: Path, tmp_path: Path):
    nodes = write(tmp_path / "nodes.yaml", *(node(f"arm-{number:04}") for number in range(5000)))
    stdin = json.dumps(pod()).encode()
    ran = podgate("check", "--nodes", nodes, "--config", settings, stdin=stdin)
    assert ran.code == 1
    assert len(ran.out.splitlines()) < 12
    assert max(map(len, ran.out.splitlines())) <= 84
    assert "arm-0000, arm-0001, arm-0002 and 4997 more (linux/arm64)" in ran.out
    document = podgate.json("--nodes", nodes, "--config", settings, stdin=stdin).document
    assert len(document["objects"][0]["nodes"]) == 5000


def test_what_a_terminal_would_obey_is_not_printed(podgate: Podgate, tmp_path: Path):
    hostile = "\x1b[2Jname\u202e\r\n"
    objects = [pod(name=hostile, image=f"reg.example/{hostile}"), {"apiVersion": "v1", "kind": hostile}]
    path = tmp_path / "a\x1b[31m.yaml"
    ran = podgate("check", "-f", write(path, *objects), "-f", f"{path}.no", "--target", "linux/amd64")
    assert ran.code == 2
    printed = ran.out + ran.err
    assert not {character for character in printed if not character.isprintable()} - {"\n"}
