"""Image references, parsed and normalised as distribution/reference does it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A normalised reference. `domain` as in the name (docker.io for Docker Hub), `path` the repository; `tag` and
    `digest` are empty where not given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""
