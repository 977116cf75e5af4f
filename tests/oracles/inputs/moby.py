"""dockerd's image store: an image by its config, the platform that is asked for, and what the image's lease holds."""

import json

from tests.oracles.inputs.common import mutated
from tests.oracles.inputs.platforms import ALIASES, BUILDS, REACHABLE, VARIANTS

IMAGE, OTHER = f"sha256:{0xC0:064x}", f"sha256:{0xBAD:064x}"
OCI, SCHEMA2 = "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"
ODD_TYPES = ["", "application/json", "application/vnd.oci.image.index.v1+json", OCI.upper(), OCI + "; charset=utf-8"]
SYSTEMS = ["linux"] * 12 + ["windows", "Linux", "darwin", "", "unknown"]
ODD_CONFIGS = [
    "{}",
    "[]",
    "null",
    "",
    "x",
    '{"os": 1, "rootfs": {}}',
    '{"os": "linux"}',
    '{"os": "", "architecture": "", "rootfs": {}}',
    '{"OS": "linux", "Architecture": "amd64", "rootfs": {"type": "layers"}}',
    '{"os": "linux", "architecture": "arm64", "rootfs": null}',
    '{"os": "linux", "architecture": "arm64", "rootfs": []}',
    '{"os": "linux", "os": "windows", "architecture": "amd64", "rootfs": {}}',
    '{"os": "linux", "architecture": null, "variant": 7, "rootfs": {}}',
    '{"os": "linux", "architecture": "amd64", "created": "yesterday", "rootfs": {}}',
    '{"os": "linux", "architecture": "amd64", "history": {}, "rootfs": {}}',
    '{"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [1]}}',
    '{"os": "linux", "architecture": "amd64", "config": {"Env": "x"}, "rootfs": {}}',
    '{"os": "linux", "architecture": "amd64", "rootfs": {}} x',
]
ODD_LISTS = [
    "{}",
    "[]",
    "null",
    "",
    "x",
    '{"manifests": null}',
    '{"manifests": {}}',
    '{"manifests": [null]}',
    '{"manifests": [{}]}',
    '{"manifests": [1]}',
    '{"schemaVersion": "2", "manifests": []}',
]
ODD_MANIFESTS = [
    "{}",
    "[]",
    "null",
    "",
    "x",
    '{"config": null}',
    '{"config": {}}',
    '{"config": 1}',
    '{"config": {"digest": 1}}',
]


class Daemon:
    """What a daemon holds for one image. Blobs have made-up digests: sha256:000...1, ...2 and so on."""

    def __init__(self, rng):
        self.rng, self.blobs, self.number, self.resources = rng, {}, 0, []

    def put(self, document):
        self.number += 1
        digest = f"sha256:{self.number:064x}"
        if document is not None:
            self.blobs[digest] = document if isinstance(document, str) else json.dumps(document)
        return digest

    def manifest(self, config=IMAGE):
        return self.put({"schemaVersion": 2, "config": {"mediaType": "x", "digest": config, "size": 1}})

    def entry(self, platform, config=IMAGE, media_type=OCI):
        """A descriptor of a new manifest; `platform` None: it has none, where dockerd falls over."""
        result = {"mediaType": media_type, "digest": self.manifest(config), "size": 1}
        return result if platform is None else {**result, "platform": platform}

    def hold(self, document, kind="content"):
        digest = self.put(document)
        self.resources.append({"ID": digest, "Type": kind})
        return digest

    def question(self, config, platform):
        return {
            "image": IMAGE,
            "config": config if isinstance(config, str) else json.dumps(config),
            "platform": platform,
            "resources": self.resources,
            "blobs": self.blobs,
        }


def platform(rng, name=None, alias=0.1):
    name = name or rng.choice(["amd64", "arm64", "arm", "386", *VARIANTS])
    variant = rng.choice(VARIANTS[name]) if rng.random() < 0.6 else ""
    found = {"os": rng.choice(SYSTEMS), "architecture": rng.choice(ALIASES[name]) if rng.random() < alias else name}
    return {**found, **({"variant": variant} if variant else {})}


def config(claimed):
    return {**claimed, "rootfs": {"type": "layers", "diff_ids": []}}


