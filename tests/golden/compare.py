"""What counts as agreement between an answer of podgate and the recorded answer of a Go original.

The rules of the golden files: only the fields of COMPARED count, and there may be others beside them. An absent field,
an empty one and, below the top level, false are the same, except inside `parameters` of a challenge, where everything
counts, and for `token`, where an object of empty fields is not an absent one. Of an error its class counts, in some
files only that it is one. A recorded panic is compared to nothing, but podgate must not fail on it.
"""

from collections.abc import Callable, Mapping
from typing import Any

ABSENT = object()  # unlike None, which a file may hold and which is the same as an empty field


def substance(value: Any) -> Any:
    """A value without fields that are absent, empty or false; None where nothing is left."""
    if isinstance(value, Mapping):
        kept = {
            key: dict(item) if key == "parameters" and isinstance(item, Mapping) and item else substance(item)
            for key, item in value.items()
        }
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [_element(item) for item in value] or None
    return None if value in ("", False) else value


def _element(item: Any) -> Any:
    """An element of a list counts by its place even where it is empty."""
    left = substance(item)
    return type(item)() if left is None and item is not None else left


def top(value: Any) -> Any:
    """A top-level field as it stands: a boolean must be there and equal, anything else goes by its substance."""
    return value if isinstance(value, bool) else substance(value)


def present(value: Any) -> bool:
    """Of an error only that it is one."""
    return value is not ABSENT and substance(value) is not None


def by_class(value: Any) -> Any:
    """Either an answer, or an error of which the class counts and not the text."""
    if isinstance(value, Mapping) and value.get("error"):
        return {"error": value["error"]}
    return top(value)


def token(value: Any) -> Any:
    """The token request of a challenge: none, one (perhaps of empty fields), or an error whatever its text."""
    if not isinstance(value, Mapping):
        return None
    return {"error": True} if value.get("error") else substance(value) or {}


COMPARED: dict[str, dict[str, Callable[[Any], Any]]] = {
    "reference": {"docker_ref": by_class, "normalized": by_class},
    "platforms": dict.fromkeys(
        ("only", "exact", "ordered", "crio", "only_os", "node_normalized", "image_normalized"), top
    ),
    "proxy": {"proxies": top},
    "select": dict.fromkeys(("containerd_only", "containerd_transfer", "crio"), by_class),
    "scheduler": {
        "node_name": top,
        "affinity": top,
        "affinity_error": present,
        "untolerated": top,
        "untolerated_comparing": top,
    },
    "keyring": {"repository": top, "candidates": top, "error": top},
    "challenge": {"containerd": top, "token": token},
    "hosts": {"hosts": top, "error": present},
    "moby": {"found": top, "config": top, "error": top},
}
"""For each golden file the fields that count, and how a field is brought to the form that is compared."""


def panicked(out: Mapping[str, Any]) -> bool:
    """Whether the original panicked, in the whole or in one of its columns."""
    columns = (column for column in out.values() if isinstance(column, Mapping))
    return "panic" in out or out.get("error") == "panic" or any(column.get("error") == "panic" for column in columns)


def disagreements(name: str, recorded: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields in which an answer disagrees: {field: (recorded, answered)}, both in the form that is compared."""
    if "failed" in answer:
        return {"failed": (None, answer["failed"])}
    if panicked(recorded):
        return {}
    found = {}
    for field, form in COMPARED[name].items():
        expected, given = form(recorded.get(field, ABSENT)), form(answer.get(field, ABSENT))
        expected, given = (None if side is ABSENT else side for side in (expected, given))
        if expected != given or isinstance(expected, bool) != isinstance(given, bool):
            found[field] = (expected, given)
    return found
