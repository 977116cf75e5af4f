"""Which entry of an index a runtime takes for a node, and whether it takes one at all.

The choices are functions of the entries; the walks are generators that yield the documents a runtime would read to
choose, and nothing more: an entry that names a fitting platform decides without a second request. Whether all the rest
that the pull needs is there is another question (pull.py).

Sources: containerd core/images (Manifest), core/transfer/image (ImageFilter); go.podman.io/image internal/manifest
(ChooseInstance) and copy.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

from webhook.core.descriptor import Descriptor, digest_problem
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.manifest import DOCKER_LIST, INDEX_TYPES, MANIFEST_TYPES, Document, Index, Manifest, Role
from webhook.core.platform import Platform, Rank, crio, only, ordered
from webhook.core.runtime import Runtime, crio_node

MAX_NESTING = 3
"""How many indexes deep a walk goes below the root. Real ones have none; containerd has no limit of its own."""

MAX_CONCLUSIONS = 256
"""Kinds of nodes for which a root remembers what it gives; clusters have a handful."""

ZSTD_ANNOTATION = "io.github.containers.compression.zstd"
"""Marks an entry with zstd layers, which CRI-O prefers among entries that fit equally well."""

Taken = Literal["fits", "none", "foreign", "unknown"]
"""Whether an index gives a node an image: an entry fits; none does, and the pull is refused; the one that fits is of no
media type that containerd pulls; or CRI-O would take an entry that does not say its platform."""

Ranking = Callable[[Platform], Rank | None]
"""A node's preference among platforms, lower first; None: it does not take it."""


@dataclass(frozen=True, slots=True)
class Want:
    """A document that a walk needs: by digest, from the manifests or the blobs endpoint."""

    digest: str
    role: Role


@dataclass(frozen=True, slots=True)
class WantLists:
    """A walk asks for the lists that belong to the image (moby's step 3); the answer is a Lists."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Documents that may be lists of an image.

    reached: those that this request leads to. known: those that this process merely happens to have, and that this
    credential may read. One that is reached need not be among the known, too.
    """

    reached: tuple[Document, ...] = ()
    known: tuple[Document, ...] = ()


Answer = TypeVar("Answer")
Walk = Generator[Want | WantLists, Document | Lists | None, Answer]
"""A question about documents: it yields what it wants and is sent it (None: the registry says that it is not there).

It raises MalformedDocument, or RegistryError (not-found) where it cannot go on without a document that is not there.
"""


def first_choice(entries: Iterable[Descriptor], ranking: Ranking) -> Descriptor | None:
    """The entry that containerd takes: of the lowest rank, the first of equals; one without a platform comes last."""
    best: Descriptor | None = None
    best_rank: Rank | None = None
    silent: Descriptor | None = None
    for entry in entries:
        if entry.platform is None:
            silent = silent or entry
            continue
        rank = ranking(entry.platform)
        if rank is not None and (best_rank is None or rank < best_rank):
            best, best_rank = entry, rank
    return best or silent


def crio_choice(entries: Iterable[Descriptor], node: Platform, *, docker: bool) -> Descriptor | None:
    """The entry that CRI-O takes. In a Docker list an entry without a platform has an empty one, which fits nothing."""
    best: Descriptor | None = None
    best_key: tuple[bool, int, bool] | None = None
    for entry in entries:
        if entry.platform is None:
            if docker:
                continue
            key = (True, 0, not _zstd(entry))
        else:
            rank = crio(node, entry.platform)
            if rank is None:
                continue
            key = (False, rank[0], False if docker else not _zstd(entry))
        if best_key is None or key < best_key:
            best, best_key = entry, key
    return best


def _zstd(entry: Descriptor) -> bool:
    return entry.annotations.get(ZSTD_ANNOTATION) == "true"


def takes(root: Document, node: Platform, runtime: Runtime) -> Walk[Taken]:
    """Whether a runtime gets an image for the node out of an index. The runtime's way must be known (`readings`).

    What the root alone decides is asked once for each kind of node; thousands of reviews ask the same again.
    """
    question = (node, runtime.name == "docker", runtime.selection, runtime.library)
    return (yield from concluded(root, question, lambda: _takes(root, node, runtime)))


