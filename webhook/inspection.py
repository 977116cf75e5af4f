"""`podgate inspect`: what an image offers, entry by entry, and how that was found out.

Facts only; what becomes of the image on nodes is the service's business (inspection_nodes.py). Adapters are handed in
by app/inspect.py.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webhook.core.descriptor import Descriptor, digest_problem
from webhook.core.errors import BadCredentials, ErrorCode, InvalidReference, MalformedDocument, RegistryError
from webhook.core.grouping import Names
from webhook.core.manifest import INDEX_TYPES, Document, Kind, Manifest, kind_of, named
from webhook.core.outcome import Outcome
from webhook.core.platform import Platform
from webhook.core.reference import Reference, parse_image
from webhook.core.selection import MAX_NESTING
from webhook.core.trace import Answered, Exchanged
from webhook.core.wording import error_text
from webhook.ports import Access, Images

MOST_INDEXES: Final = 256
"""Nested indexes of one image that are fetched; real images have none."""

logger = logging.getLogger("podgate.inspect")

_OF_THE_WAY: Final = frozenset({"unavailable", "timeout", "tls"})
"""Faults that the network may have: what it says of them helps who sits at it."""

_OF_THE_READER: Final[Mapping[ErrorCode, str]] = {
    "unauthorized": "the registry wants credentials, and takes none that are at hand: docker login, or the settings "
    "(registries.credentials)",
    "blocked-address": "the registry's address may not be connected to: allow it in the settings "
    "(registries.allowedAddresses)",
    "blocked-host": "the registry is not among those that may be asked: allow it in the settings "
    "(registries.allowedHosts)",
}
"""Instead of the words that the author of a pod is told, who has pull secrets and no settings."""

Fault = tuple[ErrorCode, str]
"""What kept something from being known: the code, and its words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an index. `entries`: those of the index that it names, None where it names none or that was not read:
    `fault` says why, `cut` that it lies deeper, or is one more, than is looked at."""

    descriptor: Descriptor
    entries: "tuple[Entry, ...] | None" = None
    fault: Fault | None = None
    cut: bool = False

    @property
    def is_index(self) -> bool:
        """Whether it names an index."""
        return self.descriptor.media_type in INDEX_TYPES


@dataclass(frozen=True, slots=True)
class Offer:
    """What a root document is. entries: an index's. config, platform: a manifest's config and what it claims; platform
    is None where none is to be had, and `notes` say why."""

    kind: Kind
    artifact_type: str = ""
    entries: tuple[Entry, ...] = ()
    config: Descriptor | None = None
    platform: Platform | None = None
    notes: tuple[str, ...] = ()

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that it declares, each once, in order; attestations declare none."""
        if self.platform is not None:
            return (self.platform,)
        return tuple(dict.fromkeys(_platforms(self.entries)))


@dataclass(slots=True)
class Trace:
    """How an image was found: every request in the order in which they ended, who gave which document, and how many
    were there already."""

    requests: list[Exchanged] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    from_cache: int = 0

    def looked_up(self, cache: str, result: str) -> None:
        """What a cache had."""
        self.from_cache += cache == "documents" and result == "hit"


@dataclass(frozen=True, slots=True)
class NodesAlike:
    """Nodes of one platform and runtime on which the same becomes of an image. `platform` None: not known; `runtime`
    empty: not known. `names` in the order of the cluster; `text` says how it ends, and `mend` what to do, empty where
    nothing is to be done."""

    platform: str | None
    runtime: str
    outcome: Outcome
    names: Names
    text: str
    mend: str = ""


