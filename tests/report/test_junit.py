"""`check -o junit`: held to the schema of Jenkins' xunit plugin, and to what GitLab documents of its reader."""

from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judged import at, checked
from webhook.report.document import Checked
from webhook.report.junit import write_junit
from webhook.report.run import CheckRun, FailOn, Problem

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent / "schemas" / "junit-10.xsd")
ADDED = {"file", "line"}
"""Attributes of a case that GitLab reads, and others; the schema has none of them."""


def reported(run: CheckRun) -> ET.Element:
    """The document. It is valid, its counts are right, and no two of its cases are one to GitLab."""
    stream = StringIO()
    write_junit(run, stream)
    text = stream.getvalue()
    assert text.isascii()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    plain = ET.fromstring(text)
    for case in plain.iter("testcase"):
        for name in ADDED.intersection(case.keys()):
            del case.attrib[name]
    SCHEMA.validate(plain)
    whole = ET.fromstring(text)
    assert counted(whole, "testcase") == whole.get("tests")
    for suite in (whole, *whole):
        assert counted(suite, "failure") == suite.get("failures")
        assert counted(suite, "error") == suite.get("errors")
        assert suite is whole or counted(suite, "skipped") == suite.get("skipped")
    identities = [(case.get("classname"), case.get("name")) for case in whole.iter("testcase")]
    assert len(set(identities)) == len(identities)
    return whole


def counted(element: ET.Element, tag: str) -> str:
    return str(sum(1 for _ in element.iter(tag)))


def test_suites_are_files_and_cases_are_objects():
    every = [
        checked("deny", "mismatch", ("runs", "fails"), ("no\nreally",), at("a.yaml", 8, 10)),
        checked("allow", "match", ("runs",), (), at("b.yaml", 4, start=2)),
        checked("allow", "skipped", (), (), at("b.yaml", start=20), name="other"),
        checked("warn", "partial", ("fails",), ("one", "two"), at("a.yaml", 30)),
    ]
    first, second = reported(CheckRun(every))
    assert (first.get("name"), second.get("name")) == ("a.yaml", "b.yaml")
    denied, warned = first
    assert denied.attrib == {"name": "Pod shop/web", "classname": "a.yaml", "file": "a.yaml", "line": "10"}
    (failure,) = denied
    assert (failure.get("type"), failure.get("message"), failure.text) == ("mismatch", "no", "no\nreally")
    assert (warned.get("name"), warned.findtext("system-out")) == ("Pod shop/web (2)", "one\ntwo")
    allowed, skipped = second
    assert (allowed.get("line"), list(allowed)) == ("2", [])
    assert skipped.find("skipped") is not None


@pytest.mark.parametrize(("fail_on", "failures"), [("never", "0"), ("deny", "1"), ("warn", "2")])
def test_a_failure_is_what_the_run_fails_for(fail_on: FailOn, failures: str):
    every = [checked("deny", "mismatch"), checked("warn", "partial"), checked("allow", "match", ("runs",), ())]
    assert reported(CheckRun(every, fail_on=fail_on)).get("failures") == failures


def test_problems_are_errors():
    problems = [Problem("a.yaml#1: not YAML", "a.yaml", 3), Problem("a.yaml#2: no kind", "a.yaml"), Problem("nothing")]
    first, second = reported(CheckRun([checked("allow", "match", ("runs",), (), at("a.yaml", 1))], problems=problems))
    assert [case.get("name") for case in first][1:] == ["is read and understood", "is read and understood (2)"]
    assert (first[1].get("line"), first[1].findtext("error")) == ("3", "a.yaml#1: not YAML")
    assert (second.get("name"), second[0].get("file"), second[0].findtext("error")) == ("podgate", None, "nothing")


def test_nothing_is_something_too():
    assert reported(CheckRun([])).get("tests") == "0"


@given(st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_any_text_leaves_it_valid(texts: list[tuple[str, str]]):
    """XML 1.0 has no way to write most control characters, not even by reference."""
    every: list[Checked] = []
    for name, file in texts:
        every += [checked("deny", "mismatch", messages=(f"x{file}\x00\ufffe",), place=at(file, 1), name=name)]
        every += [checked("warn", "partial", messages=(f"{name}]]>",), place=at(file, 1), name=name)]
    problems = [Problem(file, name) for name, file in texts]
    whole = reported(CheckRun(every, problems=problems))
    assert whole.get("tests") == str(3 * len(texts))
    if texts:
        assert whole.findtext(".//failure", "").endswith("??")
