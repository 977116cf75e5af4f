"""The images of one object, looked up: references in, findings and outcomes out.

Faults of registries and unreadable pull secrets become outcomes here, for service.py, and nowhere else: the image is
`uncertain` with the fault's code, never a verdict.
"""

import asyncio
import fnmatch
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from webhook.core.decision import ImageFinding
from webhook.core.errors import BadCredentials, ErrorCode, InvalidReference, MalformedDocument, RegistryError
from webhook.core.lookup import Answer, Lists, Walk, Want, examine_on
from webhook.core.manifest import Document
from webhook.core.outcome import Outcome, fails, runs, uncertain
from webhook.core.platform import Platform, format_platform
from webhook.core.reference import Reference, complete_short_name, is_short_name, parse_image
from webhook.core.runtime import Runtime
from webhook.core.wording import INTERNAL, error_text
from webhook.core.workload import ContainerImage
from webhook.ports import Access, Image, Images, NoSpans, Spans

logger = logging.getLogger("podgate.lookups")

# What is known by the deadline is concluded from, which takes next to nothing; but hostile documents add up.
_CONCLUDING: Final = 0.5

T = TypeVar("T")
Ask = Callable[..., Coroutine[Any, Any, T]]
"""A question to a registry."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an outcome depends on of a node: nodes of one shape are asked about once."""

    platform: Platform
    runtime: Runtime
    emulates: tuple[Platform, ...] = ()


@dataclass(slots=True)
class Looked:
    """One image: what was found, and its outcome for each shape; `otherwise` where a shape has none of its own.

    `reference` is what a registry has to be asked about, None where all is known without. `on_crio` is the image that
    the name stands for on CRI-O nodes, None where it is the same one, or there are no others.
    """

    finding: ImageFinding
    otherwise: Outcome
    reference: Reference | None = None
    outcomes: dict[Shape, Outcome] = field(default_factory=dict)
    on_crio: "Looked | None" = None

    def on(self, shape: Shape) -> Outcome:
        """The outcome on nodes of a shape."""
        if self.on_crio is not None and _is_crio(shape):
            return self.on_crio.on(shape)
        return self.outcomes.get(shape, self.otherwise)

    def asked_for(self, shapes: Sequence[Shape]) -> list[tuple["Looked", Reference, list[Shape]]]:
        """What registries have to be asked about: a reference, and the shapes of nodes that it counts for."""
        open_ones = [shape for shape in shapes if shape not in self.outcomes]
        parts = [(self, [shape for shape in open_ones if self.on_crio is None or not _is_crio(shape)])]
        if self.on_crio is not None:
            parts.append((self.on_crio, [shape for shape in open_ones if _is_crio(shape)]))
        return [(part, part.reference, its) for part, its in parts if part.reference and its]

    def conclude(self) -> None:
        """Makes one finding of two: what only one of two images offers is not said of both."""
        other = self.on_crio.finding if self.on_crio is not None else None
        if other is None:
            return
        same = self.finding.resolved.partition("@")[2] == other.resolved.partition("@")[2]
        platforms = self.finding.platforms if same else ()
        stale = self.finding.stale or other.stale
        self.finding = replace(self.finding, platforms=platforms, stale=stale, error=self.finding.error or other.error)

    def describe(self, image: Image) -> None:
        """Takes over what the root is. Raises MalformedDocument where it is nothing."""
        resolved = f"{image.reference.name}@{image.root.digest}"
        self.finding = replace(self.finding, resolved=resolved, stale=image.stale)
        kind = image.root.kind
        if kind == "index" or kind == "manifest":  # noqa: PLR1714  # mypy narrows by this and not by `in`
            self.finding = replace(self.finding, kind=kind)
        elif kind == "schema1":
            self.fail("unsupported")

    def offers(self, platforms: Sequence[Platform]) -> None:
        """Takes over the platforms that the image declares."""
        self.finding = replace(self.finding, platforms=tuple(map(format_platform, platforms)))

    def fail(self, code: ErrorCode, text: str = "", missing_right: str = "") -> None:
        """Takes over what kept the image from being known; `text` says it where the code's own words do not, and
        `missing_right` is what podgate lacks, if that is why."""
        self.finding = replace(self.finding, error=(code, text or error_text(code)), missing_right=missing_right)

    async def known(self, work: Awaitable[T]) -> T | None:
        """The result of some work on the image; None where a fault kept it, which becomes the image's error."""
        try:
            return await work
        except RegistryError as error:
            logger.info("image %s: %s", self.finding.image, error, extra=_exchange(error))
            self.fail(error.code, error.told)
        except BadCredentials as error:
            self.fail("bad-credentials", error_text("bad-credentials", str(error)))
        except MalformedDocument as error:
            logger.info("image %s: %s", self.finding.image, error, extra={"code": "malformed"})
            self.fail("malformed")
        except TimeoutError:
            self.fail("timeout")
        except Exception:  # a bug of podgate's must not take along what is known of the other images
            logger.exception("image %s: the look-up failed", self.finding.image)
            self.fail("unavailable", INTERNAL)
        return None


