"""The table of values in the chart's README, made from values.yaml: each key, its default, its description.

A description begins with `# --` above its key, as helm-docs has it, and goes on over the lines below. A mapping with a
description is one value; the keys of one without are values of their own, and each must have one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

BEGIN: Final = "<!-- values: begin -->\n"
END: Final = "<!-- values: end -->\n"

_KEY: Final = re.compile(r"( *)([A-Za-z0-9_.-]+|\"[^\"]+\"):(?: |$)")


class Undescribed(ValueError):
    """A value has no description."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value: its path, its default, what it is for."""

    path: tuple[str, ...]
    default: Any
    description: str

    @property
    def key(self) -> str:
        """As `helm --set` takes it."""
        return ".".join(self.path)


def with_values(readme: str, values: str) -> str:
    """README.md with its table made anew from values.yaml."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| value | default | |", "| --- | --- | --- |"]
    rows += [f"| `{value.key}` | `{_shown(value.default)}` | {_escaped(value.description)} |" for value in read(values)]
    return before + BEGIN + "\n".join(rows) + "\n" + END + after


def read(text: str) -> list[Value]:
    """All values of a values.yaml, in its order. Raises Undescribed."""
    descriptions = dict(_descriptions(text.splitlines()))
    return list(_values(yaml.safe_load(text), (), descriptions))


def _values(node: dict[str, Any], above: tuple[str, ...], descriptions: dict[tuple[str, ...], str]) -> Iterator[Value]:
    for key, default in node.items():
        path = (*above, key)
        if path in descriptions:
            yield Value(path, default, descriptions[path])
        elif isinstance(default, dict) and default:
            yield from _values(default, path, descriptions)
        else:
            raise Undescribed(f"{'.'.join(path)} has no description: put one above it, after `# --`")


def _descriptions(lines: list[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Paths with the comments above their keys, in a file of block mappings that are indented by two blanks."""
    path: list[str] = []
    comment: list[str] = []
    for line in lines:
        bare = line.strip()
        if bare.startswith("# -- "):
            comment = [bare.removeprefix("# -- ")]
        elif bare.startswith("#"):
            if comment:
                comment.append(bare.removeprefix("#").strip())
        elif match := _KEY.match(line):
            path[len(match[1]) // 2 :] = [match[2].strip('"')]
            if comment:
                yield tuple(path), " ".join(comment)
            comment = []
        else:
            comment = []


def _shown(default: object) -> str:
    return json.dumps(default, ensure_ascii=False, separators=(", ", ": ")).replace("|", "\\|")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
