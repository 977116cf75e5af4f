"""Documents of a registry: index, manifest, config; OCI and Docker schema 2."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["manifest", "config"]
"""Which endpoint a digest is fetched from: /v2/NAME/manifests/DIGEST, or /v2/NAME/blobs/DIGEST."""


@dataclass(frozen=True)
class Document:
    """One document as it came: what the registry called it, its digest, its bytes; parsed lazily and once.

    media_type: the Content-Type without parameters, lower case; empty where the registry gave none. digest: the hash of
    the body, checked by whoever fetched it.
    """

    media_type: str
    digest: str
    body: bytes