def first_look(
    image: ContainerImage, shapes: Sequence[Shape], exempt: Sequence[str], short_names: str | None = None
) -> Looked:
    """What is known of an image before any registry is asked. `short_names`: the registry that an unqualified name
    belongs to on CRI-O nodes, None where that is not known."""
    looked = Looked(ImageFinding(image.container, image.image, role=image.role), uncertain("image-unresolved"))
    try:
        reference = parse_image(image.image)
    except InvalidReference as error:
        looked.fail("invalid-reference", error_text("invalid-reference", error.problem))
        looked.otherwise = fails("invalid-reference")
        return looked
    if matches_any(reference.name, exempt):
        looked.otherwise = runs("exempt")
        return looked
    if image.never_pulled:
        looked.otherwise = uncertain("not-pulled")
        return looked
    looked.reference = reference
    if is_short_name(image.image):
        _look_at_crio(looked, reference, shapes, exempt, short_names)
    return looked


def _look_at_crio(
    looked: Looked, reference: Reference, shapes: Sequence[Shape], exempt: Sequence[str], short_names: str | None
) -> None:
    """What an unqualified name is on CRI-O nodes, which look it up in a configuration that the API does not show."""
    short = [shape for shape in shapes if _is_crio(shape)]
    meant = _completed(looked.finding.image, short_names)
    if not short or meant == reference:
        return
    if meant is None:
        looked.outcomes = dict.fromkeys(short, uncertain("short-name"))
        return
    others = len(short) < len(shapes)
    looked.finding = replace(looked.finding, on_crio=meant.canonical)
    there = Looked(looked.finding, looked.otherwise, meant) if others else looked
    there.reference = meant
    if matches_any(meant.name, exempt):
        there.reference, there.otherwise = None, runs("exempt")
    looked.on_crio = there if others else None


def _completed(text: str, short_names: str | None) -> Reference | None:
    """What a short name stands for; None where that is not known, or no name at all (`MyReg/app`: a kubelet takes it,
    and what becomes of it on the node is not podgate's to guess)."""
    if short_names is None:
        return None
    try:
        return complete_short_name(text, short_names)
    except InvalidReference:
        return None


