"""What an Event says, and about which object: a warning for those whom no answer reaches.

A controller is told of its pods' warnings and a scheduler of its bindings', and neither shows them to anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from webhook.core.decision import Reason
from webhook.core.message import Facts, subject, warnings
from webhook.core.text import clean
from webhook.core.workload import Workload

TEXT_BYTES: Final = 1024
"""Bytes of an Event's text (k8s.io/kubernetes v1.37.2, pkg/apis/core/validation/events.go: NoteLengthLimit)."""

REASONS: Final[Mapping[Reason, str]] = {
    "mismatch": "PlatformMismatch",
    "partial": "PlatformPartialMismatch",
    "undetermined": "PlatformUndetermined",
    "no-candidates": "NoCandidateNodes",
}
"""An Event's reason for each reason of a warning."""

_LONGEST: Final = 253
"""Characters of an object's name, apiVersion and uid: a DNS subdomain's; nothing that is stored has more."""
_KIND: Final = 63
"""Characters of a kind, which is a DNS label."""


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that an Event is about, as an ObjectReference names it. It is in the namespace of the Event."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be written as an Event: about what, one of REASONS, and a text of TEXT_BYTES at most, on one line."""

    regarding: Regarding
    reason: str
    text: str


def regarding(workload: Workload, *, binding: bool = False) -> Regarding | None:
    """The object that an Event about this one goes to: a pod's controlling owner, else the object itself.

    `binding`: the pod is there already and is being bound, so that it is told of itself. None where the object cannot
    be named: it has no uid yet, or its owner's reference, which is the requester's word, is nothing that is stored.
    """
    api_version, kind, name, uid = workload.api_version, workload.kind, workload.name, workload.uid
    if workload.owner is not None and not workload.template and not binding:
        (api_version, kind, name), uid = workload.owner, workload.owner_uid
    if not (uid and name and kind) or len(kind) > _KIND or max(map(len, (api_version, name, uid))) > _LONGEST:
        return None
    return Regarding(api_version, kind, workload.namespace, name, uid)


def event_text(facts: Facts) -> str:
    """The text of an Event: the warnings in one, without the name of the object.

    The Event names its object itself, and the pods of one owner, whose names differ, have to say the same.
    """
    nameless = replace(facts, workload=replace(facts.workload, name=""))
    beginning = f"podgate: {subject(nameless.workload)}"
    return joined([line.removeprefix(beginning).lstrip(": ") for line in warnings(nameless)])


def joined(lines: Sequence[str]) -> str:
    """Lines in one, as many as fit into an Event, without control characters; the last words count the rest."""
    text = ""
    for number, line in enumerate(lines):
        more = clean(line, TEXT_BYTES)
        longer = f"{text}; {more}" if text else more
        # Room for the count, unless there is nothing to count.
        room = TEXT_BYTES - (0 if number == len(lines) - 1 else len("; and 999 more"))
        if len(longer.encode()) > room:
            return f"{text}; and {len(lines) - number} more" if text else cut(more)
        text = longer
    return text


def cut(text: str) -> str:
    """A text cut to what an Event holds, between characters."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= TEXT_BYTES else f"{encoded[: TEXT_BYTES - 3].decode(errors='ignore')}..."
