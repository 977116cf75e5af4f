"""The order of moby's image lookup, which is the heart of podgate, and what follows from it for an image on a node.

`look_up` is that order, and nothing else: it is compared line by line with what dockerd's GetImage answers. `examine`
is what the service asks. Both are generators that yield the documents they want, so that the registry can drive them
over HTTP and a test from a dict.

Sources: moby daemon/images/image.go (GetImage, manifestMatchesPlatform, OnlyPlatformWithFallback) of v28.5.2; design,
section 2.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from webhook.core.descriptor import DESCRIPTOR, GoDescriptor, digest_problem
from webhook.core.errors import MalformedDocument
from webhook.core.gojson import Slice, Struct, decode_node, decode_rest
from webhook.core.jsontree import InvalidJSON, parse
from webhook.core.manifest import MANIFEST_TYPES, Document
from webhook.core.outcome import Outcome, Verdict, fails, runs, uncertain
from webhook.core.platform import LATEST, Library, Platform, config_match, only, windows_hosts
from webhook.core.runtime import Runtime
from webhook.core.selection import Answer, Lists, Taken, Walk, Want, WantLists, concluded, fetched, takes

__all__ = [
    "Answer",
    "Finding",
    "Lists",
    "Step",
    "Walk",
    "Want",
    "WantLists",
    "declared_platforms",
    "examine",
    "examine_on",
    "look_up",
]

Step = Literal["fits", "variant-not-given", "by-list", "by-known-list", "mismatch"]
"""Which step of the lookup decides: the config fits (1), the config gives no variant (2), a list that belongs to the
image names the node's platform for this very config (3), none does (4). `by-known-list`: one that is known does, but
not one that this request can reach."""

READ_LIMIT = 1_000_000
"""Bytes of a list or manifest that moby reads (makeRdr); what is longer is cut, and then is no JSON."""

MAX_MANIFESTS = 256
"""Manifests of lists that are asked for in one lookup; moby, which has them on disk, asks for all. Where there are more
nobody knows whether one of these has the config."""


@dataclass(slots=True)
class _List:
    manifests: list[GoDescriptor] | None = None


@dataclass(slots=True)
class _ConfigHolder:
    config: GoDescriptor = field(default_factory=GoDescriptor)


_LIST = Struct(_List, {"manifests": ("manifests", Slice(DESCRIPTOR))})
_CONFIG_HOLDER = Struct(_ConfigHolder, {"config": ("config", DESCRIPTOR)})


@dataclass(frozen=True, slots=True)
class Config:
    """An image config as the lookup sees it: the digest, which is the image's ID, and the platform that it claims.

    `manifest` is the digest of the image's manifest, empty where that is not known.
    """

    digest: str
    platform: Platform
    manifest: str = ""


def look_up(config: Config, node: Platform, library: Library, empty_os: str = "") -> Walk[Step]:
    """The four steps, in order; a list is asked for only when the config alone does not decide.

    `empty_os` is what an image means that names no os: for dockerd the os it runs on; empty: the node's.

    Of a list that is merely known only entries count that name the image's own manifest: what others point to would
    have to be asked for, and then the answer would depend on the network's luck.
    """
    node = replace(node, os=node.os or empty_os)
    match = config_match(node, replace(config.platform, os=config.platform.os or empty_os), library)
    if match is not None:
        return match
    lists = yield WantLists()
    if not isinstance(lists, Lists):
        return "mismatch"

    def fits(entry: Platform) -> bool:
        named = Platform(entry.os or empty_os, entry.architecture, entry.variant)
        return only(node, named, library) is not None

    if (yield from _Search(config.digest, fits).any_names(lists.reached)):
        return "by-list"
    return "by-known-list" if any(_names(one, config.manifest, fits) for one in lists.known) else "mismatch"


def _names(document: Document, manifest: str, fits: Callable[[Platform], bool]) -> bool:
    """Whether a list names a manifest for a platform. It is read once, and kept: many may ask."""
    try:
        entries = document.index.entries
    except MalformedDocument:
        return False
    same = (entry for entry in entries if entry.digest == manifest != "" and entry.media_type in MANIFEST_TYPES)
    return any(entry.platform is not None and fits(entry.platform) for entry in same)


class _Search:
    """manifestMatchesPlatform: one search through lists for a config."""

    def __init__(self, config_digest: str, fits: Callable[[Platform], bool]) -> None:
        self._digest = config_digest
        self._fits = fits
        self._left = MAX_MANIFESTS
        # One variable for all manifests, as in moby: one that names no config keeps the config of the one before.
        self._holder = _CONFIG_HOLDER.zero()

    def any_names(self, lists: Iterable[Document]) -> Walk[bool]:
        """Whether some list has an entry for the node whose manifest has the config. What does not parse is no list.

        Raises MalformedDocument where there are too many to ask for."""
        for document in lists:
            value, error = decode_rest(document.body[:READ_LIMIT], _LIST)
            for entry in () if error else value.manifests or ():
                if entry.media_type not in MANIFEST_TYPES or entry.platform is None:
                    continue  # moby crashes on an entry without a platform; here it names none
                if self._fits(entry.platform.frozen()) and (yield from self._has_config(entry.digest)):
                    return True
        return False

    def _has_config(self, digest: str) -> Walk[bool]:
        if digest_problem(digest):
            return False
        if self._left <= 0:
            raise MalformedDocument(f"lists name more than {MAX_MANIFESTS} manifests for the node", "manifests")
        self._left -= 1
        manifest = yield Want(digest, "manifest")
        if not isinstance(manifest, Document):
            return False
        try:
            tree = parse(manifest.body[:READ_LIMIT])
        except InvalidJSON:
            return False
        self._holder, error = decode_node(tree, _CONFIG_HOLDER, self._holder)
        return error is None and self._holder.config.digest == self._digest


@dataclass(frozen=True, slots=True)
class Finding:
    """What becomes of an image on a node, and the platforms that the image declares, which the message names."""

    outcome: Outcome
    platforms: tuple[Platform, ...] = ()


_STEPS: dict[Step, Outcome] = {
    "fits": runs("fits"),
    "variant-not-given": runs("fits-variant-not-given"),
    "by-list": runs("fits-by-manifest-list"),
    "by-known-list": uncertain("config-contradicted"),
    "mismatch": fails("config-mismatch"),
}

_BETTER: dict[Verdict, int] = {"fails": 0, "uncertain": 1, "runs": 2}

_TAKEN: dict[Taken, Outcome] = {
    "fits": runs("fits"),
    "none": fails("no-matching-entry"),
    "foreign": fails("unsupported"),
    "unknown": uncertain("platform-unknown"),
}


def examine(root: Document, node: Platform, runtime: Runtime, *, volume: bool = False) -> Walk[Finding]:
    """What becomes of an image on a node of a platform and a runtime.

    `volume`: the image is mounted, not run; only an index without a fitting entry stops that. Raises MalformedDocument
    where a document is not what it is said to be, RegistryError where one is not there.
    """
    match root.kind:
        case "index":
            return (yield from _examine_index(root, node, runtime, volume=volume))
        case _ if volume:
            return Finding(runs("fits"))
        case "manifest":
            return (yield from _knowing(root, _examine_manifest(root, node)))
        case "schema1":
            refused = all(reading.selection == "transfer" for reading in runtime.readings())
            return Finding(fails("unsupported") if refused else uncertain("unsupported"))
    raise MalformedDocument("neither an index nor an image manifest")


def examine_on(
    root: Document, platforms: tuple[Platform, ...], runtime: Runtime, *, volume: bool = False
) -> Walk[Finding]:
    """What becomes of an image on a node that takes several platforms: its own, then those that it emulates.

    The best outcome counts, the first of equals: a node that emulates a platform takes it beside its own (ADR 8).
    Raises as `examine` does. What the root alone decides is kept with it.
    """
    question = (platforms, runtime, volume)
    return (yield from concluded(root, question, lambda: _examine_on(root, platforms, runtime, volume=volume)))


def _examine_on(root: Document, platforms: Sequence[Platform], runtime: Runtime, *, volume: bool) -> Walk[Finding]:
    best = yield from examine(root, platforms[0], runtime, volume=volume)
    for platform in platforms[1:]:
        if best.outcome.verdict == "runs":
            break
        finding = yield from examine(root, platform, runtime, volume=volume)
        if _BETTER[finding.outcome.verdict] > _BETTER[best.outcome.verdict]:
            best = finding
    return best


def _examine_index(root: Document, node: Platform, runtime: Runtime, *, volume: bool) -> Walk[Finding]:
    by_build: list[Outcome] = []
    for host in windows_hosts(node):
        outcomes: list[Outcome] = []
        for reading in runtime.readings():
            taken = yield from takes(root, host, reading)
            # CRI-O mounts the entry without a platform that it has chosen, whatever it is for.
            outcomes.append(runs("fits") if volume and taken == "unknown" else _TAKEN[taken])
        by_build.append(_agreed(outcomes))
    same = len({outcome.verdict for outcome in by_build}) == 1
    return Finding(by_build[0] if same else uncertain("node-platform-unknown"), root.index.platforms)


def _examine_manifest(root: Document, node: Platform) -> Walk[Finding]:
    """The four steps for a root manifest. No runtime compares its config when it pulls: the kernel does when it
    executes, so that the version of the library in the node's runtime plays no part, and the latest one judges."""
    descriptor = root.manifest.config
    platform = yield from _config_platform(root)
    if platform is None:
        return Finding(uncertain("platform-unknown"))
    if _is_wasm(platform):  # a RuntimeClass may hand it to a shim that runs it, so comparing proves nothing
        return Finding(uncertain("platform-unknown"), (platform,))
    step = yield from look_up(Config(descriptor.digest, platform, root.digest), node, LATEST)
    return Finding(_STEPS[step], (platform,))


