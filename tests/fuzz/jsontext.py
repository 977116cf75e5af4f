"""JSON as its writers may write it: keys that stand twice, numbers of any length, halves of surrogate pairs.

A tree of it can be damaged anywhere and is written out again as it stands, valid or not.
"""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Raw:
    """A token that is written as it stands: a number, or what is no JSON at all."""

    text: str


@dataclass(slots=True)
class Members:
    """An object: its members in order, as lists of key and value, a key perhaps several times."""

    pairs: list[list[Any]]


Tree = Any
"""Members, a list, a string, Raw, True, False or None."""


def read(text: bytes) -> Tree | None:
    """The tree of a text that holds an object or an array; None where it does not."""
    if text[:1] not in b"{[" or not text:
        return None
    try:
        return json.loads(text, object_pairs_hook=_members, parse_int=Raw, parse_float=Raw, parse_constant=Raw)
    except (ValueError, RecursionError):
        return None


def write(tree: Tree, *, ascii_only: bool = False) -> bytes:
    """The text of a tree. Halves of surrogate pairs, which UTF-8 cannot have, may be in it unless it is ASCII only."""
    out: list[str] = []
    waiting: list[Tree | Raw] = [tree]  # no recursion: trees may be deep
    while waiting:
        node = waiting.pop()
        if isinstance(node, Raw):
            out.append(node.text)
        elif isinstance(node, Members):
            waiting.append(Raw("}"))
            for number, (key, value) in reversed(list(enumerate(node.pairs))):
                waiting += (value, Raw(("," if number else "") + _string(key, ascii_only) + ":"))
            waiting.append(Raw("{"))
        elif isinstance(node, list):
            waiting.append(Raw("]"))
            for number, item in reversed(list(enumerate(node))):
                waiting += (item, Raw("," if number else ""))
            waiting.append(Raw("["))
        else:
            out.append(_string(node, ascii_only) if isinstance(node, str) else json.dumps(node))
    return "".join(out).encode("utf-8", "surrogatepass")


def slots(tree: Tree) -> list[tuple[Any, int]]:
    """Every place below a tree as its container and number: a member of `pairs`, or an element."""
    found: list[tuple[Any, int]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        items = node.pairs if isinstance(node, Members) else node if isinstance(node, list) else ()
        found += [(node, number) for number in range(len(items))]
        waiting += [item[1] for item in items] if isinstance(node, Members) else items
    return found


def _members(pairs: list[tuple[str, Any]]) -> Members:
    return Members([list(pair) for pair in pairs])


def _string(text: str, ascii_only: bool) -> str:
    """ASCII for the most part; every fifth length is written in UTF-8, so that both ways are met."""
    return json.dumps(text, ensure_ascii=ascii_only or len(text) % 5 != 0)