def pair(rng):
    """The platform asked for, and what a config claims: near it most of the time."""
    name, other = rng.choice(REACHABLE)
    if rng.random() < 0.6:
        other = name
    wanted, claimed = platform(rng, name), platform(rng, other)
    if rng.random() < 0.5:
        claimed["os"] = wanted["os"]
    if rng.random() < 0.3:
        claimed.pop("variant", None)
    return wanted, claimed


def by_config(rng):
    """No list: the config alone decides."""
    wanted, claimed = pair(rng)
    daemon = Daemon(rng)
    question = daemon.question(config(claimed), wanted)
    if rng.random() < 0.5:
        question["resources"] = None
    return question


def mislabelled(rng):
    """A config of another architecture, and lists that may name the image for the one that is asked for."""
    wanted = platform(rng)
    claimed = {"os": "linux", "architecture": "amd64" if wanted["architecture"] != "amd64" else "arm64"}
    daemon = Daemon(rng)
    for _ in range(rng.choice([1, 1, 2])):
        entries = []
        for _ in range(rng.choice([1, 2, 2, 3])):
            named = dict(wanted) if rng.random() < 0.6 else platform(rng)
            media_type = rng.choice([OCI, OCI, SCHEMA2]) if rng.random() < 0.85 else rng.choice(ODD_TYPES)
            entries.append(daemon.entry(named, IMAGE if rng.random() < 0.5 else OTHER, media_type))
        daemon.hold(
            {"manifests": entries},
            "content" if rng.random() < 0.9 else rng.choice(["Content", "", "snapshots/overlayfs"]),
        )
    return daemon.question(config(claimed), wanted)


def broken(rng):
    """Lists and manifests that are none, are missing, or leave the one before them in place."""
    wanted = platform(rng, rng.choice(["amd64", "arm64", "arm"]), 0)
    daemon = Daemon(rng)
    entries = [
        daemon.entry(rng.choice([wanted, wanted, {}, platform(rng)]), rng.choice([IMAGE, OTHER]))
        for _ in range(rng.choice([1, 2, 3]))
    ]
    for digest in list(daemon.blobs):
        damage = rng.random()
        if damage < 0.15:
            del daemon.blobs[digest]
        elif damage < 0.4:
            daemon.blobs[digest] = rng.choice(ODD_MANIFESTS)
    if rng.random() < 0.04:
        entries.append({"mediaType": OCI, "digest": daemon.manifest(), "size": 1})
    daemon.hold({"manifests": entries})
    if rng.random() < 0.5:
        daemon.resources.insert(rng.randrange(2), {"ID": daemon.put(rng.choice(ODD_LISTS)), "Type": "content"})
    if rng.random() < 0.2:
        digest = daemon.resources[-1]["ID"]
        daemon.blobs[digest] = mutated(rng, daemon.blobs.get(digest, "{}"), rng.choice([1, 2]))
    return daemon.question(config(platform(rng)), wanted)


def odd_config(rng):
    """A config that is none, or is spelled as Go reads it too."""
    wanted, claimed = pair(rng)
    text = (
        rng.choice(ODD_CONFIGS)
        if rng.random() < 0.6
        else mutated(rng, json.dumps(config(claimed)), rng.choice([1, 1, 2]))
    )
    daemon = Daemon(rng)
    if rng.random() < 0.3:
        daemon.hold({"manifests": [daemon.entry(wanted)]})
    return daemon.question(text, wanted)


def windows(rng):
    """os.version stands in documents, and plays no part here."""
    daemon = Daemon(rng)
    wanted = {"os": "windows", "architecture": "amd64", "os.version": rng.choice(BUILDS)}
    claimed = {
        "os": rng.choice(["windows", "windows", "linux"]),
        "architecture": "amd64",
        "os.version": rng.choice(BUILDS),
    }
    if rng.random() < 0.5:
        daemon.hold({"manifests": [daemon.entry({**wanted, "os.version": rng.choice(BUILDS)})]})
    return daemon.question(config(claimed), wanted)


FAMILIES = [(5, by_config), (5, mislabelled), (4, broken), (2, odd_config), (1, windows)]
