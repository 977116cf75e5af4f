"""What is wrong with settings, in the words of whoever writes them: pydantic speaks of Python's types."""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

_PROBLEMS: Final[Mapping[str, str]] = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "dict_type": "must be a mapping of keys",
    "mapping_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
}
"""What pydantic's kinds of errors are called here."""


def _problem(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return f"must be one of {str(error['ctx']['expected']).replace(chr(39), '').replace(' or ', ', ')}"
    return _PROBLEMS.get(error["type"], error["msg"].removeprefix("Value error, "))


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The key of the first value that is refused, as the file spells it, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    location = first["loc"]
    if first["type"] == "value_error":  # a default that is refused goes by the attribute's name
        location = tuple(to_camel(part) if isinstance(part, str) and "_" in part else part for part in location)
    return _path(location), _problem(first)


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
