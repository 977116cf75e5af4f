"""Descriptors: how documents of a registry refer to others, and the Go structures that runtimes read documents into.

Sources: OCI image-spec v1.1 (descriptor.md, image-index.md, manifest.md) and its specs-go/v1, which containerd, CRI-O
and moby decode into.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.core.gojson import BYTES, STRING, Custom, Int, Map, Pointer, Slice, Struct
from webhook.core.platform import Platform

ATTESTATION_ANNOTATION = "vnd.docker.reference.type"
ATTESTATION = "attestation-manifest"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a document. `platform` None: not given. `data` is the document itself where it is embedded."""

    media_type: str
    digest: str
    size: int = 0
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    data: bytes = b""

    @property
    def attestation(self) -> bool:
        """Whether BuildKit marked the entry as an attestation: to be shown. No runtime reads it; it decides nothing."""
        return self.annotations.get(ATTESTATION_ANNOTATION) == ATTESTATION

    @property
    def embedded(self) -> bytes | None:
        """The document where it is embedded and is what the digest says; else None (containerd, useDescriptorData)."""
        if len(self.data) != self.size:
            return None
        algorithm = digest_algorithm(self.digest)
        if algorithm is None or hashlib.new(algorithm, self.data).hexdigest() != self.digest.partition(":")[2]:
            return None
        return self.data


_ENCODED = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Algorithms that go-digest knows, and how many hexadecimal digits each has."""

_HEX = re.compile("[a-f0-9]*")
_DIGEST = re.compile("[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")


def digest_algorithm(digest: str) -> str | None:
    """The algorithm of a valid digest, in hashlib's name; None where the digest is not one (go-digest, Validate)."""
    return None if digest_problem(digest) else digest.partition(":")[0]


def digest_problem(digest: str) -> str:
    """What go-digest's Validate says: "" (valid), "format", "length" or "algorithm" (not known)."""
    algorithm, _, encoded = digest.partition(":")
    if not algorithm or not encoded:
        return "format"
    length = _ENCODED.get(algorithm)
    if length is None:
        return "algorithm" if _DIGEST.fullmatch(digest) else "format"
    if len(encoded.encode(errors="surrogatepass")) != length:
        return "length"
    return "" if _HEX.fullmatch(encoded) else "format"


# What Go leaves in its structs. Mutable, because a repeated key changes what is there; frozen once read.


@dataclass(slots=True)
class GoPlatform:
    """ocispec.Platform."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: list[str] | None = None

    def frozen(self) -> Platform:
        """The value, to be kept."""
        return Platform(self.os, self.architecture, self.variant, self.os_version, tuple(self.os_features or ()))


@dataclass(slots=True)
class GoDescriptor:
    """ocispec.Descriptor."""

    media_type: str = ""
    digest: str = ""
    size: int = 0
    urls: list[str] | None = None
    annotations: dict[str, str] | None = None
    data: bytes | None = None
    platform: GoPlatform | None = None
    artifact_type: str = ""

    def frozen(self) -> Descriptor:
        """The value, to be kept."""
        return Descriptor(
            self.media_type,
            self.digest,
            self.size,
            None if self.platform is None else self.platform.frozen(),
            self.annotations or {},
            self.artifact_type,
            self.data or b"",
        )


@dataclass(slots=True)
class GoIndex:
    """ocispec.Index."""

    schema_version: int = 0
    media_type: str = ""
    artifact_type: str = ""
    manifests: list[GoDescriptor] | None = None
    subject: GoDescriptor | None = None
    annotations: dict[str, str] | None = None


@dataclass(slots=True)
class GoManifest:
    """ocispec.Manifest."""

    schema_version: int = 0
    media_type: str = ""
    artifact_type: str = ""
    config: GoDescriptor = field(default_factory=GoDescriptor)
    layers: list[GoDescriptor] | None = None
    subject: GoDescriptor | None = None
    annotations: dict[str, str] | None = None


@dataclass(slots=True)
class Envelope:
    """containerd's unknownDocument: what tells the kinds apart. True: the key is there, be it null."""

    media_type: str = ""
    config: bool = False
    layers: bool = False
    manifests: bool = False
    fs_layers: bool = False


PRESENT = Custom(lambda: False, lambda _node, _current: True)
"""A json.RawMessage of which only the presence counts: null is something, too."""

PLATFORM = Struct(
    GoPlatform,
    {
        "architecture": ("architecture", STRING),
        "os": ("os", STRING),
        "os.version": ("os_version", STRING),
        "os.features": ("os_features", Slice(STRING)),
        "variant": ("variant", STRING),
    },
)

DESCRIPTOR = Struct(
    GoDescriptor,
    {
        "mediaType": ("media_type", STRING),
        "digest": ("digest", STRING),
        "size": ("size", Int()),
        "urls": ("urls", Slice(STRING)),
        "annotations": ("annotations", Map(STRING)),
        "data": ("data", BYTES),
        "platform": ("platform", Pointer(PLATFORM)),
        "artifactType": ("artifact_type", STRING),
    },
)

INDEX = Struct(
    GoIndex,
    {
        "schemaVersion": ("schema_version", Int()),
        "mediaType": ("media_type", STRING),
        "artifactType": ("artifact_type", STRING),
        "manifests": ("manifests", Slice(DESCRIPTOR)),
        "subject": ("subject", Pointer(DESCRIPTOR)),
        "annotations": ("annotations", Map(STRING)),
    },
)

MANIFEST = Struct(
    GoManifest,
    {
        "schemaVersion": ("schema_version", Int()),
        "mediaType": ("media_type", STRING),
        "artifactType": ("artifact_type", STRING),
        "config": ("config", DESCRIPTOR),
        "layers": ("layers", Slice(DESCRIPTOR)),
        "subject": ("subject", Pointer(DESCRIPTOR)),
        "annotations": ("annotations", Map(STRING)),
    },
)

ENVELOPE = Struct(
    Envelope,
    {
        "mediaType": ("media_type", STRING),
        "config": ("config", PRESENT),
        "layers": ("layers", PRESENT),
        "manifests": ("manifests", PRESENT),
        "fsLayers": ("fs_layers", PRESENT),
    },
)
