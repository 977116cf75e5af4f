"""Which requests a case expects, against those that arrived at its servers."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from tests.cases.answers import basic_pair
from tests.cases.content import Json, check_keys
from tests.cases.glob import glob_fits
from tests.cases.server import Record
from tests.support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

KEYS: Final = {
    *("host", "path", "method", "authorization", "count", "users", "query", "noQuery", "accept", "minGap", "maxBytes"),
    "hosts",
}
ALL_KINDS: Final = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST]
_CLOCKS_DIFFER: Final = 0.05
"""Seconds by which a pause may seem shorter where it is measured at its other end."""


def some(value: Any) -> list[Any]:
    """Alternatives, of which one may stand alone."""
    return value if isinstance(value, list) else [value]


def differing_requests(rule: Json, log: Sequence[Record]) -> Iterator[tuple[str, Any]]:
    """What a rule wants and did not get: in words, and what there was."""
    check_keys("requests", rule, KEYS)
    matching = [record for record in log if _fits(rule, record)]
    named = ("host", "path", "method", "authorization")
    text = " ".join(f"{key}={rule[key]}" for key in named if key in rule)
    if "hosts" in rule:
        order = _squeezed([record.host for record in matching])
        if order != rule["hosts"]:
            yield f"{text}: hosts in the order {rule['hosts']}", order
    elif "users" in rule:
        order = _squeezed([user for user in map(_user, matching) if user])
        if order != rule["users"]:
            yield f"{text}: credentials in the order {rule['users']}", order
    else:
        wanted = rule.get("count", ">=1")
        if not _counts(wanted, len(matching)):
            yield f"{text}: {wanted}", _told(matching or log)
        for what, got in _each(rule, matching):
            yield f"{text}: {what}", got


def _each(rule: Json, matching: Sequence[Record]) -> Iterator[tuple[str, Any]]:
    """What is wanted of every request that fits, of one of them at least (query), and of the pauses between them."""
    types = ALL_KINDS if rule.get("accept") == "all" else rule.get("accept", [])
    for record in matching:
        lines = record.headers.get("accept", [])
        accepted = {one.partition(";")[0].strip() for line in lines for one in line.split(",")}
        missing = [one for one in types if one not in accepted]
        if missing:
            yield f"Accept has {missing}", f"{record.method} {sorted(accepted)}"
        if record.sent > rule.get("maxBytes", record.sent):
            yield f"at most {rule['maxBytes']} bytes read", record.sent
    for key, wanted in rule.get("query", {}).items():
        seen = [sorted(record.query.get(key, []) + record.form.get(key, [])) for record in matching]
        if sorted(some(wanted)) not in seen:
            yield f"{key}={wanted}", seen
    for key in rule.get("noQuery", []):
        if any(key in record.query or key in record.form for record in matching):
            yield f"no {key}", [record.query for record in matching]
    gaps = [after.time - before.time for before, after in pairwise(matching)]
    if gaps and min(gaps) < rule.get("minGap", 0) - _CLOCKS_DIFFER:
        yield f"at least {rule['minGap']} s between requests", f"{min(gaps):.2f} s"


def _fits(rule: Json, record: Record) -> bool:
    return (
        glob_fits(record.host, rule.get("host", "*"))
        and glob_fits(record.path, rule.get("path", "*"))
        and record.method in some(rule.get("method", record.method))
        and _authorized(rule.get("authorization"), record)
    )


def _authorized(wanted: str | None, record: Record) -> bool:
    given = record.authorization
    if wanted is None:
        return True
    if wanted in ("any", "none"):
        return bool(given) == (wanted == "any")
    if wanted.startswith("Basic ") and ":" in wanted:
        return _user(record) == wanted.partition(" ")[2]
    if wanted.strip() == "Bearer":  # a Bearer header without a token
        return given.strip().lower() == "bearer"
    return glob_fits(given, wanted)


def _user(record: Record) -> str | None:
    """user:password of a request with Basic credentials, or of a token request by POST; else None."""
    kind, _, text = record.authorization.partition(" ")
    if kind.lower() == "basic":
        pair = basic_pair(text)
        return None if pair is None else ":".join(pair)
    if record.form.get("username"):
        return f"{record.form['username'][0]}:{record.form.get('password', [''])[0]}"
    return None


def _counts(wanted: str | int, number: int) -> bool:
    text = "0" if wanted == "never" else str(wanted)
    if text.startswith(">="):
        return number >= int(text[2:])
    if text.startswith("<="):
        return number <= int(text[2:])
    return number == int(text)


def _told(records: Sequence[Record]) -> Any:
    return [f"{one.method} {one.host}{one.path} -> {one.status}" for one in records][:6] or "no request at all"


def _squeezed(values: Sequence[str]) -> list[str]:
    """Without repetitions that follow one another."""
    return [value for number, value in enumerate(values) if number == 0 or values[number - 1] != value]
