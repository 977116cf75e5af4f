"""JSON text to plain values: documents one after the other, held to what YAML is held to."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from webhook.cluster.marks import Extent
from webhook.cluster.yamltext import DEPTH_LIMIT, TOO_DEEP


@dataclass(slots=True)
class JSONDocuments:
    """The leading documents of a text that are JSON, each with where it stands.

    `problem` is what is wrong with the next one, empty where nothing is; `line` is where. `other`: what comes next is
    no JSON at all, and so the whole may be another language.
    """

    documents: list[tuple[object, Extent]] = field(default_factory=list)
    problem: str = ""
    line: int | None = None
    other: bool = False


def read_json(text: str) -> JSONDocuments:
    """The documents of a text that begins like JSON."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    found = JSONDocuments()
    position = 0
    while (position := _skip_space(text, position)) < len(text):
        start = position
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            found.problem = f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
            found.line, found.other = error.lineno, True
            return found
        except RecursionError:
            found.problem = TOO_DEEP
        except ValueError as error:  # NaN, or an integer of thousands of digits
            found.problem = f"not JSON: {error}"
        else:
            found.problem = _problem(value)
        if found.problem:
            found.line = text.count("\n", 0, start) + 1
            return found
        found.documents.append((value, (start, position)))
    return found


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _problem(value: object) -> str:
    """Hold JSON to what YAML is held to: bounded depth, finite numbers. Without recursion, level by level."""
    level = [value]
    for _ in range(DEPTH_LIMIT + 1):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            return "a number is out of range"
        level = [child for each in level for child in _children(each)]
        if not level:
            return ""
    return TOO_DEEP


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
