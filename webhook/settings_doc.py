"""docs/settings.md, made from the settings themselves: `python -m webhook.settings_doc > docs/settings.md`."""

import sys
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from webhook.settings import Settings
from webhook.settings_text import single_values, variable
from webhook.settings_values import Between

HEAD: Final = """\
# Settings

<!-- Made by `python -m webhook.settings_doc > docs/settings.md`; a test compares. -->

One YAML file: `--config FILE`, else the one that `PODGATE_CONFIG` names, else the defaults below. `serve` and `check`
read the same file. Keys are camelCase. What is unknown, of a wrong type or out of range is refused at start, with the
key's path:

```
podgate: settings.yaml: registries.requestTimeout: must be from 1ms to 5m
```

`serve` reads the file again when it changes, as a ConfigMap's volume does within a minute or two, and goes by it from
the next review on. `kinds`, `server`, `certificate` and `traces` count from the next start on; the log names those of
them that have changed. A file that is no good changes nothing: the settings before go on to count, and the log,
`podgate_settings_last_reload_successful` and an Event `SettingsRefused` on podgate's own pod say so.

Durations are written as in Go (`250ms`, `5s`, `1m30s`), sizes as Kubernetes quantities (`32Mi`, `1G`). The rules of
YAML 1.2 hold: `off` is a word, a key must not stand twice, and the file has 1 MiB at most.

A key that holds a single value can be set by a variable as well, which wins over the file; an empty one counts as
unset. Variables of this prefix that name no key are ignored: Kubernetes makes some from the names of Services. Beside
them there are `PODGATE_CONFIG`, above, and `PODGATE_DEBUG`: set to anything, Python's trace of an error that ends the
run is shown, as by `--debug`.
"""

_TYPES: Final[Mapping[object, str]] = {bool: "true or false", int: "number", float: "duration", str: "text"}


def document() -> str:
    """The whole page."""
    parts = [HEAD, "## Keys at the top\n\n" + "\n".join(_table(Settings, ""))]
    parts += [f"## {path}\n\n{text}" for path, text in _sections(Settings, "")]
    variables = [f"| `{variable(keys)}` | `{'.'.join(keys)}` |" for keys, _ in single_values(Settings)]
    parts.append("\n".join(["## Variables\n", "| variable | key |", "| --- | --- |", *variables]))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _sections(model: type[BaseModel], above: str) -> Iterator[tuple[str, str]]:
    """Every tree below a model, with its path and its text; what a list holds has the path of its items."""
    for path, field in _fields(model, above):
        inner, suffix = _inner(field.annotation)
        if inner is not None:
            heading = f"{path}{suffix}"
            lines = " ".join((inner.__doc__ or "").split())
            yield heading, "\n".join([lines, "", *_table(inner, heading)])
            yield from _sections(inner, heading)


def _table(model: type[BaseModel], above: str) -> Iterator[str]:
    yield "| key | value | default | |"
    yield "| --- | --- | --- | --- |"
    for path, field in _fields(model, above):
        yield f"| `{path}` | {_value(field)} | {_default(field)} | {field.description} |"


def _fields(model: type[BaseModel], above: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield (f"{above}.{key}" if above else key), field


def _inner(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """The tree that a key holds, itself or in a list, or that it may hold."""
    below = "[]" if get_origin(annotation) is tuple else ""
    for each, suffix in ((annotation, ""), *((item, below) for item in get_args(annotation))):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each, suffix
    return None, ""


def _value(field: FieldInfo) -> str:
    bounds = _bounds(field)
    if bounds is not None:
        return f"{bounds.measure}, {bounds.least} to {bounds.most}"
    return _words(field.annotation)


def _words(annotation: Any) -> str:  # noqa: ANN401  # a type, or one of typing's own forms
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin is UnionType:
        return ", or ".join("null" if each is type(None) else _words(each) for each in get_args(annotation))
    if origin is tuple:
        return "list"
    if origin in (dict, Mapping) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "mapping"
    return _TYPES.get(_bare(annotation), "text")


def _bare(annotation: Any) -> object:  # noqa: ANN401  # as above
    """A type without what Annotated adds to it."""
    return getattr(annotation, "__origin__", annotation)


def _bounds(field: FieldInfo) -> Between | None:
    for each in field.metadata:
        if isinstance(each, AfterValidator) and isinstance(each.func, Between):
            return each.func
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(demanded)"
    default: Any = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return "see below"
    bounds = _bounds(field)
    measure = "number" if bounds is None else bounds.measure
    if measure == "share":
        return f"`{default:g}`"
    if measure != "number":
        return f"`{_duration(default) if measure == 'duration' else f'{default >> 20}Mi'}`"
    if isinstance(default, tuple):
        return f"`[{', '.join(default)}]`"
    if isinstance(default, Mapping):
        return "`{}`"
    if isinstance(default, bool) or default is None:
        return f"`{'null' if default is None else str(default).lower()}`"
    return f"`{default}`" if default != "" else '`""`'


def _duration(value: float) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if value >= 2 * length and value % length == 0:
            return f"{value / length:g}{unit}"
    return f"{value:g}s"


if __name__ == "__main__":
    sys.stdout.write(document())
