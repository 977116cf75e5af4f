"""Lists as an API server answers them."""

from collections.abc import Mapping
from typing import Any

from webhook.core.errors import ClusterUnavailable


def items_of(answer: Mapping[str, Any], path: str) -> list[Any]:
    """The items of a list whose kind has been looked at; none where `items` is null or absent, as client-go reads it.

    Go writes a list that was never filled as null. Raises ClusterUnavailable where they are no list.
    """
    items = answer.get("items")
    if not isinstance(items, list | None):
        raise ClusterUnavailable(f"the API server answers {path} with something that is no list")
    return items or []


def metadata_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of a list or object; empty where there are none."""
    metadata = answer.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
