"""The documents of a case: indexes, manifests, configs and raw bytes, with digests by name."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from tests.support.images import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

Json = dict[str, Any]

KINDS: Final = {"index", "manifest", "config", "json", "text", "bytes"}
OPTIONS: Final = KINDS | {
    *("docker", "mediaType", "contentType", "extra", "annotations", "artifactType"),
    *("configType", "configData", "layers", "algorithm", "pad"),
}
ENTRY: Final = {"platform", "to", "type", "annotations", "artifactType", "digest", "size"}
PLACEHOLDER: Final = re.compile(r"\$\{(\w+):([^}]*)\}")


class CaseError(Exception):
    """The case itself is written wrongly."""


def check_keys(where: str, value: Any, allowed: set[str]) -> None:
    """Refuses what a case does not know: a slip must not turn into an expectation that is never looked at."""
    if not isinstance(value, dict) or set(value) - allowed:
        unknown = sorted(set(value) - allowed) if isinstance(value, dict) else value
        raise CaseError(f"{where}: unknown keys {unknown}")


def platform_of(value: str | Json | None) -> Json | None:
    """{os, architecture, ...} of "os/architecture[/variant]", or of a mapping; None of None."""
    if value is None or isinstance(value, dict):
        return value
    parts = value.split("/")
    if len(parts) not in (2, 3):
        raise CaseError(f"platform {value!r}: want os/architecture[/variant]")
    return dict(zip(("os", "architecture", "variant"), parts, strict=False))


@dataclass(frozen=True)
class Built:
    """A document as a registry holds it. `children` are the names that it points at."""

    body: bytes
    content_type: str | None
    digest: str
    children: tuple[str, ...]


class Content:
    """The documents of one case by name. A document is built when its digest is first asked for."""

    def __init__(self, documents: Json) -> None:
        if not all(isinstance(name, str) for name in documents):
            raise CaseError(f"names of documents must be text: {list(documents)}")
        self.documents = dict(documents)
        self._built: dict[str, Built] = {}
        self._building: list[str] = []
        self._nameless = 0

    def name(self, value: str | Json) -> str:
        """The name of a document that is given by name, or written inline."""
        if isinstance(value, str):
            if value not in self.documents:
                raise CaseError(f"no document named {value!r}")
            return value
        for name, document in self.documents.items():
            if document is value:
                return name
        self._nameless += 1
        name = f"_{self._nameless}"
        self.documents[name] = value
        return name

    def get(self, name: str) -> Built:
        """The document of a name."""
        if name not in self._built:
            if name in self._building:
                raise CaseError(f"document {name!r} contains itself")
            self._building.append(name)
            self._built[name] = self._build(name, self.documents[name])
            self._building.pop()
        return self._built[name]

    def digest(self, name: str) -> str:
        return self.get(name).digest

    def reachable(self, name: str) -> list[str]:
        """The document and all that it points at."""
        found: list[str] = []
        to_do = [name]
        while to_do:
            name = to_do.pop()
            if name not in found:
                found.append(name)
                to_do += self.get(name).children
        return found

    def fill(self, text: str) -> str:
        """Text with ${digest:NAME}, ${hex:NAME} and ${size:NAME} replaced; other placeholders stay."""

        def value(match: re.Match[str]) -> str:
            kind, name = match.groups()
            if kind == "digest":
                return self.digest(self.name(name))
            if kind == "hex":
                return self.digest(self.name(name)).partition(":")[2]
            if kind == "size":
                return str(len(self.get(self.name(name)).body))
            return match.group()

        return PLACEHOLDER.sub(value, text)

    def _build(self, name: str, document: Json) -> Built:
        check_keys(f"document {name!r}", document, OPTIONS)
        kinds = KINDS & set(document)
        if len(kinds) != 1:
            raise CaseError(f"document {name!r}: one of {sorted(KINDS)} wanted")
        (kind,) = kinds
        children: list[str] = []
        value, media_type = self._value(kind, name, children)
        body = self._body(kind, document, value, children)
        if "pad" in document:
            if len(body) > document["pad"]:
                raise CaseError(f"document {name!r} is longer than pad")
            body = body.ljust(int(document["pad"]))
        algorithm = document.get("algorithm", "sha256")
        digest = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
        return Built(body, document.get("contentType", media_type), digest, tuple(children))

    def _value(self, kind: str, name: str, children: list[str]) -> tuple[Any, str]:
        document = self.documents[name]
        if kind == "index":
            return self._index(document, children)
        if kind == "manifest":
            return self._manifest(name, document, children)
        if kind == "config":
            return self._config(name, document["config"]), OCI_CONFIG
        return document[kind], OCI_MANIFEST if kind == "json" else "application/octet-stream"

    def _body(self, kind: str, document: Json, value: Any, children: list[str]) -> bytes:
        if kind == "bytes":
            return b"{".ljust(int(value))
        if isinstance(value, str):
            children += [self.name(name) for what, name in PLACEHOLDER.findall(value) if what == "digest"]
            return self.fill(value).encode()
        value = {**value, **document.get("extra", {})}
        if "annotations" in document:
            value["annotations"] = document["annotations"]
        return self.fill(json.dumps(value)).encode()

    def _config(self, name: str, value: str | Json) -> Json:
        """A config: platform text gets the other fields of a real one, a mapping is taken as it is."""
        if not isinstance(value, str):
            return value
        layer = hashlib.sha256(b"layer of " + name.encode()).hexdigest()
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{layer}"]}
        return {**(platform_of(value) or {}), "config": {"Labels": {"document": name}}, "rootfs": rootfs}

    def _typed(self, document: Json, value: Json, media_type: str) -> Json:
        """With the mediaType field: as named, left out where it is given as null, by default the type's own."""
        named = document.get("mediaType", media_type)
        return value if named is None else {"schemaVersion": 2, "mediaType": named, **value}

    def _manifest(self, name: str, document: Json, children: list[str]) -> tuple[Json, str]:
        config = document["manifest"]
        if isinstance(config, str) and "/" not in config:
            config = self.name(config)
        else:
            key = f"{name}.config"
            self.documents.setdefault(key, {"config": config})
            config = key
        children.append(config)
        docker = document.get("docker", False)
        descriptor = {
            "mediaType": document.get("configType", DOCKER_CONFIG if docker else OCI_CONFIG),
            "digest": self.digest(config),
            "size": len(self.get(config).body),
        }
        if "configData" in document:
            descriptor["data"] = document["configData"]
        layer = hashlib.sha256(b"blob of " + name.encode()).hexdigest()
        kinds = document.get("layers", [OCI_LAYER])
        layers = [{"mediaType": kind, "digest": f"sha256:{layer}", "size": 100} for kind in kinds]
        value: Json = {"schemaVersion": 2, "config": descriptor, "layers": layers}
        if "artifactType" in document:
            value["artifactType"] = document["artifactType"]
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        return self._typed(document, value, media_type), media_type

    def _index(self, document: Json, children: list[str]) -> tuple[Json, str]:
        docker = document.get("docker", False)
        entries = [self._entry(entry, children, docker=docker) for entry in document["index"]]
        value: Json = {"schemaVersion": 2, "manifests": entries}
        if "artifactType" in document:
            value["artifactType"] = document["artifactType"]
        media_type = DOCKER_LIST if docker else OCI_INDEX
        return self._typed(document, value, media_type), media_type

    def _entry(self, entry: str | Json, children: list[str], *, docker: bool) -> Json:
        if isinstance(entry, str):
            entry = {"platform": entry}
        check_keys("index entry", entry, ENTRY)
        platform = platform_of(entry.get("platform"))
        descriptor: Json
        if "digest" in entry:
            media_type = entry.get("type", OCI_MANIFEST)
            descriptor = {"mediaType": media_type, "digest": entry["digest"], "size": entry.get("size", 500)}
        else:
            target = entry.get("to")
            if target is None:
                target = {"manifest": entry["platform"], "docker": docker}
            target = self.name(target)
            children.append(target)
            built = self.get(target)
            media_type = entry.get("type", (built.content_type or OCI_MANIFEST).partition(";")[0])
            descriptor = {"mediaType": media_type, "digest": built.digest, "size": len(built.body)}
        if platform is not None:
            descriptor["platform"] = platform
        return {**descriptor, **{key: entry[key] for key in ("annotations", "artifactType") if key in entry}}