def _agreed(outcomes: list[Outcome]) -> Outcome:
    """The outcome where all ways of choosing come to the same verdict, by the first way; else nobody knows."""
    same = len({outcome.verdict for outcome in outcomes}) == 1
    return outcomes[0] if same else uncertain("matchers-disagree")


def _is_wasm(platform: Platform) -> bool:
    """wasi, wasip1 and so on; wasm, wasm32."""
    return platform.os.lower().startswith("wasi") or platform.architecture.lower().startswith("wasm")


def _config_platform(root: Document) -> Walk[Platform | None]:
    """The platform of a manifest's config; None where none is to be had: `{}`, an artifact, a foreign config."""
    manifest = root.manifest
    if not manifest.has_image_config:
        return None
    return (yield from fetched(manifest.config, "config")).config_platform


def _knowing(root: Document, walk: Walk[Answer]) -> Walk[Answer]:
    """The walk, with the root at hand: a list that points back to it needs no request."""
    answer: Document | Lists | None = None
    try:
        want = next(walk)
        while True:
            known = isinstance(want, Want) and want == Want(root.digest, "manifest")
            answer = root if known else (yield want)
            want = walk.send(answer)
    except StopIteration as stop:
        result: Answer = stop.value
        return result


def declared_platforms(root: Document) -> Walk[tuple[Platform, ...]]:
    """The platforms that an image declares, for reports: those of an index's entries, or the one of its config."""
    if root.kind == "index":
        return root.index.platforms
    if root.kind != "manifest":
        return ()
    platform = yield from _config_platform(root)
    return () if platform is None else (platform,)
