"""What all parts of the settings tree are made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


def key(description: str) -> Any:  # noqa: ANN401  # pydantic's own type of a field
    """A key with its description for docs/settings.md."""
    return Field(description=description)


def listed(description: str) -> Any:  # noqa: ANN401  # as above
    """A key that holds a list: YAML's lists are taken for tuples, which strict types would refuse."""
    return Field(description=description, strict=False)


class Tree(BaseModel):
    """A part of the tree: frozen, its keys in camelCase, no other keys, and no type for another."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)
