"""Every golden file, asked through answer.py as a program, in a process of its own."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.compare import COMPARED, disagreements, substance

HERE = Path(__file__).resolve().parent
FILES = sorted(path.name.removesuffix(".jsonl.gz") for path in HERE.glob("*.jsonl.gz"))
SHOWN = 5  # disagreements printed; the count says how many there are


def ask(name: str, questions: list[Any], directory: Path) -> list[dict[str, Any]]:
    """podgate's answers, asked from another directory: answer.py must find the project by itself."""
    run = subprocess.run(
        [sys.executable, str(HERE / "answer.py"), name],
        input="".join(json.dumps(question) + "\n" for question in questions).encode(),
        capture_output=True,
        check=True,
        cwd=directory,
    )
    return [json.loads(line) for line in run.stdout.split(b"\n") if line]


@pytest.mark.parametrize("name", FILES)
def test_agrees_with_the_go_original(name, tmp_path):
    lines = [json.loads(line) for line in gzip.decompress((HERE / f"{name}.jsonl.gz").read_bytes()).splitlines()]
    answers = ask(name, [line["in"] for line in lines], tmp_path)
    assert len(answers) == len(lines) > 0
    wrong = [
        {"in": line["in"], "differs (recorded, answered)": found}
        for line, answer in zip(lines, answers, strict=True)
        if (found := disagreements(name, line["out"], answer))
    ]
    shown = "\n".join(json.dumps(entry, default=repr) for entry in wrong[:SHOWN])
    assert not wrong, f"{name}: {len(wrong)} of {len(lines)} answers disagree, the first are\n{shown}"


def test_a_bad_line_costs_only_itself(tmp_path):
    good = {"node": {"os": "linux", "architecture": "amd64"}, "image": {"os": "linux", "architecture": "amd64"}}
    odd = {"node": {"os": "\ud800\u2028", "architecture": "amd64"}, "image": {"os": "\ud800", "architecture": ""}}
    answers = ask("platforms", [good, ["not an object"], odd, good], tmp_path)
    assert [sorted(answer) == ["failed"] for answer in answers] == [False, True, False, False]
    assert answers[2]["image_normalized"]["os"] == "\ud800"
    assert answers[0] == answers[3]
    assert answers[0]["only"] is True


AGREE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("reference", {"docker_ref": {"error": "empty", "error_text": "a"}}, {"docker_ref": {"error": "empty"}}),
    ("reference", {"docker_ref": {"domain": "d", "tag": ""}}, {"docker_ref": {"domain": "d"}, "more": 1}),
    ("select", {"crio": {"digest": "d"}, "containerd_exact": {"digest": "x"}}, {"crio": {"digest": "d"}}),
    ("scheduler", {"affinity_error": "one text", "untolerated": None}, {"affinity_error": "another"}),
    ("keyring", {"candidates": [], "error": "image", "error_text": "x"}, {"error": "image"}),
    ("challenge", {"token": {"error": "no realm"}}, {"token": {"error": "another"}}),
    ("hosts", {"hosts": [{"host": "h", "skip_verify": False}]}, {"hosts": [{"host": "h"}]}),
    ("moby", {"found": False, "config": False, "error": "panic"}, {}),
    ("moby", {"panic": "nil"}, {"found": True}),
    ("platforms", {"only": True}, {"only": True}),
]

DISAGREE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("reference", {"docker_ref": {"error": "empty"}}, {"docker_ref": {"error": "uppercase"}}),
    ("reference", {"docker_ref": {"error": "empty"}}, {"docker_ref": {"domain": "d"}}),
    ("select", {"crio": {"digest": "d"}}, {"crio": {"digest": "e"}}),
    ("scheduler", {"affinity": False}, {}),
    ("scheduler", {"affinity_error": "text"}, {}),
    ("scheduler", {"untolerated": {"key": "k"}}, {"untolerated": None}),
    ("keyring", {"candidates": [{"username": "a"}, {"username": "b"}]}, {"candidates": [{"username": "b"}]}),
    ("keyring", {"candidates": [{"username": ""}]}, {"candidates": []}),
    ("keyring", {"error": "image"}, {"error": "secret"}),
    ("challenge", {"token": {}}, {}),
    ("challenge", {"token": {"realm": "r"}}, {"token": {"error": "no realm"}}),
    ("challenge", {"containerd": [{"parameters": {"realm": ""}}]}, {"containerd": [{"parameters": {}}]}),
    ("hosts", {"hosts": [{"host": "a"}, {"host": "b"}]}, {"hosts": [{"host": "b"}, {"host": "a"}]}),
    ("hosts", {"error": "text"}, {}),
    ("moby", {"found": False, "config": False}, {"found": False}),
    ("moby", {"error": "panic"}, {"failed": "TypeError"}),
    ("platforms", {"only": False}, {"only": True}),
]


@pytest.mark.parametrize(("name", "recorded", "answer"), AGREE)
def test_the_comparison_lets_through(name, recorded, answer):
    assert disagreements(name, recorded, answer) == {}


@pytest.mark.parametrize(("name", "recorded", "answer"), DISAGREE)
def test_the_comparison_finds(name, recorded, answer):
    assert disagreements(name, recorded, answer)


def test_every_field_that_counts_is_in_its_file():
    """A misspelt name would compare nothing with nothing."""
    for name in FILES:
        lines = gzip.decompress((HERE / f"{name}.jsonl.gz").read_bytes()).splitlines()
        outs = [json.loads(line)["out"] for line in lines]
        for field in COMPARED[name]:
            assert any(field in out for out in outs), f"{name}: {field}"


def test_substance_leaves_parameters_alone():
    assert substance({"parameters": {"realm": "", "x": ""}, "scheme": ""}) == {"parameters": {"realm": "", "x": ""}}
    assert substance({"a": {"b": False, "c": []}}) is None
