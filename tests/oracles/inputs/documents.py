"""Documents of a registry by made-up digests, and the nodes and platforms that questions are about."""

import json

from tests.oracles.inputs.platforms import VARIANTS

OCI_INDEX, LIST = "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"
OCI, SCHEMA2 = "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"
OCI_CONFIG, DOCKER_CONFIG = "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
ODD_TYPES = [
    "",
    "application/json",
    "text/plain",
    SCHEMA1,
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/octet-stream",
    OCI + "; charset=utf-8",
    OCI_INDEX + "; charset=utf-8",
    OCI.upper(),
    "application/vnd.in-toto+json",
]
NODES = [
    ("linux", "amd64", ""),
    ("linux", "amd64", ""),
    ("linux", "amd64", ""),
    ("linux", "arm64", "v8"),
    ("linux", "arm64", "v8"),
    ("linux", "arm64", ""),
    ("linux", "arm", "v7"),
    ("linux", "arm", "v6"),
    ("linux", "arm", ""),
    ("linux", "amd64", "v3"),
    ("linux", "arm64", "v9"),
    ("linux", "s390x", ""),
    ("linux", "386", ""),
]


class Registry:
    """Blobs under made-up digests: sha256:000...1, ...2 and so on."""

    def __init__(self, rng):
        self.rng, self.blobs, self.number = rng, {}, 0

    def put(self, document):
        self.number += 1
        digest = f"sha256:{self.number:064x}"
        if document is not None:
            self.blobs[digest] = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
        return digest

    def manifest(self, platform, media_type=OCI, config=None, **more):
        """A manifest whose config names the platform; the digest of the manifest."""
        config_type = OCI_CONFIG if media_type == OCI else DOCKER_CONFIG
        digest = self.put(config if config is not None else document_platform(platform))
        return self.put(
            {
                "schemaVersion": 2,
                "mediaType": media_type,
                **more,
                "config": {"mediaType": config_type, "digest": digest, "size": 2},
                "layers": [],
            }
        )

    def entry(self, platform, declared=True, media_type=OCI, **more):
        """A descriptor of a new manifest."""
        result = {"mediaType": media_type, "digest": self.manifest(platform or {}, media_type), "size": 2, **more}
        if declared:
            result["platform"] = document_platform(platform)
        return result

    def index(self, entries, media_type=OCI_INDEX, **more):
        return self.put({"schemaVersion": 2, "mediaType": media_type, **more, "manifests": entries})

    def question(self, node, digest, media_type=OCI_INDEX):
        return {"node": node, "root": {"media_type": media_type, "digest": digest}, "blobs": self.blobs}


def document_platform(platform):
    """The platform as documents spell it."""
    return {
        {"os_version": "os.version", "os_features": "os.features"}.get(key, key): value
        for key, value in platform.items()
    }


def a_node(rng):
    os, architecture, variant = rng.choice(NODES)
    return {"os": os, "architecture": architecture, **({"variant": variant} if variant else {})}


def a_platform(rng, node=None):
    """A platform that an index may offer; near the node's half of the time."""
    if node and rng.random() < 0.55:
        name = {"arm64": rng.choice(["arm64", "arm64", "arm"]), "amd64": rng.choice(["amd64", "amd64", "386"])}.get(
            node["architecture"], node["architecture"]
        )
    else:
        name = rng.choice(["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64"])
    variant = rng.choice(VARIANTS[name]) if rng.random() < 0.5 else ""
    return {"os": "linux", "architecture": name, **({"variant": variant} if variant else {})}
