"""The images of one object, looked up: references in, findings and outcomes out.

Faults of registries and unreadable pull secrets become outcomes here, for service.py, and nowhere else: the image is
`uncertain` with the fault's code, never a verdict.
"""

import asyncio
import fnmatch
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from webhook.core import message
from webhook.core.decision import ImageFinding
from webhook.core.errors import BadCredentials, ErrorCode, InvalidReference, MalformedDocument, RegistryError
from webhook.core.lookup import Answer, Lists, Walk, Want, examine
from webhook.core.manifest import Document
from webhook.core.outcome import Outcome, fails, runs, uncertain
from webhook.core.platform import Platform, format_platform
from webhook.core.reference import Reference, is_short_name, parse_image
from webhook.core.runtime import Runtime
from webhook.core.workload import ContainerImage
from webhook.ports import Access, Image, Images

logger = logging.getLogger("podgate.lookups")


@dataclass(frozen=True, slots=True)
class Shape:
    """What an outcome depends on of a node: nodes of one shape are asked about once."""

    platform: Platform
    runtime: Runtime


@dataclass(slots=True)
class Looked:
    """One image: what was found, and its outcome for each shape; `otherwise` where a shape has none of its own."""

    finding: ImageFinding
    otherwise: Outcome
    outcomes: dict[Shape, Outcome] = field(default_factory=dict)

    def on(self, shape: Shape) -> Outcome:
        """The outcome on nodes of a shape."""
        return self.outcomes.get(shape, self.otherwise)

    def describe(self, reference: Reference, image: Image) -> None:
        """Takes over what the root says before anything of it is read."""
        kind = image.root.kind
        self.finding = replace(
            self.finding,
            resolved=f"{reference.name}@{image.root.digest}",
            kind=kind if kind in ("index", "manifest") else "unknown",
            stale=image.stale,
        )
        if kind == "schema1":
            self.fail("unsupported")

    def offers(self, platforms: Sequence[Platform]) -> None:
        """Takes over the platforms that the image declares."""
        self.finding = replace(self.finding, platforms=tuple(map(format_platform, platforms)))

    def fail(self, code: ErrorCode, where: str = "") -> None:
        """Takes over what kept the image from being known; `where` names what is wrong in the input."""
        self.finding = replace(self.finding, error=(code, message.error_text(code, where)))


