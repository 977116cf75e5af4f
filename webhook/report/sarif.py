"""The log of `podgate check -o sarif`: SARIF 2.1.0, as code hosts and editors read it.

Numbers in brackets are sections of the standard (OASIS, Static Analysis Results Interchange Format, version 2.1.0).
"""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote

from webhook.core.place import Span
from webhook.report.document import Checked
from webhook.report.lines import json_text, printable
from webhook.report.run import CheckRun, Problem
from webhook.report.sarif_rules import NOTIFICATIONS, RULES
from webhook.report.spots import STDIN, below, spots, title

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT: Final = "%SRCROOT%"
"""The name by which readers know the folder of the source tree [3.14.14]."""

_LEVELS: Final = {"deny": "error", "warn": "warning", "allow": "note"}
_RULE_NUMBERS: Final = {rule["id"]: number for number, rule in enumerate(RULES)}
_NOTIFICATION_NUMBERS: Final = {one["id"]: number for number, one in enumerate(NOTIFICATIONS)}


def write_sarif(run: CheckRun, stream: TextIO) -> None:
    """Prints one log with one run."""
    stream.write(json_text(sarif_log(run)))


def sarif_log(run: CheckRun) -> dict[str, Any]:
    """All that a run found as one log.

    Results are the objects that anything is said of: denials, warnings, and, as notes, what the mode audit keeps quiet
    about. Problems and notes are notifications of the invocation.
    """
    driver = {
        "name": "podgate",
        "version": version("podgate"),
        "informationUri": "https://podgate.dev",
        "rules": list(RULES),
        "notifications": list(NOTIFICATIONS),
    }
    notifications = [_notification("unreadable", problem, run.root) for problem in run.problems]
    notifications += [_notification("remark", Problem(note), run.root) for note in run.notes]
    invocation = {
        "executionSuccessful": not run.problems,
        "exitCode": run.exit_code,
        "toolExecutionNotifications": notifications,
    }
    whole = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder of the source tree."}}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(one, run.root)
            for one in run.checked
            if one.judgement.reason in _RULE_NUMBERS and one.judgement.messages
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [whole]}


def _result(one: Checked, root: str) -> dict[str, Any]:
    judgement = one.judgement
    found = spots(one)
    result: dict[str, Any] = {
        "ruleId": judgement.reason,
        "ruleIndex": _RULE_NUMBERS[judgement.reason],
        "level": _LEVELS[judgement.decision],
        "message": {"text": printable("\n".join(judgement.messages))},
        "locations": [{**_location(one.place.file, found[0] if found else None, root), **_logical(one)}],
        "partialFingerprints": {"podgate/v1": _fingerprint(one)},
    }
    if found[1:]:
        more = (_location(one.place.file, span, root) for span in found[1:])
        text = {"message": {"text": "This image as well."}}
        result["relatedLocations"] = [{"id": number, **each, **text} for number, each in enumerate(more, start=1)]
    return result


def _location(file: str, span: Span | None, root: str) -> dict[str, Any]:
    """A file and a stretch of it [3.28]; nothing for an object of no file."""
    if not file:
        return {}
    physical: dict[str, Any] = {"artifactLocation": _artifact(file, root)}
    if span is not None:
        physical["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        }
    return {"physicalLocation": physical}


def _artifact(file: str, root: str) -> dict[str, Any]:
    """The address of a file [3.4]: below the source tree where it is in it, else of its own. What is piped in has none,
    yet readers want one."""
    if file == STDIN:
        return {"uri": STDIN, "description": {"text": "Standard input."}}
    inside = below(file, root)
    if inside is not None:
        return {"uri": quote(os.fsencode(inside)), "uriBaseId": ROOT}
    return {"uri": "file://" + quote(os.fsencode(Path(file).absolute()))}


def _logical(one: Checked) -> dict[str, Any]:
    """The object, as Kubernetes knows it [3.33]."""
    workload = one.judgement.workload
    name = printable(f"{workload.namespace}/{workload.kind}/{workload.name}")
    return {"logicalLocations": [{"name": printable(title(one)), "fullyQualifiedName": name, "kind": "object"}]}


def _fingerprint(one: Checked) -> str:
    """What makes two results of different runs the same one [3.27.17]: the object, the rule, and the containers that it
    is about. Neither lines nor tags, which change without anything having been mended."""
    workload, judgement = one.judgement.workload, one.judgement
    failing = {
        image.container
        for index, image in enumerate(judgement.images)
        if any(finding.outcomes[index].verdict != "runs" for finding in judgement.findings)
    }
    group = workload.api_version.rpartition("/")[0]
    parts = [group, workload.kind, workload.namespace, workload.name, judgement.reason, *sorted(failing)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _notification(kind: str, problem: Problem, root: str) -> dict[str, Any]:
    notification: dict[str, Any] = {
        "descriptor": {"id": kind, "index": _NOTIFICATION_NUMBERS[kind]},
        "level": "error" if kind == "unreadable" else "note",
        "message": {"text": printable(problem.text)},
    }
    location = _location(problem.file, None, root)
    if location:
        if problem.line is not None:
            location["physicalLocation"]["region"] = {"startLine": problem.line}
        notification["locations"] = [location]
    return notification