@dataclass(slots=True)
class Inspection:
    """One image. `reference` None: it is not one. `root`, `offer` None: not to be had; `fault` says why, or what of it
    is not to be had. `nodes` None: it was not asked about any, or they are not known."""

    image: str
    trace: Trace = field(default_factory=Trace)
    reference: Reference | None = None
    root: Document | None = None
    stale: bool = False
    offer: Offer | None = None
    fault: Fault | None = None
    nodes: tuple[NodesAlike, ...] | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that is not known: of the image, and of indexes inside of it."""
        own = () if self.fault is None else (self.fault,)
        return (*own, *_faults(self.offer.entries if self.offer else ()))


async def inspect(inspection: Inspection, images: Images, access: Access) -> None:
    """Looks an image up and fills in what was found. Raises nothing that a registry or a credential can cause."""
    try:
        reference = inspection.reference = parse_image(inspection.image)
    except InvalidReference as error:
        inspection.fault = "invalid-reference", error_text("invalid-reference", error.problem)
        return
    try:
        image = await images.resolve(reference, access)
        inspection.root, inspection.stale = image.root, image.stale
        reading = _Reading(images, reference, access)
        inspection.offer = await reading.offer(image.root)
        inspection.fault = reading.fault
    except (RegistryError, BadCredentials, MalformedDocument) as error:
        inspection.fault = _fault(error)


class _Reading:
    """Reads one image. `fault`: what kept its config from being read."""

    def __init__(self, images: Images, reference: Reference, access: Access) -> None:
        self._images = images
        self._reference = reference
        self._access = access
        self._indexes = 0
        self.fault: Fault | None = None

    async def offer(self, root: Document) -> Offer:
        """What a root offers. Raises MalformedDocument where it is nothing."""
        match root.kind:
            case "index":
                index = root.index
                entries = await self._entries(index.entries, 1)
                return Offer("index", index.artifact_type, entries, notes=tuple(_index_notes(entries)))
            case "manifest":
                return await self._manifest(root.manifest)
            case "schema1":
                note = "Docker schema 1, which containerd 2.1 and later do not pull; its platform is not looked for"
                return Offer("schema1", notes=(note,))
        raise MalformedDocument("neither an index nor an image manifest")

    async def _entries(self, descriptors: Sequence[Descriptor], depth: int) -> tuple[Entry, ...]:
        return tuple([await self._entry(descriptor, depth) for descriptor in descriptors])

    async def _entry(self, descriptor: Descriptor, depth: int) -> Entry:
        entry = Entry(descriptor)
        if not entry.is_index:
            return entry
        if depth > MAX_NESTING or self._indexes >= MOST_INDEXES:
            return replace(entry, cut=True)
        self._indexes += 1
        try:
            nested = (await self._fetched(descriptor)).index.entries
        except (RegistryError, BadCredentials, MalformedDocument) as error:
            return replace(entry, fault=_fault(error))
        return replace(entry, entries=await self._entries(nested, depth + 1))

    async def _fetched(self, descriptor: Descriptor) -> Document:
        embedded = descriptor.embedded
        if embedded is not None:
            return Document(descriptor.media_type, descriptor.digest, embedded)
        if digest_problem(descriptor.digest):
            raise MalformedDocument("a descriptor's digest is none", "digest")
        return await self._images.fetch(self._reference, descriptor.digest, "manifest", self._access)

    async def _manifest(self, manifest: Manifest) -> Offer:
        config = manifest.config
        offer = Offer("manifest", manifest.artifact_type, config=config)
        if not manifest.has_image_config:
            return replace(offer, notes=(_not_an_image(manifest),))
        try:
            platform = await self._config_platform(config)
        except (RegistryError, BadCredentials, MalformedDocument) as error:
            self.fault = _fault(error)
            return replace(offer, notes=("its platform is not known: the config could not be read",))
        if platform is None:
            return replace(offer, notes=("no platform is to be had: its config names no architecture",))
        return replace(offer, platform=platform, notes=tuple(_platform_notes(platform)))

    async def _config_platform(self, config: Descriptor) -> Platform | None:
        embedded = config.embedded
        if embedded is not None:
            return Document(config.media_type, config.digest, embedded).config_platform
        if digest_problem(config.digest):
            raise MalformedDocument("the digest of the config is none", "config.digest")
        return (await self._images.fetch(self._reference, config.digest, "config", self._access)).config_platform


def _not_an_image(manifest: Manifest) -> str:
    kind = manifest.artifact_type or manifest.config.media_type
    if "wasm" in kind:
        return "a WebAssembly module: it has no platform, and runs only where a RuntimeClass has a shim for it"
    return "an artifact and not an image: nothing of it runs, and it has no platform"


def _platform_notes(platform: Platform) -> list[str]:
    notes = []
    if not platform.os:
        notes.append("its config names no os: it is taken for the node's")
    if platform.os.lower().startswith("wasi") or platform.architecture.lower().startswith("wasm"):
        notes.append("WebAssembly: it runs only where a RuntimeClass has a shim for it")
    return notes


def _index_notes(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return ["an index without entries: there is nothing to pull"]
    notes = []
    if any(entry.descriptor.platform is None and not entry.is_index for entry in entries):
        notes.append("an entry without a platform is taken only where no other fits, and then by its config")
    if any(kind_of(entry.descriptor.media_type) not in ("index", "manifest") for entry in entries):
        notes.append("an entry of a media type that is no image's is not pulled by containerd, whatever its platform")
    return notes


def _platforms(entries: Sequence[Entry]) -> list[Platform]:
    found = []
    for entry in entries:
        platform = entry.descriptor.platform
        if entry.entries is not None and platform is None:
            found += _platforms(entry.entries)
        elif platform is not None and named(platform):
            found.append(platform)
    return found


def _faults(entries: Sequence[Entry]) -> list[Fault]:
    found = []
    for entry in entries:
        found += [] if entry.fault is None else [entry.fault]
        found += _faults(entry.entries or ())
    return found


def _fault(error: RegistryError | BadCredentials | MalformedDocument) -> Fault:
    """The fault of an exception: in full for the log, in the words of its code for the reader."""
    logger.info("%s", error)
    if isinstance(error, RegistryError):
        words = error.told or _OF_THE_READER.get(error.code) or error_text(error.code)
        # Who asks is who connects: nobody is told more than his own machine tells him.
        cause = f": {error.detail}" if error.code in _OF_THE_WAY and error.exchange.status is None else ""
        return error.code, f"{words}{'' if error.told else cause}"
    if isinstance(error, BadCredentials):
        return "bad-credentials", error_text("bad-credentials", str(error))
    return "malformed", f"{error_text('malformed')} ({error})"
