"""Events of a live cluster: written after the answer, one at a time, from a queue that drops what it cannot hold.

Nothing here may slow an answer down or grow while the API server stalls: an Event is a courtesy.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from webhook.cluster.connection import Connection
from webhook.cluster.objects import is_object_name
from webhook.core.errors import ClusterUnavailable
from webhook.core.notice import REASONS, Notice, cut, regarding
from webhook.ports import Observation

Result = Literal["written", "repeated", "gone", "dropped", "failed"]

QUEUE: Final = 1024
"""Events that wait. A notice is 2 KiB at most."""

TEXTS: Final = 10
"""Texts about one object for one reason within WINDOW; further ones are left out, as client-go's correlator does."""
WINDOW: Final = 600.0
"""Seconds for which a text is not written again."""
_OBJECTS: Final = 4096
"""Objects, with reasons, of which the texts are remembered: as many as client-go remembers."""

_REQUEST_SECONDS: Final = 5.0
"""For one Event to be written."""
_LAST_SECONDS: Final = 2.0
"""For what is waiting when the process ends."""
_COMPONENT: Final = "podgate"
_TERMINATING: Final = "because it is being terminated"
"""What the API server says of a namespace that is being deleted (k8s.io/apiserver, plugin namespace/lifecycle), with
the status of a missing permission, 403."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A notice, when it was made (seconds since 1970) and when it may be written (the event loop's time)."""

    notice: Notice
    made: float
    due: float


class EventWriter:
    """A `ports.Observer` that writes an Event for each warning. `count` is told what became of each.

    `hold_seconds` pass between a decision and its Event: by then the answer has been sent, and the object that the
    Event is about has been stored. `pause_seconds` lie between two Events: whoever may create pods decides how many
    there are, and 50 a second are what a kubelet allows itself too (eventRecordQPS).
    """

    def __init__(
        self,
        connection: Connection,
        count: Callable[[Result], None],
        hold_seconds: float = 1.0,
        pause_seconds: float = 0.02,
    ) -> None:
        self._connection = connection
        self._count = count
        self._hold_seconds = hold_seconds
        self._pause_seconds = pause_seconds
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE)
        self._said = _Said()
        self._failing = False
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return self._queue.qsize()

    def start(self) -> None:
        """Begin to write, in a task of the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="write events")

    async def close(self) -> None:
        """Write what waits, for two seconds at most; what is left is counted as dropped."""
        self._ending.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._queue.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait()
            self._count("dropped")

    def decided(self, observation: Observation) -> None:
        """Puts an Event into the queue for a warning. A request that is a dry run writes nothing."""
        judgement = observation.judgement
        if observation.dry_run or judgement.decision != "warn" or not judgement.event:
            return
        about = regarding(judgement.workload, binding=observation.binding)
        if about is None or not is_object_name(about.namespace):
            return
        self.write(Notice(about, REASONS[judgement.reason], cut(judgement.event)))

    def write(self, notice: Notice) -> None:
        """Puts a notice into the queue, unless it has been said already, or there is no room."""
        now = asyncio.get_running_loop().time()
        if not self._said.is_new(notice, now):
            self._count("repeated")
            return
        try:
            self._queue.put_nowait(_Waiting(notice, time.time(), now + self._hold_seconds))
        except asyncio.QueueFull:
            self._said.forget(notice)
            self._count("dropped")

    async def _run(self) -> None:
        while True:
            waiting = await self._queue.get()
            try:
                await self._hold(waiting.due)
                self._count(await self._write(waiting))
            except asyncio.CancelledError:
                self._count("dropped")
                raise
            except Exception:  # noqa: BLE001  # a bug must not end the writing of all further Events
                self._count("failed")
                _log.exception("An Event could not be written")
            finally:
                self._queue.task_done()
            await self._hold(asyncio.get_running_loop().time() + self._pause_seconds)

    async def _hold(self, due: float) -> None:
        """Wait until an Event may be written, or the process ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._ending.wait()

    async def _write(self, waiting: _Waiting) -> Result:
        notice = waiting.notice
        path = f"/api/v1/namespaces/{notice.regarding.namespace}/events"
        try:
            await self._connection.create(path, event(notice, waiting.made), seconds=_REQUEST_SECONDS)
        except ClusterUnavailable as error:
            if error.status == 409:
                return "repeated"  # another replica has said it, or this one before it was restarted
            if error.status == 404 or _TERMINATING in error.problem:
                return "gone"  # the namespace, and all that is in it
            self._said.forget(notice)
            if not self._failing:
                _log.warning("Events cannot be written: %s", error)
            self._failing = True
            return "failed"
        if self._failing:
            _log.info("Events can be written again")
        self._failing = False
        return "written"


class _Said:
    """What has been said in the last WINDOW about which object, for which reason."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[str, str], tuple[float, set[str]]] = OrderedDict()

    def is_new(self, notice: Notice, now: float) -> bool:
        """Whether a notice is to be written; it counts as said from now on."""
        key = (notice.regarding.uid, notice.reason)
        begun, texts = self._texts.get(key, (now, set()))
        if now - begun >= WINDOW:
            begun, texts = now, set()
        mark = _mark(notice)
        if mark in texts or len(texts) >= TEXTS:
            return False
        texts.add(mark)
        self._texts[key] = begun, texts
        self._texts.move_to_end(key)
        if len(self._texts) > _OBJECTS:
            self._texts.popitem(last=False)
        return True

    def forget(self, notice: Notice) -> None:
        """It has not been said after all."""
        _, texts = self._texts.get((notice.regarding.uid, notice.reason), (0.0, set()))
        texts.discard(_mark(notice))


def _mark(notice: Notice) -> str:
    """What tells a notice from others, the same in every replica: 64 bits, since nobody gains by two that are alike."""
    about = notice.regarding
    parts = (about.api_version, about.kind, about.name, about.uid, notice.reason, notice.text)
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def event(notice: Notice, made: float) -> dict[str, Any]:
    """An Event (core/v1) of a notice that was made at a time (seconds since 1970)."""
    about = notice.regarding
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made))
    # The name of what it is about comes first, as in every Event, as far as a name of 253 characters has room for it.
    stem = about.name[:200].rstrip("-.") if is_object_name(about.name) else _COMPONENT
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{stem}.{_mark(notice)}", "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "type": "Warning",
        "reason": notice.reason,
        "message": notice.text,
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
