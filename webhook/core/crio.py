"""What CRI-O reads of a root document, and where it gives up: its own structures, stricter here and laxer there than
containerd's.

Source: go.podman.io/image v5, manifest (FromBlob, Schema1FromManifest, Schema2FromManifest, OCI1FromManifest) and
internal/manifest (ListFromBlob, ChooseInstance, ValidateUnambiguousManifestFormat, NormalizedMIMEType).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook.core.descriptor import INDEX, MANIFEST, PLATFORM, Descriptor, GoPlatform
from webhook.core.gojson import ANYTHING, STRING, Field, Int, Slice, Spec, Struct, T, decode_node
from webhook.core.jsontree import InvalidJSON, Node, parse
from webhook.core.manifest import DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, SCHEMA1_TYPES
from webhook.core.platform import Platform
from webhook.core.pull import PullRefused, Reason
from webhook.core.selection import crio_choice

_DOCKER_LAYERS = "application/vnd.docker.image.rootfs.diff.tar"
_DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"

SCHEMA2_TYPES = SCHEMA1_TYPES | {
    *(DOCKER_LIST, DOCKER_MANIFEST, DOCKER_CONFIG),
    *(_DOCKER_LAYERS, f"{_DOCKER_LAYERS}.gzip", f"{_DOCKER_LAYERS}.zstd", _DOCKER_FOREIGN, f"{_DOCKER_FOREIGN}.gzip"),
}
"""Types that CRI-O takes for a schema 2 manifest and for its layers (SupportedSchema2MediaType)."""


@dataclass(slots=True)
class _DockerDescriptor:
    media_type: str = ""
    size: int = 0
    digest: str = ""
    urls: list[str] | None = None


@dataclass(slots=True)
class _DockerPlatform(GoPlatform):
    features: list[str] | None = None


@dataclass(slots=True)
class _DockerEntry(_DockerDescriptor):
    platform: _DockerPlatform = field(default_factory=_DockerPlatform)


@dataclass(slots=True)
class _DockerList:
    schema_version: int = 0
    media_type: str = ""
    manifests: list[_DockerEntry] | None = None


@dataclass(slots=True)
class _DockerManifest:
    schema_version: int = 0
    media_type: str = ""
    config: _DockerDescriptor = field(default_factory=_DockerDescriptor)
    layers: list[_DockerDescriptor] | None = None


@dataclass(slots=True)
class _Layer:
    blob_sum: str = ""


@dataclass(slots=True)
class _History:
    v1_compatibility: str = ""


@dataclass(slots=True)
class _Schema1:
    name: str = ""
    tag: str = ""
    architecture: str = ""
    fs_layers: list[_Layer] | None = None
    history: list[_History] | None = None
    schema_version: int = 0


@dataclass(slots=True)
class _Parts:
    """The parts that tell the formats apart; None where absent or null."""

    config: Node = None
    fs_layers: Node = None
    history: Node = None
    layers: Node = None
    manifests: Node = None


_DESCRIPTOR_FIELDS: Mapping[str, Field] = {
    "mediaType": ("media_type", STRING),
    "size": ("size", Int()),
    "digest": ("digest", STRING),
    "urls": ("urls", Slice(STRING)),
}
_DESCRIPTOR = Struct(_DockerDescriptor, _DESCRIPTOR_FIELDS)
_PLATFORM = Struct(_DockerPlatform, {**PLATFORM.fields, "features": ("features", Slice(STRING))})
_ENTRY = Struct(_DockerEntry, {**_DESCRIPTOR_FIELDS, "platform": ("platform", _PLATFORM)})
_VERSIONED: Mapping[str, Field] = {"schemaVersion": ("schema_version", Int()), "mediaType": ("media_type", STRING)}
_LIST = Struct(_DockerList, {**_VERSIONED, "manifests": ("manifests", Slice(_ENTRY))})
_MANIFEST = Struct(
    _DockerManifest, {**_VERSIONED, "config": ("config", _DESCRIPTOR), "layers": ("layers", Slice(_DESCRIPTOR))}
)
_SCHEMA1 = Struct(
    _Schema1,
    {
        "name": ("name", STRING),
        "tag": ("tag", STRING),
        "architecture": ("architecture", STRING),
        "fsLayers": ("fs_layers", Slice(Struct(_Layer, {"blobSum": ("blob_sum", STRING)}))),
        "history": ("history", Slice(Struct(_History, {"v1Compatibility": ("v1_compatibility", STRING)}))),
        "schemaVersion": ("schema_version", Int()),
    },
)
_PARTS = Struct(
    _Parts,
    {
        "config": ("config", ANYTHING),
        "fsLayers": ("fs_layers", ANYTHING),
        "history": ("history", ANYTHING),
        "layers": ("layers", ANYTHING),
        "manifests": ("manifests", ANYTHING),
    },
)


def choose(media_type: str, body: bytes, node: Platform) -> str:
    """The digest of the entry that CRI-O takes from an index; "" where the root is one image, taken as it is.

    Nothing below the root is looked at. `media_type` is the Content-Type, parameters cut off; a root of no known type
    is tried as schema 1, of which only the outer form is checked here. Raises PullRefused.
    """
    tree = _parsed(body)
    if media_type in {OCI_INDEX, DOCKER_LIST}:
        docker = media_type == DOCKER_LIST
        chosen = crio_choice(_docker_entries(tree) if docker else _oci_entries(tree), node, docker=docker)
        if chosen is None:
            raise PullRefused("no_match", "no image found for the node")
        if not chosen.digest:
            raise PullRefused("digest", "the chosen entry has no digest")
        return chosen.digest
    if media_type == OCI_MANIFEST:
        _read(tree, MANIFEST)
        _unambiguous(tree, ("config", "layers"))
    elif media_type == DOCKER_MANIFEST:
        _check_schema2(tree)
    else:
        _check_schema1(tree)
    return ""


def _oci_entries(tree: Node) -> Sequence[Descriptor]:
    value = _read(tree, INDEX)
    _unambiguous(tree, ("manifests",))
    return [entry.frozen() for entry in value.manifests or ()]


def _docker_entries(tree: Node) -> Sequence[Descriptor]:
    value = _read(tree, _LIST)
    _unambiguous(tree, ("manifests",))
    entries = value.manifests or ()
    return [Descriptor(one.media_type, one.digest, one.size, one.platform.frozen()) for one in entries]


def _check_schema2(tree: Node) -> None:
    value = _read(tree, _MANIFEST)
    _unambiguous(tree, ("config", "layers"))
    for media_type in (value.media_type, *(layer.media_type for layer in value.layers or ())):
        if media_type not in SCHEMA2_TYPES:
            raise PullRefused("other", f"unsupported docker v2s2 media type {media_type!r}")


def _check_schema1(tree: Node) -> None:
    value = _read(tree, _SCHEMA1)
    if value.schema_version != 1:
        raise PullRefused("media_type", f"unsupported schema version {value.schema_version}")
    _unambiguous(tree, ("fs_layers", "history"))
    layers, history = len(value.fs_layers or ()), len(value.history or ())
    if not layers or layers != history:
        raise PullRefused("other", "schema 1 without layers, or without a history of each")


def _unambiguous(tree: Node, allowed: Sequence[str]) -> None:
    """Refuses a document with essential parts of more than one format (ValidateUnambiguousManifestFormat)."""
    parts = _read(tree, _PARTS)
    unexpected = [name for name in _Parts.__slots__ if name not in allowed and getattr(parts, name) is not None]
    if unexpected:
        raise PullRefused("media_type", f"rejecting ambiguous manifest, unexpected {', '.join(unexpected)}")


def _parsed(body: bytes) -> Node:
    try:
        return parse(body)
    except InvalidJSON as error:
        raise PullRefused("json", str(error)) from error


def _read(tree: Node, spec: Spec[T]) -> T:
    value, error = decode_node(tree, spec, spec.zero())
    if error is not None:
        reason: Reason = "other" if error.kind == "value" else "json"
        raise PullRefused(reason, str(error)) from error
    return value
