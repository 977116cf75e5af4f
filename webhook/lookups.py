"""The images of one object, looked up side by side until the deadline; each document is asked for once."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, TypeVar

from webhook.aside import LARGE, aside
from webhook.at_hand import Known, Memory, walk_of
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.lookup import Answer, Lists, Walk, Want, WantLists
from webhook.core.manifest import Document
from webhook.core.reference import Reference
from webhook.looked import Looked, Shape
from webhook.ports import Access, Image, Images, NoSpans, Spans

logger = logging.getLogger("podgate.lookups")

# What is known by the deadline is concluded from, which takes next to nothing; but hostile documents add up.
_CONCLUDING: Final = 0.5

_AT_ONCE: Final = 16
"""Questions that one object has open at a time. Whoever writes a pod with a thousand registries, none of which answers,
must not take all the turns that there are."""

T = TypeVar("T")
Ask = Callable[..., Coroutine[Any, Any, T]]
"""A question to a registry."""


class Lookups:
    """Looks the images of one object up side by side; each document is asked for at most once."""

    def __init__(self, images: Images, access: Access, spans: Spans | None = None) -> None:
        self._images = images
        self._access = access
        self._spans = spans or NoSpans()
        self._tasks: dict[object, asyncio.Task[Any]] = {}
        self._wanted: Sequence[Reference] = ()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.rests_on: tuple[Known, ...] | None = ()
        """The documents that all outcomes rest on; None where anything had to be asked for."""

    async def complete(self, looked: Sequence[Looked], shapes: Sequence[Shape]) -> None:
        """Fills in the outcomes of all that have a reference; what is not known by the deadline stays uncertain."""
        asked = [part for one in looked for part in one.asked_for(shapes)]
        memory = Memory(self._images, self._access)
        self._wanted = tuple(dict.fromkeys(reference for _, reference, _ in asked))
        try:
            unknown = [part for part in asked if not self._remembered(memory, *part)]
            if unknown:
                self.rests_on = None
                await asyncio.gather(*(self._ask(*part) for part in unknown))
        finally:
            for one in looked:
                one.conclude()
            for task in self._tasks.values():
                task.cancel()
            if self._tasks:
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._tasks.clear()  # see _until_deadline

    def _remembered(self, memory: Memory, looked: Looked, reference: Reference, shapes: Sequence[Shape]) -> bool:
        """Whether an image is known, and now filled in."""
        known = memory.complete(looked, reference, shapes)
        if known is None:
            return False
        if self.rests_on is not None:
            self.rests_on += known
        with self._spans.image(reference.canonical):
            return True

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
        if len(image.root.body) > LARGE:
            await aside(partial(looked.describe, image))
        else:
            looked.describe(image)
        return image

    async def _examine(self, looked: Looked, image: Image, shape: Shape) -> None:
        if self._overrun():
            raise TimeoutError
        examined = await self._drive(walk_of(looked, image, shape), image.reference, image.root)
        looked.outcomes[shape] = examined.outcome
        looked.offers(examined.platforms)

    async def _drive(self, walk: Walk[Answer], reference: Reference, root: Document) -> Answer:
        """Gives a walk from a root the documents that it wants, until it has its answer."""
        repositories: dict[str, Reference] = {}
        large = len(root.body) > LARGE
        step = await _next(walk, None, large=large)
        while not isinstance(step, _Done):
            given: Document | Lists | None
            if isinstance(step, Want):
                home = repositories.get(step.digest, reference)
                given = await self._until_deadline(self._document(home, step))
                large = large or (given is not None and len(given.body) > LARGE)
            else:
                lists = await self._lists(reference)
                for home, document in lists:
                    repositories |= dict.fromkeys((entry.digest for entry in document.index.entries), home)
                reached = tuple(document for _, document in lists)
                large = large or any(len(document.body) > LARGE for document in reached)
                given = Lists(reached, known=await self._images.known_lists(reference, root.digest, self._access))
            step = await _next(walk, given, large=large)
        return step.answer

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
            if await aside(partial(_is_index, root)) if len(root.body) > LARGE else _is_index(root):
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
            task = asyncio.get_running_loop().create_task(self._in_turn(ask, *arguments))
            task.add_done_callback(_look_at)
            self._tasks[key] = task
        return task

    async def _in_turn(self, ask: Ask[T], *arguments: Any) -> T:  # noqa: ANN401  # as above
        async with self._turns:
            return await ask(*arguments)

    async def _until_deadline(self, task: asyncio.Task[T]) -> T:
        """The result of a task. Raises TimeoutError where the deadline comes first; the task goes on for others.

        A task holds its exception, and that the frames through which it went: one that held the task would keep all of
        it until Python looks for cycles.
        """
        if not task.done():
            await asyncio.wait({task}, timeout=self._left())
        if not task.done():
            raise TimeoutError
        try:
            return task.result()
        finally:
            del task

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


@dataclass(frozen=True, slots=True)
class _Done(Generic[Answer]):
    """The end of a walk."""

    answer: Answer


async def _next(
    walk: Walk[Answer], given: Document | Lists | None, *, large: bool
) -> "Want | WantLists | _Done[Answer]":
    """What a walk wants next, or its answer; beside the event loop where it has a large document to read."""

    def advanced() -> "Want | WantLists | _Done[Answer]":
        try:
            return walk.send(given)
        except StopIteration as stop:
            return _Done(stop.value)

    return await aside(advanced) if large else advanced()


def _is_index(document: Document) -> bool:
    try:
        return document.kind == "index" and bool(document.index.entries)
    except MalformedDocument:
        return False