def concluded(root: Document, question: object, walk: Callable[[], Walk[Answer]]) -> Walk[Answer]:
    """The answer of a walk, kept with the root where it wants no other document; it is walked only once then."""
    kept = root.conclusions.get(question)
    if kept is not None:
        return cast(Answer, kept)
    walking = walk()
    try:
        want = next(walking)
    except StopIteration as decided:
        if len(root.conclusions) >= MAX_CONCLUSIONS:
            root.conclusions.clear()
        root.conclusions[question] = decided.value
        return cast(Answer, decided.value)
    return (yield from _resumed(walking, want))


def _resumed(walk: Walk[Answer], want: Want | WantLists) -> Walk[Answer]:
    """The rest of a walk that has begun, and wants something."""
    try:
        while True:
            want = walk.send((yield want))
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer


def _takes(root: Document, node: Platform, runtime: Runtime) -> Walk[Taken]:
    if runtime.selection == "crio":
        return _crio_takes(root, node)
    return (yield from _containerd_takes(root.index, node, runtime))


def _crio_takes(root: Document, node: Platform) -> Taken:
    """CRI-O looks at nothing but the root. An entry that is an index again it refuses to pull (copy/single.go)."""
    entry = crio_choice(root.index.entries, crio_node(node), docker=is_docker_list(root))
    if entry is None or entry.media_type in INDEX_TYPES:
        return "none"
    return "unknown" if entry.platform is None else "fits"


def is_docker_list(root: Document) -> bool:
    """Whether an index is read as Docker's: by its Content-Type, or by its own mediaType where that says nothing."""
    return (root.media_type if root.media_type in INDEX_TYPES else root.own_media_type) == DOCKER_LIST


def _containerd_takes(index: Index, node: Platform, runtime: Runtime) -> Walk[Taken]:
    def ranking(platform: Platform) -> Rank | None:
        return only(node, platform, runtime.library)

    for depth in range(MAX_NESTING + 1):
        entry = first_choice(index.entries, ranking)
        if entry is None or (runtime.selection == "transfer" and not _fetched(entry, index, node, runtime)):
            return "none"
        if entry.media_type in INDEX_TYPES and depth == MAX_NESTING:
            break
        if entry.media_type in INDEX_TYPES:
            index = (yield from fetched(entry, "manifest")).index
            continue
        if entry.platform is not None:
            # "unexpected media type" as well (schema 1 in an old list); dockerd goes by what the registry answers.
            return "fits" if entry.media_type in MANIFEST_TYPES or runtime.name == "docker" else "foreign"
        if entry.media_type not in MANIFEST_TYPES:
            return "none"  # "unexpected media type": an artifact, or an entry that does not say what it is
        return (yield from _config_fits((yield from fetched(entry, "manifest")).manifest, ranking))
    raise MalformedDocument(f"indexes nested more than {MAX_NESTING} deep", "manifests")


def _fetched(entry: Descriptor, index: Index, node: Platform, runtime: Runtime) -> bool:
    """Whether the transfer service has fetched an entry before it looks it up: by its digest, under whatever entry."""
    return any(
        other.digest == entry.digest
        and (other.platform is None or ordered(node, other.platform, runtime.library) is not None)
        for other in index.entries
    )


def _config_fits(manifest: Manifest, ranking: Ranking) -> Walk[Taken]:
    """containerd asks the config of an entry without a platform, whatever the config's type."""
    config = yield from fetched(manifest.config, "config")
    return "none" if ranking(config.declared_platform) is None else "fits"


def fetched(descriptor: Descriptor, role: Role) -> Walk[Document]:
    """The document of a descriptor: the one embedded in it if that is it, else as the driver of the walk gets it."""
    embedded = descriptor.embedded
    if embedded is not None:
        return Document(descriptor.media_type, descriptor.digest, embedded)
    problem = digest_problem(descriptor.digest)
    if problem:  # it would become part of a URL
        raise MalformedDocument(f"a descriptor's digest is none ({problem})", "digest")
    document = yield Want(descriptor.digest, role)
    if not isinstance(document, Document):
        raise RegistryError("not-found", f"{role} {descriptor.digest} is not there")
    return document
