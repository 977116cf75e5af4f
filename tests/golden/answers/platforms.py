"""Platforms: the names of the golden file, mapped to webhook.core.platform.

The file was recorded on linux/amd64, and the libraries take from there what is not given: an empty os, and for
containers/image an empty architecture of the node.
"""

from dataclasses import replace
from typing import Any

from webhook.core.platform import Platform, crio, exact, normalized, only, only_os, ordered


def platform(fields: dict[str, Any] | None) -> Platform:
    """A platform of the file; what is absent or null is empty."""
    given = fields or {}
    system, architecture, variant, version = (
        given.get(name) or "" for name in ("os", "architecture", "variant", "os_version")
    )
    return Platform(system, architecture, variant, version, tuple(given.get("os_features") or ()))


def fields(value: Platform) -> dict[str, Any]:
    """A platform as the file writes it."""
    return {
        "os": value.os,
        "architecture": value.architecture,
        "variant": value.variant,
        "os_version": value.os_version,
        "os_features": list(value.os_features),
    }


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """How a node takes one entry, by each runtime's comparison."""
    declared, entry = platform(question.get("node")), platform(question.get("image"))
    node = replace(declared, os=declared.os or "linux")
    image = replace(entry, os=entry.os or "linux")
    return {
        "only": only(node, image) is not None,
        "exact": exact(node, image) is not None,
        "ordered": ordered(node, image) is not None,
        "crio": crio(replace(node, architecture=node.architecture or "amd64"), entry) is not None,
        "only_os": only_os(node, image) is not None,
        "node_normalized": fields(normalized(node)),
        "image_normalized": fields(normalized(image)),
    }