class Lookups:
    """Looks the images of one object up side by side; each document is asked for at most once."""

    def __init__(self, images: Images, access: Access, spans: Spans | None = None) -> None:
        self._images = images
        self._access = access
        self._spans = spans or NoSpans()
        self._tasks: dict[object, asyncio.Task[Any]] = {}
        self._wanted: Sequence[Reference] = ()

    async def complete(self, looked: Sequence[Looked], shapes: Sequence[Shape]) -> None:
        """Fills in the outcomes of all that have a reference; what is not known by the deadline stays uncertain."""
        asked = [part for one in looked for part in one.asked_for(shapes)]
        self._wanted = tuple(dict.fromkeys(reference for _, reference, _ in asked))
        try:
            await asyncio.gather(*(self._ask(*part) for part in asked))
        finally:
            for one in looked:
                one.conclude()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _ask(self, looked: Looked, reference: Reference, shapes: Sequence[Shape]) -> None:
        """Asks a registry about an image. A fault on the way to one shape's outcome leaves the other shapes theirs."""
        with self._spans.image(reference.canonical) as note:
            image = await looked.known(self._image(looked, reference))
            if image is not None:
                for shape in shapes:
                    await looked.known(self._examine(looked, image, shape))
                    await asyncio.sleep(0)  # a document of anybody's may take a while: other reviews come between
            if looked.finding.error is not None:
                note({"error.type": looked.finding.error[0]})

    async def _image(self, looked: Looked, reference: Reference) -> Image:
        image = await self._until_deadline(self._root(reference))
        looked.describe(image)
        return image

    async def _examine(self, looked: Looked, image: Image, shape: Shape) -> None:
        if self._overrun():
            raise TimeoutError
        volume = looked.finding.role == "volume"
        walk = examine_on(image.root, (shape.platform, *shape.emulates), shape.runtime, volume=volume)
        examined = await self._drive(walk, image.reference, image.root.digest)
        looked.outcomes[shape] = examined.outcome
        looked.offers(examined.platforms)

    async def _drive(self, walk: Walk[Answer], reference: Reference, root: str) -> Answer:
        """Gives a walk from a root, by its digest, the documents that it wants, until it has its answer."""
        repositories: dict[str, Reference] = {}
        try:
            want = next(walk)
            while True:
                if isinstance(want, Want):
                    home = repositories.get(want.digest, reference)
                    want = walk.send(await self._until_deadline(self._document(home, want)))
                else:
                    lists = await self._lists(reference)
                    for home, document in lists:
                        repositories |= dict.fromkeys((entry.digest for entry in document.index.entries), home)
                    reached = tuple(document for _, document in lists)
                    known = await self._images.known_lists(reference, root, self._access)
                    want = walk.send(Lists(reached, known=known))
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer

    async def _lists(self, reference: Reference) -> list[tuple[Reference, Document]]:
        """The indexes that this request leads to, with their repositories: what the tag of repo:tag@digest names, and
        the roots of the object's other images.

        A fault in the image's own repository is raised, since a list there may well say that the image fits. Elsewhere
        it is passed over, and so is what is not there by the deadline: a proven mismatch must not wait for a sidecar
        whose registry is down.
        """
        others = [one for one in self._wanted if one != reference]
        if reference.tag and reference.digest:
            others.insert(0, replace(reference, digest=""))
        roots = [(one, self._root(one)) for one in others]
        waiting = {task for _, task in roots if not task.done()}
        if waiting:
            await asyncio.wait(waiting, timeout=self._left())
        found = []
        for home, task in roots:
            try:
                root = (await self._until_deadline(task)).root
            except Exception as error:  # whatever it is, it is raised where it matters
                absent = isinstance(error, RegistryError) and error.code == "not-found"
                if home.name == reference.name and not absent:
                    raise
                continue
            if _is_index(root):
                found.append((home, root))
        return found

    def _root(self, reference: Reference) -> asyncio.Task[Image]:
        """The root document of a reference."""
        return self._shared(reference, self._images.resolve, reference, self._access)

    def _document(self, reference: Reference, want: Want) -> asyncio.Task[Document | None]:
        """A document of a repository; None where the registry says that it has none of that digest."""
        return self._shared((reference.name, want), self._fetch, reference, want)

    async def _fetch(self, reference: Reference, want: Want) -> Document | None:
        try:
            return await self._images.fetch(reference, want.digest, want.role, self._access)
        except RegistryError as error:
            if error.code == "not-found":
                return None
            raise

    def _shared(self, key: object, ask: Ask[T], *arguments: Any) -> asyncio.Task[T]:  # noqa: ANN401  # ask's own
        """The task that asks for something, begun by the first who needs it, good or bad for all who do."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(ask(*arguments))
            task.add_done_callback(_look_at)
            self._tasks[key] = task
        return task

    async def _until_deadline(self, task: asyncio.Task[T]) -> T:
        """The result of a task. Raises TimeoutError where the deadline comes first; the task goes on for others."""
        if not task.done():
            await asyncio.wait({task}, timeout=self._left())
        if not task.done():
            raise TimeoutError
        return task.result()

    def _overrun(self) -> bool:
        """Whether the deadline is so long over that not even what is known already can be concluded from."""
        deadline = self._access.deadline
        return deadline is not None and asyncio.get_running_loop().time() > deadline + _CONCLUDING

    def _left(self) -> float | None:
        """Seconds until the deadline; None where there is none."""
        if self._access.deadline is None:
            return None
        return max(0.0, self._access.deadline - asyncio.get_running_loop().time())


def _look_at(task: asyncio.Task[Any]) -> None:
    """Takes note of a task's exception, or asyncio complains where all who asked have gone."""
    if not task.cancelled():
        task.exception()


def _is_crio(shape: Shape) -> bool:
    return shape.runtime.selection == "crio"


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
