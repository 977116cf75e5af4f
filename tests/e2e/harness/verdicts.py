"""What a person at the terminal sees of podgate: kubectl's output, taken apart."""

from typing import NamedTuple

from tests.e2e.harness.cluster import Cluster, Result

WEBHOOK = "validate.podgate.dev"
DENIED = f'admission webhook "{WEBHOOK}" denied the request: '
WARNED = "Warning: podgate: "
WARNING_LIMIT = 256
"""Characters of a warning, as the design has it."""


class Verdict(NamedTuple):
    """`decision` is allow, warn or deny; `text` the denial, or the warnings, in words with single blanks between."""

    decision: str
    text: str = ""


def verdict(result: Result, warnings: int = 1) -> Verdict:
    """Podgate's word on the one object that a kubectl has written.

    Fails on anything that is neither success nor podgate's denial, and where a warning is not one line of a bearable
    length: what kubectl shows of a success on standard error is so many of these, or nothing.
    """
    if result.code:
        head, denied, text = result.stderr.partition(DENIED)
        assert denied, f"kubectl failed, and not by a denial: {result.stderr}"
        # `kubectl set image` has words of its own.
        assert head.startswith(("Error from server (Forbidden): ", "error: failed to patch ")), result.stderr
        assert DENIED not in text, result.stderr
        return Verdict("deny", " ".join(text.split()))
    if not result.stderr:
        return Verdict("allow")
    lines = result.stderr.splitlines()
    assert len(lines) == warnings, result.stderr
    for line in lines:
        assert line.startswith(WARNED), result.stderr
        assert len(line.removeprefix("Warning: ")) <= WARNING_LIMIT
    return Verdict("warn", " ".join(result.stderr.split()))


def annotations(cluster: Cluster, namespace: str, name: str, resource: str = "pods") -> tuple[str, str]:
    """Decision and reason in the API server's audit log: those of the last write of an object with podgate's word."""
    for event in reversed(cluster.audit_events(resource=resource, namespace=namespace, name=name)):
        found = event.get("annotations", {})
        if f"{WEBHOOK}/decision" in found:
            return found[f"{WEBHOOK}/decision"], found[f"{WEBHOOK}/reason"]
    raise AssertionError(f"podgate was not asked about {resource} {namespace}/{name}")