class Lookups:
    """Looks the images of one object up side by side; each root is asked for at most once."""

    def __init__(self, images: Images, access: Access, exempt: Sequence[str]) -> None:
        self._images = images
        self._access = access
        self._exempt = exempt
        self._roots: dict[Reference, asyncio.Task[Image]] = {}
        self._wanted: list[Reference] = []

    async def all(self, images: Sequence[ContainerImage], shapes: Sequence[Shape]) -> list[Looked]:
        """Every image, in order. What is not known by the deadline of the access is uncertain."""
        known = [self._without_asking(image, shapes) for image in images]
        self._wanted = list(dict.fromkeys(one for one in known if isinstance(one, Reference)))
        try:
            return await asyncio.gather(
                *(self._one(image, found, shapes) for image, found in zip(images, known, strict=True))
            )
        finally:
            for task in self._roots.values():
                task.cancel()

    def _without_asking(self, image: ContainerImage, shapes: Sequence[Shape]) -> Looked | Reference:
        """What is known of an image without any registry, or else its reference."""
        looked = Looked(ImageFinding(image.container, image.image), uncertain("not-pulled"))
        try:
            reference = parse_image(image.image)
        except InvalidReference as error:
            looked.fail("invalid-reference", error.problem)
            looked.otherwise = fails("invalid-reference")
            return looked
        if matches_any(reference.name, self._exempt):
            looked.otherwise = runs("exempt")
            return looked
        if image.never_pulled:
            return looked
        if shapes and all(_by_short_name(image, shape) for shape in shapes):
            looked.otherwise = uncertain("short-name")
            return looked
        return reference

    async def _one(self, image: ContainerImage, found: Looked | Reference, shapes: Sequence[Shape]) -> Looked:
        if isinstance(found, Looked):
            return found
        doubtful = [shape for shape in shapes if _by_short_name(image, shape)]
        looked = Looked(ImageFinding(image.container, image.image), uncertain("image-unresolved"))
        looked.outcomes = dict.fromkeys(doubtful, uncertain("short-name"))
        asked = [shape for shape in shapes if shape not in doubtful]
        await self._ask(looked, found, asked, volume=image.role == "volume")
        return looked

    async def _ask(self, looked: Looked, reference: Reference, shapes: Sequence[Shape], *, volume: bool) -> None:
        """Asks a registry about an image; what is proven before a fault stays proven."""
        try:
            async with asyncio.timeout_at(self._access.deadline):
                image = await self._root(reference)
                looked.describe(reference, image)
                for shape in shapes:
                    walk = examine(image.root, shape.platform, shape.runtime, volume=volume)
                    examined = await self._drive(walk, reference)
                    looked.outcomes[shape] = examined.outcome
                    looked.offers(examined.platforms)
        except RegistryError as error:
            logger.info("image %s: %s", looked.finding.image, error, extra=_exchange(error))
            looked.fail(error.code)
        except BadCredentials as error:
            looked.fail("bad-credentials", str(error))
        except MalformedDocument:
            looked.fail("malformed")
        except TimeoutError:
            looked.fail("timeout")

    async def _drive(self, walk: Walk[Answer], reference: Reference) -> Answer:
        """Gives a walk the documents that it wants, until it has its answer."""
        repositories: dict[str, Reference] = {}
        try:
            want = next(walk)
            while True:
                if isinstance(want, Want):
                    want = walk.send(await self._fetch(repositories.get(want.digest, reference), want))
                else:
                    lists = await self._lists(reference)
                    for home, document in lists:
                        repositories |= dict.fromkeys((entry.digest for entry in document.index.entries), home)
                    want = walk.send(Lists(reached=tuple(document for _, document in lists)))
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer

    async def _fetch(self, reference: Reference, want: Want) -> Document | None:
        """A document; None where the registry says that it has none of that digest."""
        try:
            return await self._images.fetch(reference, want.digest, want.role, self._access)
        except RegistryError as error:
            if error.code == "not-found":
                return None
            raise

    async def _lists(self, reference: Reference) -> list[tuple[Reference, Document]]:
        """The indexes that this request leads to, with their repositories: what the tag of repo:tag@digest names, and
        the roots of the object's other images. One that cannot be had is none."""
        others = [one for one in self._wanted if one != reference]
        if reference.tag and reference.digest:
            others.insert(0, replace(reference, digest=""))
        roots = await asyncio.gather(*map(self._root, others), return_exceptions=True)
        found = [(home, one.root) for home, one in zip(others, roots, strict=True) if isinstance(one, Image)]
        return [(home, document) for home, document in found if _is_index(document)]

    async def _root(self, reference: Reference) -> Image:
        """The root document of a reference, asked for once however many need it."""
        task = self._roots.get(reference)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._images.resolve(reference, self._access))
            self._roots[reference] = task
        # Shielded: that one image gives up must not take the root away from the others.
        return await asyncio.shield(task)


def _by_short_name(image: ContainerImage, shape: Shape) -> bool:
    """Whether the node resolves the name by a configuration of its own that the API does not show."""
    return shape.runtime.selection == "crio" and is_short_name(image.image)


def _is_index(document: Document) -> bool:
    try:
        return document.kind == "index" and bool(document.index.entries)
    except MalformedDocument:
        return False


def _exchange(error: RegistryError) -> dict[str, object]:
    """What a log keeps of a fault."""
    return {"code": error.code, "url": error.exchange.url, "status": error.exchange.status}


def matches_any(text: str, globs: Iterable[str]) -> bool:
    """Whether a text matches one of the settings' globs (`*` stands for anything, a slash too)."""
    return any(fnmatch.fnmatchcase(text, glob) for glob in globs)
