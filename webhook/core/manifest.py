"""Documents of a registry: index, manifest, config; OCI and Docker schema 2.

A document is parsed once, when somebody first asks what is in it, and as the runtimes' own decoder would parse it
(gojson.py): what they misread, podgate misreads too. Sources: OCI image-spec v1.1 (image-index.md, manifest.md,
config.md), Docker's image manifest v2 schema 2, containerd core/images (validateMediaType).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from webhook.core.descriptor import ENVELOPE, INDEX, MANIFEST, PLATFORM, Descriptor, Envelope
from webhook.core.errors import MalformedDocument
from webhook.core.gojson import Spec, decode_node
from webhook.core.jsontree import InvalidJSON, Node, parse
from webhook.core.platform import Platform

T = TypeVar("T")

Role = Literal["manifest", "config"]
"""Which endpoint a digest is fetched from: /v2/NAME/manifests/DIGEST, or /v2/NAME/blobs/DIGEST."""

Kind = Literal["index", "manifest", "schema1", "unknown"]
"""What a root document is. `schema1`: Docker's manifest of before 2016; `unknown`: none of these, and nothing that a
runtime could run."""

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
SCHEMA1_TYPES = frozenset({DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED})

# An image config under another name: registries and builders of Docker's first years wrote these (moby/moby issues
# 22378 and 30083, distribution/distribution issue 1621), and moby still takes them. A config of any other type must not
# be read as an image config (image-spec manifest.md, `config`).
IMAGE_CONFIG_TYPES = frozenset(
    {OCI_CONFIG, DOCKER_CONFIG, "", "application/octet-stream", "application/json", "text/html"}
)


MAX_VALUES = 200_000
"""Commas and brackets in a document that is read. containerd walks 10,000 descriptors at most; more than this is there
only to cost somebody time."""

MAX_ENTRIES = 10_000
"""Entries of an index: containerd walks no more descriptors in one pull (core/images, maxReferences), and each of them
is compared with each kind of node."""


class ContradictoryDocument(MalformedDocument):
    """A document of one kind that was announced as the other, or has parts of both: runtimes refuse it."""


@dataclass(frozen=True, slots=True)
class Index:
    """An OCI index or Docker manifest list: its entries in order."""

    entries: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that its entries declare, each once, in order, for people to read.

        Left out is what names no platform: `unknown` in os or architecture, as attestations have it (containerd's
        Platforms() drops the same), and entries without an architecture.
        """
        declared = (entry.platform for entry in self.entries if entry.platform is not None)
        return tuple(dict.fromkeys(platform for platform in declared if named(platform)))


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest: one image, whose config alone says for which platform."""

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    artifact_type: str = ""

    @property
    def has_image_config(self) -> bool:
        """Whether the config may be read as an image config. Not so for artifacts: Helm charts, models, signatures."""
        return not self.artifact_type and self.config.media_type in IMAGE_CONFIG_TYPES


class _Once(Generic[T]):
    """A property that is worked out when it is first asked for. Without functools.cached_property's lock, which in
    Python 3.11 is one for all documents: a large one that is read in a thread would hold up the reading of all others.
    Two who ask at the same time may both work it out."""

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, document: object, _: type | None = None) -> T:
        value = self._work(document)
        vars(document)[self._name] = value
        return value


@dataclass(frozen=True)
class Document:
    """One document as it came: what the registry called it, its digest, its bytes; parsed lazily and once.

    media_type: the Content-Type without parameters, lower case; empty where the registry gave none. digest: the hash of
    the body, checked by whoever fetched it.
    """

    media_type: str
    digest: str
    body: bytes = field(repr=False)

    @_Once
    def kind(self) -> Kind:
        """What the document is: by its Content-Type, else by its own mediaType, else by its shape (design, section 6).

        Raises MalformedDocument where that takes reading it and it is no JSON.
        """
        kind = kind_of(self.media_type)
        if kind != "unknown":
            return kind
        envelope = _unwrap(self._envelope)
        kind = kind_of(envelope.media_type)
        return _shape(envelope) if kind == "unknown" else kind

    @property
    def own_media_type(self) -> str:
        """The mediaType in the body; empty where there is none. Raises MalformedDocument."""
        return _unwrap(self._envelope).media_type

    @property
    def index(self) -> Index:
        """The document as an index. Raises MalformedDocument (ContradictoryDocument where it is a manifest)."""
        return _unwrap(self._index)

    @property
    def manifest(self) -> Manifest:
        """The document as a manifest. Raises MalformedDocument (ContradictoryDocument where it is an index)."""
        return _unwrap(self._manifest)

    @property
    def config_platform(self) -> Platform | None:
        """The platform of the document as an image config; None where it names no architecture, as `{}` does.

        An empty os is kept: it stands for the node's. Raises MalformedDocument.
        """
        platform = self.declared_platform
        return platform if platform.architecture else None

    @property
    def declared_platform(self) -> Platform:
        """The same as containerd reads it: what is not given is empty. Raises MalformedDocument."""
        return _unwrap(self._platform)

    @_Once
    def conclusions(self) -> dict[object, object]:
        """What has been concluded from this document alone, by question: kept with it, and forgotten with it."""
        return {}

    @_Once
    def _envelope(self) -> "Envelope | MalformedDocument":
        return _kept(lambda: _read(parse_document(self.body), ENVELOPE))

    @_Once
    def _index(self) -> "Index | MalformedDocument":
        return _kept(lambda: read_index(parse_document(self.body)))

    @_Once
    def _manifest(self) -> "Manifest | MalformedDocument":
        return _kept(lambda: read_manifest(parse_document(self.body)))

    @_Once
    def _platform(self) -> "Platform | MalformedDocument":
        return _kept(lambda: _read(parse_document(self.body), PLATFORM).frozen())


def named(platform: Platform) -> bool:
    """Whether a platform names one, as opposed to the unknown/unknown of attestations."""
    return bool(platform.architecture) and "unknown" not in (platform.os, platform.architecture)


def kind_of(media_type: str) -> Kind:
    """The kind that a media type names."""
    if media_type in INDEX_TYPES:
        return "index"
    if media_type in MANIFEST_TYPES:
        return "manifest"
    return "schema1" if media_type in SCHEMA1_TYPES else "unknown"


def parse_document(body: bytes) -> Node:
    """The JSON tree of a document. Raises MalformedDocument."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_VALUES:
        raise MalformedDocument(f"more than {MAX_VALUES} values")
    try:
        return parse(body)
    except InvalidJSON as error:
        raise MalformedDocument(error.problem) from error


