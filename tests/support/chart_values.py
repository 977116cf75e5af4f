"""The block of settings in the chart's values.yaml, made from the settings model: keys, defaults, descriptions."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.support.chart_schema import OF_THE_CHART
from webhook.settings import Settings
from webhook.settings_doc import _bounds, _default, _fields, _inner

BEGIN: Final = "# settings: begin\n"
END: Final = "# settings: end\n"
OTHER_DEFAULTS: Final = {"mode": "warn"}
"""A first install must not stop what runs."""

_WIDTH: Final = 120


def with_settings(text: str) -> str:
    """values.yaml with its block of settings made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = ["# podgate's settings, whole: the ConfigMap that it reads. docs/settings.md describes them.", "settings:"]
    return before + BEGIN + "\n".join([*lines, *_lines(Settings, "", 1)]) + "\n" + END + after


def _lines(model: type[BaseModel], above: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for path, field in _fields(model, above):
        if path in OF_THE_CHART:
            continue
        key = path.rpartition(".")[2]
        inner, suffix = _inner(field.annotation)
        if inner is not None and not suffix and isinstance(field.get_default(call_default_factory=True), BaseModel):
            yield f"{indent}{key}:"
            yield from _lines(inner, path, depth + 1)
        else:
            yield from textwrap.wrap(
                " ".join(f"-- {field.description}".split()),
                _WIDTH,
                initial_indent=f"{indent}# ",
                subsequent_indent=f"{indent}# ",
                break_on_hyphens=False,
                break_long_words=False,
            )
            yield f"{indent}{key}: {_written(path, field)}"


def _written(path: str, field: FieldInfo) -> str:
    """The default as YAML: durations and sizes as people write them."""
    if path in OTHER_DEFAULTS:
        return OTHER_DEFAULTS[path]
    if (bounds := _bounds(field)) is not None and bounds.measure != "number":
        return _default(field).strip("`")
    default: Any = field.get_default(call_default_factory=True)
    plain = list(default) if isinstance(default, tuple) else dict(default) if isinstance(default, Mapping) else default
    return yaml.safe_dump(plain, default_flow_style=True, width=_WIDTH).removesuffix("...\n").strip()
