"""`check -o sarif`: held to the standard's own schema, and to what of the standard no schema says."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker

from tests.support.judged import at, checked
from webhook.core.place import Place, Span
from webhook.report.run import CheckRun, Problem
from webhook.report.sarif import write_sarif

SCHEMA = Draft7Validator(
    json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text()), format_checker=FormatChecker()
)


def logged(run: CheckRun) -> dict[str, Any]:
    """The one run of the log, which is valid and refers to nothing that is not in it."""
    stream = StringIO()
    write_sarif(run, stream)
    assert stream.getvalue().isascii()
    log = json.loads(stream.getvalue())
    SCHEMA.validate(log)
    (found,) = log["runs"]
    driver = found["tool"]["driver"]
    for result in found["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    for notification in found["invocations"][0]["toolExecutionNotifications"]:
        descriptor = notification["descriptor"]
        assert driver["notifications"][descriptor["index"]]["id"] == descriptor["id"]
    return dict(found)


def test_a_result_points_at_the_image():
    one = checked("deny", "mismatch", ("runs", "fails", "fails"), ("no",), at("k8s/a b.yaml", 8, 10, 12))
    run = logged(CheckRun([one], root=str(Path.cwd())))
    (result,) = run["results"]
    assert len(result.pop("partialFingerprints")["podgate/v1"]) == 64
    artifact = {"uri": "k8s/a%20b.yaml", "uriBaseId": "%SRCROOT%"}
    regions = [{"startLine": line, "startColumn": 12, "endLine": line, "endColumn": 34} for line in (10, 12)]
    assert result == {
        "ruleId": "mismatch",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "no"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": artifact, "region": regions[0]},
                "logicalLocations": [{"name": "Pod shop/web", "fullyQualifiedName": "shop/Pod/web", "kind": "object"}],
            }
        ],
        "relatedLocations": [
            {
                "id": 1,
                "physicalLocation": {"artifactLocation": artifact, "region": regions[1]},
                "message": {"text": "This image as well."},
            }
        ],
    }
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 1, "toolExecutionNotifications": []}]


def test_levels_rules_and_what_is_no_result():
    every = [
        checked("deny", "mismatch"),
        checked("warn", "partial"),
        checked("warn", "undetermined", ("uncertain",)),
        checked("warn", "no-candidates"),
        checked("allow", "partial"),  # in mode audit
        checked("allow", "match", ("runs",), ()),
        checked("allow", "skipped", (), ()),
    ]
    run = logged(CheckRun(every))
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
        ("mismatch", "error"),
        ("partial", "warning"),
        ("undetermined", "warning"),
        ("no-candidates", "warning"),
        ("partial", "note"),
    ]
    assert logged(CheckRun([]))["results"] == []


def test_problems_and_notes_are_notifications():
    problems = [Problem("a.yaml#1: not YAML", "a.yaml", 3), Problem("no objects to check")]
    (invocation,) = logged(CheckRun([], ["2 objects passed over"], problems, root=str(Path.cwd())))["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)
    unreadable, nothing, remark = invocation["toolExecutionNotifications"]
    assert unreadable["level"] == nothing["level"] == "error"
    assert remark["level"] == "note"
    (location,) = unreadable["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 3}
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "a.yaml", "uriBaseId": "%SRCROOT%"}
    assert "locations" not in nothing


@pytest.mark.parametrize(
    ("name", "uri", "base"),
    [
        ("a.yaml", "a.yaml", True),
        ("sub/../ü%41:#?.yaml", "%C3%BC%2541%3A%23%3F.yaml", True),
        ("\udcfc.yaml", "%FC.yaml", True),
        ("/elsewhere/a b.yaml", "file:///elsewhere/a%20b.yaml", False),
        ("stdin", "stdin", False),
    ],
)
def test_addresses_of_files(name: str, uri: str, base: bool):
    run = logged(CheckRun([checked("deny", "mismatch", place=at(name, 3))], root=str(Path.cwd())))
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert (artifact["uri"], artifact.get("uriBaseId")) == (uri, "%SRCROOT%" if base else None)
    assert run["originalUriBaseIds"].keys() == {"%SRCROOT%"}


def test_fingerprints_outlive_edits_that_mend_nothing():
    def fingerprint(*arguments: Any, **options: Any) -> str:
        (result,) = logged(CheckRun([checked(*arguments, **options)]))["results"]
        return str(result["partialFingerprints"]["podgate/v1"])

    first = fingerprint("deny", "mismatch", ("fails", "runs"), ("no",), at("a.yaml", 3, 4))
    assert fingerprint("deny", "mismatch", ("fails", "runs"), ("no, really",), at("a.yaml", 30, 40)) == first
    assert fingerprint("warn", "partial", ("fails", "runs")) != first
    assert fingerprint("deny", "mismatch", ("fails", "fails")) != first
    assert fingerprint("deny", "mismatch", ("fails", "runs"), namespace="other") != first
    assert fingerprint("deny", "mismatch", ("fails", "runs"), name="other") != first


def test_what_is_not_known_is_left_out():
    run = logged(CheckRun([checked("deny", "mismatch"), checked("deny", "mismatch", place=Place("a.yaml"))]))
    nowhere, in_a_file = (one["locations"][0] for one in run["results"])
    assert nowhere.keys() == {"logicalLocations"}
    assert "region" not in in_a_file["physicalLocation"]


@given(st.text(), st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_any_text_leaves_it_valid(text: str, file: str):
    one = checked("deny", "mismatch", messages=(f"x{text}",), place=Place(f"x{file}", Span(1, 1, 1, 2)), name=text)
    run = logged(CheckRun([one], [text], [Problem(f"x{text}", f"x{file}", 1)], root="/"))
    (result,) = run["results"]
    assert all(character.isprintable() or character == "\n" for character in result["message"]["text"])
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert unquote(uri, errors="surrogateescape").rpartition("/")[2] in f"x{file}"
