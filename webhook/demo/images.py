"""The demo's images: real documents (index, manifest, config) without layers worth pulling."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.core.platform import Platform, parse_platform

INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True, slots=True)
class Blob:
    """A document as a registry holds it."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """sha256 of the body."""
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    def descriptor(self, **more: object) -> dict[str, object]:
        """How another document names this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


@dataclass(slots=True)
class Repository:
    """The documents of one repository by digest, its tags, and who may read it (None: everybody)."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = None

    def add(self, blob: Blob, tag: str = "") -> Blob:
        """Keeps a document, under a tag where one is given."""
        self.blobs[blob.digest] = blob
        if tag:
            self.tags[tag] = blob.digest
        return blob

    def add_image(self, claimed: str, tag: str = "", *, note: str = "") -> Blob:
        """A single manifest whose config claims a platform; `note` makes it another image of the same platform."""
        config = self.add(config_for(parse_platform(claimed), note))
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config.descriptor(), "layers": []}
        return self.add(Blob(MANIFEST_TYPE, _json(manifest)), tag)

    def add_index(self, platforms: Sequence[str], tag: str, *, claimed: Mapping[str, str] | None = None) -> Blob:
        """An index with one image for each platform; `claimed` says what a config claims instead of the truth."""
        entries = []
        for text in platforms:
            image = self.add_image((claimed or {}).get(text, text), note=f"{tag} {text}")
            entries.append(image.descriptor(platform=_platform(parse_platform(text))))
        return self.add(
            Blob(INDEX_TYPE, _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})), tag
        )


def config_for(platform: Platform, note: str = "") -> Blob:
    """An image config (image-spec, config.md) without layers."""
    rootfs = {"type": "layers", "diff_ids": []}
    return Blob(CONFIG_TYPE, _json({**_platform(platform), "author": note, "config": {}, "rootfs": rootfs}))


def sample_repositories() -> dict[str, Repository]:
    """What the samples of manifests/samples name, by repository."""
    repositories = {
        name: Repository() for name in ("shop/web", "shop/billing", "shop/worker", "shop/report", "shop/legacy")
    }
    repositories["shop/web"].add_index(["linux/amd64", "linux/arm64"], "2.0")
    repositories["shop/web"].add_index(["linux/amd64"], "1.4")
    repositories["shop/billing"].add_index(["linux/amd64", "linux/arm64"], "3.1")
    repositories["shop/billing"].login = ("deploy", "only-for-the-demo")
    repositories["shop/worker"].add_image("linux/amd64", "0.9", note="worker")
    repositories["shop/report"].add_index(["linux/amd64", "linux/arm64"], "7", claimed={"linux/arm64": "linux/amd64"})
    repositories["shop/legacy"].add_index(["windows/amd64:10.0.17763.5329"], "2019")
    return repositories


def _platform(platform: Platform) -> dict[str, str]:
    named = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
    named["os.version"] = platform.os_version
    return {key: value for key, value in named.items() if value}


def _json(value: Any) -> bytes:  # noqa: ANN401  # a JSON document
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
