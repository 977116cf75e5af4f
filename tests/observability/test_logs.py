"""Logs: one JSON object a line whatever is in it, one line a decision, and no secret."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.decision import Judgement
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.workload import parse_workload
from webhook.observability import logs
from webhook.ports import Observation

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def restored(restored_logging: None) -> None:
    """For each of these tests."""


class Written:
    """What has gone to standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    return Written(capsys)


def lines(stream: Written | io.StringIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert text == "" or text.endswith("\n")
    return [json.loads(line, parse_constant=_no_constant) for line in text.splitlines()]


def _no_constant(text: str) -> None:
    raise AssertionError(f"not JSON: {text}")


def observation(name: str, namespace: str = "default") -> Observation:
    workload = parse_workload(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"containers": [{"name": "app", "image": "reg.example/app:1"}]},
        }
    )
    assert workload is not None
    return Observation(
        Judgement(workload, "deny", "mismatch", "deny", ("no",), wanted="deny"),
        "u-1",
        True,
        0.0123456789,
        ("short-name",),
    )


DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "logs.md"


def test_the_documentation_has_the_fields_of_a_decision(written: Written):
    logs.set_up("info", "json")
    logs.DecisionLog().decided(observation("web"))
    [line] = lines(written)
    page = DOCUMENT.read_text()
    table = page[page.index("## Decisions") : page.index("## Other lines")]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert line.keys() == documented | {"time", "level", "logger", "message"}
    assert all(f"`{name}`" in page for name in line)


def test_a_decision_is_one_line(written: Written):
    logs.set_up("info", "json")
    logs.DecisionLog().decided(observation("web"))
    [line] = lines(written)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "podgate.decisions",
        "message": "Pod default/web: deny (mismatch)",
        "uid": "u-1",
        "kind": "Pod",
        "namespace": "default",
        "object": "web",
        "decision": "deny",
        "wanted": "deny",
        "reason": "mismatch",
        "mode": "deny",
        "dryRun": True,
        "why": ["short-name"],
        "stale": False,
        "messages": ["no"],
        "seconds": 0.012346,
    }


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_line_is_json_whatever_an_object_is_called(name: str, namespace: str):
    logger = logging.getLogger("podgate.decisions")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JSONFormatter())
    logger.addHandler(handler)
    logger.setLevel("INFO")
    try:
        logs.DecisionLog().decided(observation(name or "x", namespace))
    finally:
        logger.removeHandler(handler)
    [line] = lines(stream)
    assert line["object"] == (name or "x")
    assert line["message"].isprintable()


def test_extra_fields_never_take_the_place_of_the_lines_own(written: Written):
    logs.set_up("info", "json")
    extra = {"level": "none", "time": 0, "logger": "x", "odd": object(), "nested": {"a": [1]}}
    logging.getLogger("podgate").info("text", extra=extra)
    [line] = lines(written)
    assert (line["level"], line["logger"], line["message"], line["nested"]) == ("info", "podgate", "text", {"a": [1]})
    assert line["time"] != 0


def test_what_libraries_give_as_extra_is_left_out(written: Written):
    logs.set_up("info", "json")
    logging.getLogger("kopf.activities").warning("text", extra={"settings": SECRET, "k8s_ref": {}})
    [line] = lines(written)
    assert set(line) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_text_of_a_foreign_exception_is_not_logged(written: Written, form: str):
    logs.set_up("info", form)
    try:
        try:
            int(SECRET)
        except ValueError as error:
            raise LookupError(f"no {SECRET}") from error
    except LookupError:
        logging.getLogger("podgate").exception("a fault")
    text = written.getvalue()
    assert SECRET not in text
    for word in ("a fault", "builtins.LookupError", "caused by", "builtins.ValueError", "test_logs.py"):
        assert word in text


def test_the_text_of_podgates_own_exceptions_is_logged(written: Written):
    logs.set_up("info", "json")
    for error in (
        BadCredentials("not JSON", "secret team/pull"),
        RegistryError("tls", "unknown authority\nof reg.example"),
    ):
        logging.getLogger("podgate").error("a fault", exc_info=error)
    first, second = (line["exception"] for line in lines(written))
    assert first == "webhook.core.errors.BadCredentials: secret team/pull: not JSON"
    assert second.startswith("webhook.core.errors.RegistryError: tls: unknown authority")


def test_a_chain_of_exceptions_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert logs.told(first).count("ValueError") == 8


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", "debug info warning error"),
        ("info", "info warning error"),
        ("warning", "warning error"),
        ("error", "error"),
    ],
)
def test_the_level_is_for_podgates_own_lines(written: Written, level: str, heard: str):
    logs.set_up(level, "json")
    for name in ("podgate.admission", "webhook.cluster.reflector"):
        for each in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger(name), each)(each)
    assert " ".join(line["message"] for line in lines(written)) == f"{heard} {heard}"


@pytest.mark.parametrize("name", [*logs.LIBRARIES, "another"])
def test_libraries_are_heard_from_warnings_on(written: Written, name: str):
    logs.set_up("debug", "json")
    for each in ("debug", "info", "warning"):
        getattr(logging.getLogger(f"{name}.part"), each)(each)
    assert [line["message"] for line in lines(written)] == ["warning"]


def test_text_is_for_terminals(written: Written):
    logs.set_up("info", "text")
    logging.getLogger("podgate").info("hello")
    assert written.getvalue().endswith(" INFO podgate: hello\n")
