"""The order of moby's image lookup, which is the heart of podgate, and which entry of an index a runtime takes.

Walking is a generator: it yields what it wants (a Want) and is sent the Document, so that the registry can drive it
over HTTP and a test from a dict.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from webhook.core.manifest import Document, Role


@dataclass(frozen=True, slots=True)
class Want:
    """A document that the walk needs: by digest, from the manifests or the blobs endpoint."""

    digest: str
    role: Role


@dataclass(frozen=True, slots=True)
class WantLists:
    """The walk asks for the lists that belong to the image and that this request can reach (moby's step 3)."""


Answer = TypeVar("Answer")
Walk = Generator[Want | WantLists, Document | tuple[Document, ...], Answer]
