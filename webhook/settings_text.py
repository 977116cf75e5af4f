"""Settings as text: a YAML file, and variables of the environment, as one untyped tree."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin

import yaml
from pydantic import BaseModel

from webhook.core.errors import MalformedSettings

PREFIX: Final = "PODGATE_"
"""What the names of all variables begin with. In a cluster there are others with it, made from the names of Services
(PODGATE_SERVICE_HOST), so that one without a setting is no error."""

LARGEST_FILE: Final = 1 << 20
"""Bytes of a settings file: more is not a settings file, and a ConfigMap holds no more."""

_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Plain values alone, by the rules of YAML 1.2 (`off` and `12:30` are text), and no key twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own attribute, filled in below

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002  # PyYAML's own
        """The value of a node. Raises ConstructorError where a tag that somebody has written is none of a plain value,
        or is on what is none of its kind, which PyYAML's own constructors do not expect."""
        kind = node.tag.removeprefix(_TAG)
        form = _FORMS.get(kind)
        if form is None:
            raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag!r} is not known", node.start_mark)
        if not isinstance(node, form) or (kind in _PLAIN and not _PLAIN[kind].match(node.value)):
            raise yaml.constructor.ConstructorError(None, None, f"is tagged {kind}, and is none", node.start_mark)
        return super().construct_object(node, deep=deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """The mapping of a node. Raises ConstructorError where a key stands twice, or is no text."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
                raise yaml.constructor.ConstructorError(None, None, "a key is not text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_FORMS: Final[dict[str, type[yaml.Node]]] = {
    "map": yaml.MappingNode,
    "seq": yaml.SequenceNode,
    **dict.fromkeys(("str", "binary", "bool", "null", "int", "float", "merge"), yaml.ScalarNode),
}
_PLAIN: Final[dict[str, re.Pattern[str]]] = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
    ("merge", r"<<", "<"),
):
    _PLAIN[_tag] = re.compile(rf"^(?:{_pattern})$")
    _Loader.add_implicit_resolver(f"{_TAG}{_tag}", _PLAIN[_tag], list(_first))


def read_settings_file(path: str) -> dict[str, Any]:
    """The tree that a file holds, empty for an empty file. Raises MalformedSettings naming file and line."""
    return parse_settings_text(read_settings_text(path), path)


def read_settings_text(path: str) -> bytes:
    """What a file holds. Raises MalformedSettings where it cannot be read, or is too large."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise MalformedSettings(f"cannot be read: {getattr(error, 'strerror', None) or error}", path) from error
    if len(text) > LARGEST_FILE:
        raise MalformedSettings("is more than 1 MiB, and so no settings file", path)
    return text


def parse_settings_text(text: bytes, path: str) -> dict[str, Any]:
    """The tree of a text, which is that of the file at `path`. Raises MalformedSettings naming file and line."""
    try:
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader with fewer types
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise MalformedSettings(f"not YAML: {place}{error.problem or error.context}", path) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise MalformedSettings(f"not YAML: {str(error).splitlines()[0]}", path) from None
    except RecursionError:
        raise MalformedSettings("not YAML: nested too deeply", path) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise MalformedSettings("must be a mapping of keys", path)
    return tree


def variable(keys: Sequence[str]) -> str:
    """The variable that sets a key: cache.tagTTL is PODGATE_CACHE_TAG_TTL."""
    return PREFIX + "_".join(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).upper() for key in keys)


def from_environment(
    model: type[BaseModel], environment: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], object]]:
    """The keys that variables set, with their values; one that is empty sets nothing."""
    for keys, annotation in single_values(model):
        text = environment.get(variable(keys), "")
        if text:
            yield keys, _typed(text, annotation)


def single_values(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The keys of the tree that hold one value, neither a list nor a mapping, with the type of each."""
    for name, field in model.model_fields.items():
        keys = (*above, field.alias or name)
        annotation: Any = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from single_values(annotation, keys)
        elif not any(_is_collection(each) for each in (annotation, *_members(annotation))):
            yield keys, annotation


def _members(annotation: object) -> tuple[object, ...]:
    """The types that a union is made of."""
    return get_args(annotation) if isinstance(annotation, UnionType) else ()


def _is_collection(annotation: object) -> bool:
    is_tree = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return is_tree or get_origin(annotation) in (tuple, dict, Mapping)


def _typed(text: str, annotation: object) -> object:
    """A variable's text as YAML would give it, as far as the type of the key needs that."""
    if annotation is int and re.fullmatch(r"\d{1,20}", text, re.ASCII):
        return int(text)
    if annotation is bool and text in ("true", "false"):
        return text == "true"
    return text


def lay(tree: dict[str, Any], keys: Sequence[str], value: object) -> None:
    """Lays one value over a tree."""
    for key in keys[:-1]:
        below = tree.setdefault(key, {})
        if below is None:
            below = tree[key] = {}
        if not isinstance(below, dict):
            return  # the file is wrong there, and is refused with that key's path
        tree = below
    tree[keys[-1]] = value
