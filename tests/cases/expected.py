"""What a case expects against what came: differences as (field, wanted, got)."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from tests.cases.answers import STRAY
from tests.cases.content import CaseError, Json, check_keys
from tests.cases.requests import differing_requests, some
from tests.cases.server import Record
from tests.support.command import Ran
from webhook.core.errors import ErrorCode
from webhook.core.outcome import Verdict, Why

Difference = tuple[str, Any, Any]

DECISIONS: Final = {
    "match": "allow",
    "partial": "warn",
    "mismatch": "deny",
    "undetermined": "warn",
    "no-candidates": "warn",
    "skipped": "allow",
}
"""The design's table of reasons and default decisions: an expected reason stands for its decision."""
SETTINGS: Final = {"partial": "partial", "mismatch": "mismatch", "undetermined": "undetermined"}
SETTING_OF: Final = {**SETTINGS, "no-candidates": "noCandidates"}
WHYS: Final = set(get_args(Why))
OUTCOMES: Final = set(get_args(Verdict))
CODES: Final = set(get_args(ErrorCode))
EXPECT_KEYS: Final = {"objects", "requests", "exit", "within", "stderr", "stray"}
OBJECT_KEYS: Final = {"decision", "reason", "images", "nodes", "candidates", "notCandidates", "message", "present"}
IMAGE_KEYS: Final = {"platforms", "resolved", "kind", "error"}


@dataclass(frozen=True)
class Happened:
    """A run: what podgate said, for how many seconds it ran, which requests arrived."""

    ran: Ran
    seconds: float
    log: Sequence[Record]


def differences(case: Json, expect: Json, happened: Happened, secret_words: set[str]) -> Iterator[Difference]:
    """All differences of one run. `secret_words` must not have been printed."""
    check_keys("expect", expect, EXPECT_KEYS)
    ran = happened.ran
    for word in sorted(secret_words):
        if word in ran.out or word in ran.err:
            yield "output", "no secret", f"a secret of the case ({word[:3]}...)"
    if ran.code not in some(expect.get("exit", [0, 1])):
        yield "exit", expect.get("exit", [0, 1]), f"{ran.code}: {ran.err[-300:].strip()}"
    if happened.seconds > expect.get("within", happened.seconds):
        yield "time", f"at most {expect['within']} s", f"{happened.seconds:.1f} s"
    for pattern in some(expect.get("stderr", [])):
        if not re.search(pattern, ran.err, re.IGNORECASE):
            yield "stderr", pattern, ran.err[-300:]
    if expect.get("objects"):
        yield from _document(case, expect["objects"], ran)
    for number, rule in enumerate(expect.get("requests", []), 1):
        for field, got in differing_requests(rule, happened.log):
            yield f"requests[{number}]", field, got
    stray = [record for record in happened.log if record.host == STRAY]
    if stray and not expect.get("stray"):
        first = f"{stray[0].method} {stray[0].path} ({len(stray)})"
        yield "requests", "none to a host that the case does not name", first


def _document(case: Json, expected: Json, ran: Ran) -> Iterator[Difference]:
    try:
        document = ran.document
    except ValueError as error:
        yield "stdout", "the JSON of `check -o json`", f"{error}: {ran.out[:120]!r} {ran.err[-300:]!r}"
        return
    objects = {one["name"]: one for one in document["objects"]}
    denied = [one["decision"] for one in document["objects"]].count("deny")
    if ran.code in (0, 1) and ran.code != int(denied > 0):
        yield "exit", int(denied > 0), ran.code
    if document["summary"]["deny"] != denied:
        yield "summary.deny", denied, document["summary"]["deny"]
    said = case.get("settings", {}).get("decisions", {})
    decisions = {reason: said.get(SETTING_OF.get(reason), default) for reason, default in DECISIONS.items()}
    for name, value in expected.items():
        wanted = {"reason": value} if isinstance(value, str) else value
        check_keys(f"expect {name}", wanted, OBJECT_KEYS)
        if (name in objects) != wanted.get("present", True):
            yield name, "among the objects" if wanted.get("present", True) else "not there", sorted(objects)
        elif name in objects:
            for field, want, got in _object(wanted, objects[name], decisions):
                yield f"{name}.{field}", want, got


