"""`check -o github`: commands, as GitHub's runner takes them apart (actions/runner, Runner.Common/ActionCommand.cs)."""

import re
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judged import at, checked
from webhook.core.place import Place, Span
from webhook.report.github import write_github
from webhook.report.run import CheckRun, Problem

DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


@dataclass(frozen=True)
class Command:
    """A command as the runner has it in the end."""

    name: str
    properties: dict[str, str]
    data: str


def taken_apart(line: str) -> Command | None:
    """What the runner makes of a line of a log: None where it is text."""
    trimmed = line.lstrip()
    end = trimmed.find("::", 2)
    if not trimmed.startswith("::") or end < 0:
        return None
    name, _, rest = trimmed[2:end].partition(" ")
    pairs = [pair.split("=", 1) for pair in rest.strip().split(",") if pair]
    properties = {pair[0]: _unescaped(pair[1], PROPERTY) for pair in pairs if len(pair) == 2 and pair[1]}
    return Command(name, properties, _unescaped(trimmed[end + 2 :], DATA))


def _unescaped(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for escape, character in table:
        text = text.replace(escape, character)
    return text


def printed(run: CheckRun) -> list[str]:
    """The lines of the output, by whatever a log is split at."""
    stream = StringIO()
    write_github(run, stream)
    assert stream.getvalue().endswith("\n")
    return stream.getvalue().splitlines()


def commands(run: CheckRun) -> list[Command]:
    """All commands; the last line is none."""
    *lines, last = printed(run)
    assert re.fullmatch(r"\d+ allow, \d+ warn, \d+ deny, \d+ skipped", last)
    found = [taken_apart(line) for line in lines]
    assert None not in found
    return [one for one in found if one is not None]


def test_a_denial_is_an_error_at_the_line_of_the_image_that_fails():
    one = checked("deny", "mismatch", ("runs", "fails"), ("no,\n100%: really",), at("k8s/a.yaml", 8, 10))
    (command,) = commands(CheckRun([one]))
    assert command == Command(
        "error",
        {
            "file": "k8s/a.yaml",
            "line": "10",
            "endLine": "10",
            "col": "12",
            "endColumn": "34",
            "title": "Pod shop/web: mismatch",
        },
        "no,\n100%: really",
    )


def test_what_tells_most_comes_first():
    """GitHub shows ten of a kind."""
    both = checked("deny", "mismatch", ("fails", "fails"), ("both",), at("a.yaml", 8, 10))
    warned = checked("warn", "undetermined", ("runs", "uncertain"), ("one", "two"), at("b.yaml", 4, 5))
    quiet = [checked("allow", "match", ("runs",), ()), checked("allow", "partial", ("fails",), ("audited",))]
    run = CheckRun([both, *quiet, warned], problems=[Problem("c.yaml#1: not YAML", "c.yaml", 3)])
    found = [(one.name, one.properties.get("file"), one.properties.get("line"), one.data) for one in commands(run)]
    assert found == [
        ("error", "a.yaml", "8", "both"),
        ("warning", "b.yaml", "5", "one\ntwo"),
        ("error", "c.yaml", "3", "c.yaml#1: not YAML"),
        ("error", "a.yaml", "10", "this image as well: see line 8"),
    ]


@pytest.mark.parametrize(
    ("place", "data", "properties"),
    [
        (Place("a.yaml", Span(7, 1, 7, 11)), "no", {"file": "a.yaml", "line": "7"}),
        (Place("a.yaml"), "no", {"file": "a.yaml"}),
        (at("stdin", 9), "stdin, line 9: no", {}),
        (Place("stdin"), "stdin#1: no", {}),
        (Place("a.yaml", None, (Span(3, 2, 4, 5),)), "no", {"file": "a.yaml", "line": "3", "endLine": "4"}),
    ],
)
def test_what_is_not_known_is_left_out(place: Place, data: str, properties: dict[str, str]):
    (command,) = commands(CheckRun([checked("deny", "mismatch", messages=("no",), place=place)]))
    told = {key: value for key, value in command.properties.items() if key in ("file", "line") or key in properties}
    assert (command.data, told) == (data, properties)
    assert "col" not in command.properties or command.properties["line"] == command.properties["endLine"]


def test_files_are_named_below_the_source_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A job may have gone into a folder, where names are relative to that; GitHub wants them from the top."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(tmp_path / "deploy")
    names = {
        "a,b:100%.yaml": "deploy/a,b:100%.yaml",
        "../a.yaml": "a.yaml",
        str(tmp_path / "a.yaml"): "a.yaml",
        "/elsewhere/a.yaml": "/elsewhere/a.yaml",
        "../../a.yaml": "../../a.yaml",
    }
    for root in (tmp_path, tmp_path / "alias"):
        run = CheckRun([checked("deny", "mismatch", place=at(name, 3)) for name in names], root=str(root))
        assert [one.properties["file"] for one in commands(run)] == list(names.values())


@given(st.text(), st.text(), st.text())
def test_no_text_makes_a_command_of_its_own(name: str, text: str, file: str):
    """Whatever line a runner looks at, it finds the one command; what it shows are the texts, less what is no text."""
    one = checked("deny", "mismatch", messages=(f"x{text}",), place=at(f"x{file}", 3), name=name)
    run = CheckRun([one], problems=[Problem(f"x{text}", f"x{file}")])
    error, problem = commands(run)
    seen = "".join(character if character.isprintable() or character == "\n" else "?" for character in f"x{text}")
    assert error.data == problem.data == seen
    assert set(error.properties) == {"file", "line", "endLine", "col", "endColumn", "title"}
    assert set(problem.properties) == {"file", "title"}
    assert error.properties["line"] == "3"


def test_nothing_is_something_too():
    assert printed(CheckRun([])) == ["0 allow, 0 warn, 0 deny, 0 skipped"]
    assert printed(replace(CheckRun([]), notes=["of no interest"])) == ["0 allow, 0 warn, 0 deny, 0 skipped"]