def read_index(tree: Node) -> Index:
    """An index as containerd reads it. Raises MalformedDocument."""
    envelope = _read(tree, ENVELOPE)
    _refuse_schema1(envelope)
    if envelope.config or envelope.layers or envelope.media_type in MANIFEST_TYPES:
        raise ContradictoryDocument("a manifest where an index was announced")
    value = _read(tree, INDEX)
    if len(value.manifests or ()) > MAX_ENTRIES:
        raise MalformedDocument(f"more than {MAX_ENTRIES} entries", "manifests")
    entries = tuple(entry.frozen() for entry in value.manifests or ())
    return Index(entries, value.annotations or {}, value.artifact_type)


def read_manifest(tree: Node) -> Manifest:
    """A manifest as containerd reads it. Raises MalformedDocument."""
    envelope = _read(tree, ENVELOPE)
    _refuse_schema1(envelope)
    if envelope.manifests or envelope.media_type in INDEX_TYPES:
        raise ContradictoryDocument("an index where a manifest was announced")
    value = _read(tree, MANIFEST)
    return Manifest(value.config.frozen(), tuple(layer.frozen() for layer in value.layers or ()), value.artifact_type)


def _refuse_schema1(envelope: Envelope) -> None:
    if envelope.fs_layers:
        raise ContradictoryDocument("parts of a Docker schema 1 manifest", "fsLayers")


def _shape(envelope: Envelope) -> Kind:
    """The kind of a document that is named nowhere, by the parts that only one kind has."""
    if envelope.fs_layers:
        return "schema1"
    if envelope.manifests:
        return "index"
    return "manifest" if envelope.config else "unknown"


def _read(tree: Node, spec: Spec[T]) -> T:
    value, error = decode_node(tree, spec, spec.zero())
    if error is not None:
        raise MalformedDocument(error.problem, error.path) from error
    return value


def _kept(read: Callable[[], T]) -> T | MalformedDocument:
    """The value or the error, so that a bad document is not parsed again and again either. The error is kept without
    its trace, whose frames hold the text in several forms."""
    try:
        return read()
    except MalformedDocument as error:
        return type(error)(error.problem, error.path)


def _unwrap(kept: T | MalformedDocument) -> T:
    if isinstance(kept, MalformedDocument):
        raise type(kept)(kept.problem, kept.path)
    return kept
