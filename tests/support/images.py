"""Images made of nothing: real documents and blobs, small, and the same bytes each time they are built.

Everything is a Content (media type and bytes; the digest follows). An Image is a root and all that has to be in a
registry for the root to be accepted there: registries refuse a manifest whose blobs they do not have. A platform is
written as `os/arch[/variant][:os.version]`; the writing is taken apart here and not by podgate, whose reading of it is
under test.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"

Json = dict[str, Any]
"""A JSON object, as json.dumps takes it."""


def digest_of(body: bytes) -> str:
    """The sha256 digest of a body, as registries write it."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


@dataclass(frozen=True)
class Content:
    """Bytes of a registry and the media type that descriptors of them give."""

    media_type: str
    body: bytes

    @cached_property
    def digest(self) -> str:
        return digest_of(self.body)

    @cached_property
    def json(self) -> Json:
        """The body, read again: what a test compares with, or changes and writes anew with `document`."""
        value: Json = json.loads(self.body)
        return value

    def descriptor(self, **more: Any) -> Json:
        """A descriptor of this content; `more` are further fields (platform, annotations, artifactType)."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


@dataclass(frozen=True)
class Image:
    """A root document, and what it refers to: manifests of an index, and blobs (configs and layers)."""

    root: Content
    manifests: tuple[Content, ...] = ()
    blobs: tuple[Content, ...] = ()

    @property
    def digest(self) -> str:
        """The root's digest."""
        return self.root.digest

    @property
    def documents(self) -> dict[str, Content]:
        """Everything by digest, as a registry would hand it out."""
        return {content.digest: content for content in (*self.blobs, *self.manifests, self.root)}


def document(media_type: str, value: Any) -> Content:
    """Any JSON value as a document, without blanks, keys in the order given."""
    return Content(media_type, json.dumps(value, separators=(",", ":")).encode())


def platform(text: str) -> Json:
    """`os/arch[/variant][:os.version]` as the fields of an index entry's platform, or of a config."""
    name, _, version = text.partition(":")
    os, architecture, *variant = name.split("/")
    fields: Json = {"architecture": architecture, "os": os}
    if variant:
        fields["variant"] = variant[0]
    if version:
        fields["os.version"] = version
    return fields


def layer(text: str = "hello\n", *, docker: bool = False) -> Content:
    """A file system layer with one file, /hello, holding `text`: a real gzipped tar."""
    return Content(DOCKER_LAYER if docker else OCI_LAYER, gzip.compress(_tar(text), mtime=0))


def _tar(text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("hello")
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def config(of: str | None, *, text: str = "hello\n", docker: bool = False, **more: Any) -> Content:
    """An image config that claims a platform (None: no platform at all), for an image with the one layer of `text`.

    `more` are further fields, or other values for the fields there are.
    """
    value: Json = {
        **(platform(of) if of is not None else {}),
        "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(_tar(text))]},
        **more,
    }
    return document(DOCKER_CONFIG if docker else OCI_CONFIG, value)


def manifest(image_config: Content, layers: Iterable[Content] = (), *, docker: bool = False, **more: Any) -> Content:
    """A manifest of a config and layers; `more` are further fields (subject, artifactType, annotations)."""
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    return document(
        media_type,
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": image_config.descriptor(),
            "layers": [one.descriptor() for one in layers],
            **more,
        },
    )


def entry(content: Content, of: str | None = None, **more: Any) -> Json:
    """An entry of an index: a descriptor with a platform (None: without the field)."""
    return content.descriptor(**({"platform": platform(of)} if of is not None else {}), **more)


def index(entries: Iterable[Json], *, docker: bool = False, **more: Any) -> Content:
    """An index (for Docker: a manifest list) of entries."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    return document(media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries), **more})


def single(claims: str | None, *, text: str = "hello\n", docker: bool = False, **config_fields: Any) -> Image:
    """An image that is one manifest; its config claims a platform (None: none). `text` makes it another image."""
    image_config = config(claims, text=text, docker=docker, **config_fields)
    content = layer(text, docker=docker)
    return Image(manifest(image_config, [content], docker=docker), (), (image_config, content))


def listed(images: Iterable[tuple[str | None, Image]], *, docker: bool = False) -> Image:
    """An index over images; each goes under the platform given, whatever its config claims (None: no platform)."""
    pairs = list(images)
    root = index([entry(image.root, of) for of, image in pairs], docker=docker)
    manifests = [content for _, image in pairs for content in (*image.manifests, image.root)]
    return Image(root, _unique(manifests), _unique(blob for _, image in pairs for blob in image.blobs))


def multi(*platforms: str, text: str = "hello\n", docker: bool = False) -> Image:
    """An index with one honest manifest for each platform."""
    return listed([(of, single(of, text=f"{of} {text}", docker=docker)) for of in platforms], docker=docker)


def mislabelled(runs_on: str, claims: str, *, text: str = "hello\n", docker: bool = False) -> Image:
    """An index whose only entry says `runs_on`, over a manifest whose config says `claims`: the index is right.

    `image.manifests[0].digest` is that manifest's: asked for as `name:tag@digest` it is a single manifest whose config
    is contradicted by the list that the tag names.
    """
    return listed([(runs_on, single(claims, text=text, docker=docker))], docker=docker)


def attested(image: Image, *, text: str = "provenance") -> Image:
    """The same index with the attestation manifests that BuildKit adds, one for each entry (unknown/unknown)."""
    proofs = [
        (described["digest"], _attestation(described["digest"], text)) for described in image.root.json["manifests"]
    ]
    marked = [
        entry(
            proof.root,
            "unknown/unknown",
            annotations={"vnd.docker.reference.digest": subject, "vnd.docker.reference.type": "attestation-manifest"},
        )
        for subject, proof in proofs
    ]
    value = image.root.json
    root = document(image.root.media_type, {**value, "manifests": [*value["manifests"], *marked]})
    manifests = _unique([*image.manifests, *(proof.root for _, proof in proofs)])
    return Image(root, manifests, _unique([*image.blobs, *(blob for _, proof in proofs for blob in proof.blobs)]))


def _attestation(subject: str, text: str) -> Image:
    statement = document(IN_TOTO, {"predicateType": text, "subject": [{"digest": {"sha256": subject.split(":")[1]}}]})
    rootfs = {"type": "layers", "diff_ids": [statement.digest]}
    image_config = document(OCI_CONFIG, {**platform("unknown/unknown"), "config": {}, "rootfs": rootfs})
    return Image(manifest(image_config, [statement]), (), (image_config, statement))


def artifact(artifact_type: str = "application/vnd.example.chart", *, text: str = "values: {}\n") -> Image:
    """An OCI artifact: a manifest with the empty config and an artifact type, which offers no platform."""
    empty = Content(OCI_EMPTY, b"{}")
    payload = Content("text/plain", text.encode())
    return Image(manifest(empty, [payload], artifactType=artifact_type), (), (empty, payload))


def with_root(image: Image, root: Content) -> Image:
    """The same blobs and manifests under another root document, which may be malformed."""
    return replace(image, root=root)


def _unique(contents: Iterable[Content]) -> tuple[Content, ...]:
    return tuple({content.digest: content for content in contents}.values())
