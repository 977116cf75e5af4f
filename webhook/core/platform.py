"""Platforms: what an image is for and what a node takes, compared as the container runtimes compare them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform as in the OCI image spec (image-index.md, `platform`). An empty string: not given."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