def _object(wanted: Json, got: Json, decisions: Json) -> Iterator[Difference]:
    reasons = some(wanted.get("reason", []))
    for reason in reasons:
        if reason not in DECISIONS:
            raise CaseError(f"unknown reason {reason!r}")
    by_default = sorted({decisions[reason] for reason in reasons})
    wanted_decisions = some(wanted.get("decision", by_default))
    if reasons and got["reason"] not in reasons:
        yield "reason", reasons, got["reason"]
    if wanted_decisions and got["decision"] not in wanted_decisions:
        yield "decision", wanted_decisions, got["decision"]
    messages = got["messages"]
    if got["decision"] in ("warn", "deny") and not "".join(messages).strip():
        yield "messages", f"a reason for {got['decision']}", messages
    for pattern in some(wanted.get("message", [])):
        if not re.search(pattern, "\n".join(messages), re.IGNORECASE):
            yield "messages", f"/{pattern}/", messages
    images = {image["container"]: image for image in got["images"]}
    for container, fields in wanted.get("images", {}).items():
        if container not in images:
            yield f"images.{container}", "listed", sorted(images)
        else:
            yield from _image(container, fields, images[container])
    yield from _nodes(wanted, {node["name"]: node for node in got["nodes"]})


def _image(container: str, wanted: Json, got: Json) -> Iterator[Difference]:
    check_keys(f"images.{container}", wanted, IMAGE_KEYS)
    for field in ("resolved", "kind"):
        if field in wanted and got[field] not in some(wanted[field]):
            yield f"images.{container}.{field}", wanted[field], got[field]
    if "platforms" in wanted and _platforms(got["platforms"]) != _platforms(wanted["platforms"]):
        yield f"images.{container}.platforms", wanted["platforms"], got["platforms"]
    if "error" in wanted:
        code = (got["error"] or {}).get("code")
        codes = some(wanted["error"])
        if set(codes) - CODES - {None, "any"}:
            raise CaseError(f"unknown code among {codes}")
        if code not in codes and not (code and "any" in codes):
            yield f"images.{container}.error.code", wanted["error"], got["error"]


def _platforms(values: Sequence[str]) -> list[str]:
    """As a set; arm64 and arm64/v8 are one platform."""
    return sorted({re.sub(r"/arm64/v8$", "/arm64", value) for value in values})


def _nodes(wanted: Json, got: Json) -> Iterator[Difference]:
    whole = wanted.get("candidates", wanted.get("nodes"))
    if whole is not None and sorted(whole) != sorted(got, key=str):
        yield "nodes", sorted(whole), sorted(got, key=str)
        return
    for name in wanted.get("notCandidates", []):
        if name in got:
            yield "nodes", f"without {name}", sorted(got)
    for name, value in wanted.get("nodes", {}).items():
        node = got[name]
        if isinstance(value, dict):
            for container, text in value.items():
                have = [(one["outcome"], one["why"]) for one in node["images"] if one["container"] == container]
                if not any(_says(text, pair) for pair in have):
                    yield f"nodes.{name}.{container}", text, have
            continue
        telling = {(one["outcome"], one["why"]) for one in node["images"] if one["outcome"] == node["outcome"]}
        if not any(_says(value, pair) for pair in telling | {(node["outcome"], None)}):
            yield f"nodes.{name}", value, sorted(telling) or node["outcome"]


def _says(value: str | list[str], pair: tuple[str, str | None]) -> bool:
    """Whether an outcome and its why is one of the alternatives "outcome" or "outcome why"."""
    for text in some(value):
        outcome, _, why = text.partition(" ")
        if outcome not in OUTCOMES or (why and why not in WHYS):
            raise CaseError(f"unknown outcome {text!r}")
        if outcome == pair[0] and why in ("", pair[1]):
            return True
    return False


def shown(difference: Difference) -> str:
    """A difference on one line."""
    field, *values = difference
    wanted, got = (value if isinstance(value, str) else json.dumps(value, default=str) for value in values)
    return f"{field}: wanted {' '.join(wanted.split())[:400]}, got {' '.join(got.split())[:400]}"
