"""Settings that change at run time: everything that is built from them is built anew, and taken over in one step.

A generation is the use case under one version of the settings. A review goes through the one that counts when it comes,
to its end; the next review goes through the next. What a generation needs of the registries is closed when another has
taken its place and no review is in it any more.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from webhook.admission.review import Reviewer, Surroundings
from webhook.admission.reviews import Answer, ReviewRequest
from webhook.app.parts import own_credentials, registry_options
from webhook.binding import BindingJudge
from webhook.ports import Cluster, Observer, Spans
from webhook.registry.files import FileCredentials
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.providers import Plugins
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge
from webhook.settings import Settings, judged_kinds

if TYPE_CHECKING:  # at run time only where there is a cluster
    from webhook.cluster.connection import Connection

AT_START: Final = ("kinds", "server", "certificate", "traces")
"""Settings that count from the next start on: they are part of what listens, or of what kopf was told."""

logger = logging.getLogger("podgate")

Lender = FileCredentials | Plugins


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for all generations.

    `listed`: whether nodes and namespaces have been. `connection` is None where there is no cluster. `surrounded` adds
    to what settings say of registries what the process's surroundings do. `unreadable`: told of each object that is not
    understood. `spans`: where look-ups of images are traced, None: nowhere.
    """

    cluster: Cluster
    listed: Callable[[], bool]
    connection: "Connection | None"
    observer: Observer
    unreadable: Callable[[], None]
    hooks: Hooks
    surrounded: Callable[[RegistryOptions], RegistryOptions]
    spans: Spans | None = None


class _Registries:
    """A registry client and podgate's own credentials, and how many reviews they are needed for."""

    def __init__(self, images: RegistryImages, own: tuple[Lender, ...]) -> None:
        self.images = images
        self.own = own
        self._reviews = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Around one review."""
        self._reviews += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._reviews -= 1
            if not self._reviews:
                self._idle.set()

    async def idle(self) -> None:
        """Waits until no review needs them, or they are given up."""
        await self._idle.wait()

    def give_up(self) -> None:
        """Whoever waits for reviews to end need not any longer."""
        self._idle.set()


@dataclass(frozen=True, slots=True)
class _Generation:
    settings: Settings
    reviewer: Reviewer
    registries: _Registries


class Generations:
    """The entry of reviews, under the settings of the moment. To be closed with `aclose`."""

    def __init__(self, settings: Settings, around: Around) -> None:
        """Raises BadCredentials and MalformedSettings where files that settings name cannot be used."""
        self._around = around
        own = own_credentials(settings, around.hooks)
        registries = _Registries(RegistryImages(self._options(settings, own), around.hooks), own)
        self._open = [registries]
        self._closing: set[asyncio.Task[None]] = set()
        self._current = self._generation(settings, registries)

    @property
    def settings(self) -> Settings:
        """Those that count."""
        return self._current.settings

    @property
    def cached_bytes(self) -> float:
        """The size of the cache that counts."""
        return float(self._current.registries.images.cached_bytes)

    async def prepare(self) -> None:
        """Does beforehand what the first review would have to wait for."""
        await self._current.registries.images.prepare()

    async def review(self, request: ReviewRequest, deadline: float) -> Answer:
        """The answer to a request, under the settings that count now, whatever comes meanwhile."""
        current = self._current
        with current.registries.needed():
            return await current.reviewer.review(request, deadline)

    async def take_over(self, settings: Settings) -> tuple[str, ...]:
        """From now on reviews go by these settings, except for what counts from the next start on: the names of what
        differs there are returned. Raises as the constructor does, and then all stays as it is."""
        before = self._current
        waiting = tuple(name for name in AT_START if getattr(settings, name) != getattr(before.settings, name))
        kept = settings.model_copy(update={name: getattr(before.settings, name) for name in AT_START})
        registries = before.registries
        if (kept.registries, kept.cache) != (before.settings.registries, before.settings.cache):
            registries = await self._successor(before, kept)
        self._current = self._generation(kept, registries)
        if registries is not before.registries:
            self._open.append(registries)
            task = asyncio.get_running_loop().create_task(self._close_when_idle(before.registries))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return waiting

    async def aclose(self) -> None:
        """Closes all clients, whether they are needed or not."""
        for registries in self._open:
            registries.give_up()
        await asyncio.gather(*self._closing)
        for registries in tuple(self._open):
            await self._close(registries)

    async def _successor(self, before: _Generation, settings: Settings) -> _Registries:
        own = before.registries.own
        if _lent(settings) != _lent(before.settings):
            # In a thread, since files are read.
            own = await asyncio.to_thread(own_credentials, settings, self._around.hooks)
        options = self._options(settings, own)
        return _Registries(RegistryImages(options, self._around.hooks, before.registries.images.legacy), own)

    def _options(self, settings: Settings, own: tuple[Lender, ...]) -> RegistryOptions:
        options = self._around.surrounded(registry_options(settings, own))
        itself = tuple(("", port) for port in (settings.server.port, settings.server.metrics_port) if port)
        return replace(options, reserved=(*options.reserved, *itself))

    def _generation(self, settings: Settings, registries: _Registries) -> _Generation:
        around = self._around
        judge = Judge(settings, registries.images, around.cluster, around.spans)
        quiet = settings.mode in ("audit", "off")
        surroundings = Surroundings(around.listed, quiet, around.unreadable, judged_kinds(settings))
        reviewer = Reviewer(judge, around.observer, surroundings, _bindings(settings, judge, around))
        return _Generation(settings, reviewer, registries)

    async def _close_when_idle(self, registries: _Registries) -> None:
        await registries.idle()
        await self._close(registries)

    async def _close(self, registries: _Registries) -> None:
        """Closes a client, and those of its credentials that no other one has."""
        self._open.remove(registries)
        await registries.images.aclose()
        for lender in registries.own:
            if not any(lender in other.own for other in self._open):
                await lender.aclose()


def _lent(settings: Settings) -> tuple[object, ...]:
    return settings.registries.credentials, settings.registries.credential_providers


def _bindings(settings: Settings, judge: Judge, around: Around) -> BindingJudge | None:
    """What judges bindings; None where they are let through."""
    if settings.binding == "off":
        return None
    if around.connection is None:
        logger.warning("binding: bindings are let through, since without a cluster there is no pod to read")
        return None
    from webhook.cluster.pods import PodReader  # noqa: PLC0415  # no Kubernetes client without a cluster

    return BindingJudge(judge, around.cluster, PodReader(around.connection), settings.binding)
