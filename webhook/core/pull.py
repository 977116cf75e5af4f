"""Whether a whole pull works: what containerd reads of an image, and where it gives up.

selection.py answers which entry a runtime takes, from the documents that this takes. Here everything is read that
containerd reads, siblings and children and configs, and the answer is the manifest it ends with. golden/select has what
containerd's own code answers.

Sources: containerd core/images (Manifest, Children, FilterPlatforms, Walk), core/content (ReadBlob),
core/transfer/image (ImageFilter), core/transfer/local/pull.go.
"""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from webhook.core.descriptor import PLATFORM, Descriptor, digest_problem
from webhook.core.errors import MalformedDocument, MalformedInput
from webhook.core.gojson import decode
from webhook.core.jsontree import InvalidJSON, Node
from webhook.core.manifest import (
    DOCKER_SCHEMA1_SIGNED,
    INDEX_TYPES,
    MANIFEST_TYPES,
    ContradictoryDocument,
    parse_document,
    read_index,
    read_manifest,
)
from webhook.core.platform import Library, Platform, Rank, only, ordered
from webhook.core.selection import Ranking, first_choice

T = TypeVar("T")

Blobs = Mapping[str, bytes]
"""What a registry holds, or what has been fetched from it, by digest."""

Reason = Literal["no_match", "missing", "media_type", "json", "digest", "other"]
"""Why a runtime gives up: no entry for the node, a document that is not there, one of another kind than announced or of
no known kind, one that is not JSON of its form, a digest that is none, anything else."""

MAX_REFERENCES = 10_000
"""Descriptors that containerd walks in one pull (core/images, maxReferences)."""


class PullRefused(MalformedInput):
    """A runtime gives up. `pulling`: while it fetches; else when it looks up what it has fetched."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(problem)
        self.reason: Reason = reason
        self.pulling = False


def pull(root: Descriptor, blobs: Blobs, node: Platform, library: Library, *, transfer: bool) -> str:
    """The digest of the manifest that containerd ends with. `root` as its Content-Type says, parameters cut off.

    transfer: by the transfer service, as since containerd 2.1; else by the client, as before. Raises PullRefused.
    """

    def ranking(platform: Platform) -> Rank | None:
        return only(node, platform, library)

    if not transfer:
        return look_up(root, blobs, ranking)
    try:
        fetched = _transfer(root, blobs, lambda platform: ordered(node, platform, library))
    except PullRefused as refused:
        refused.pulling = True
        raise
    return look_up(root, fetched, ranking)


def look_up(root: Descriptor, blobs: Blobs, ranking: Ranking) -> str:
    """images.Manifest: from index to index by the best entry, to a manifest. Raises PullRefused."""
    descriptor = root
    for _ in range(MAX_REFERENCES):
        if descriptor.media_type in MANIFEST_TYPES:
            manifest = _understood(read_manifest, _read_blob(descriptor, blobs))
            if descriptor.digest != root.digest:
                platform = descriptor.platform or _config_platform(manifest.config, blobs)
                if ranking(platform) is None:
                    raise PullRefused("no_match", "no match for platform")
            return descriptor.digest
        if descriptor.media_type not in INDEX_TYPES:
            raise PullRefused("media_type", f"unexpected media type {descriptor.media_type!r}")
        index = _understood(read_index, _read_blob(descriptor, blobs))
        choice = first_choice(index.entries, ranking)
        if choice is None:
            raise PullRefused("no_match", "no match for platform")
        descriptor = choice
    raise PullRefused("other", "too many descriptors")


def _transfer(root: Descriptor, blobs: Blobs, ranking: Ranking) -> Blobs:
    """What the transfer service fetches: everything below the root but what names a platform that is not the node's."""
    fetched: dict[str, bytes] = {}
    waiting, count = [root], 1
    while waiting:
        descriptor = waiting.pop()
        if descriptor.media_type == DOCKER_SCHEMA1_SIGNED:
            raise PullRefused("media_type", "schema 1 not supported")
        blob = blobs.get(descriptor.digest)
        if blob is None:
            raise PullRefused("missing", f"{descriptor.digest} is not there")
        fetched[descriptor.digest] = blob
        children = [
            child
            for child in _children(descriptor, fetched)
            if child.platform is None or ranking(child.platform) is not None
        ]
        count += len(children)
        if count > MAX_REFERENCES:
            raise PullRefused("other", "too many descriptors")
        waiting += reversed(children)
    return fetched


def _children(descriptor: Descriptor, fetched: Blobs) -> tuple[Descriptor, ...]:
    if descriptor.media_type in MANIFEST_TYPES:
        manifest = _understood(read_manifest, _read_blob(descriptor, fetched))
        return (manifest.config, *manifest.layers)
    if descriptor.media_type in INDEX_TYPES:
        return _understood(read_index, _read_blob(descriptor, fetched)).entries
    return ()


def _config_platform(config: Descriptor, blobs: Blobs) -> Platform:
    try:
        return decode(_read_blob(config, blobs), PLATFORM).frozen()
    except InvalidJSON as error:
        raise PullRefused(_reason(error), str(error)) from error


def _read_blob(descriptor: Descriptor, blobs: Blobs) -> bytes:
    """content.ReadBlob: the embedded document where it is one; its digest is looked at only where the sizes agree."""
    if len(descriptor.data) == descriptor.size and (problem := digest_problem(descriptor.digest)):
        raise PullRefused("digest" if problem == "format" else "other", f"invalid descriptor digest: {problem}")
    embedded = descriptor.embedded
    blob = blobs.get(descriptor.digest) if embedded is None else embedded
    if blob is None:
        raise PullRefused("missing", f"{descriptor.digest} is not there")
    return blob


def _understood(read: Callable[[Node], T], blob: bytes) -> T:
    try:
        return read(parse_document(blob))
    except ContradictoryDocument as error:
        raise PullRefused("media_type", str(error)) from error
    except MalformedDocument as error:
        raise PullRefused(_reason(error.__cause__), str(error)) from error


def _reason(error: BaseException | None) -> Reason:
    return "other" if isinstance(error, InvalidJSON) and error.kind == "value" else "json"
