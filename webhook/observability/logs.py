"""Logs: one JSON object a line on standard error, and one line for each decision. Never a secret.

Of an exception that is not one of podgate's own a line holds the kind and the way through the code, not the text: the
text of a foreign exception may quote what it stumbled over, and that may be a secret.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, TypeAlias

from webhook.core.errors import CannotServe, ClusterUnavailable, MalformedInput, RegistryError
from webhook.core.message import clean
from webhook.ports import Observation

LIBRARIES: Final = ("kopf", "httpx", "httpcore", "aiohttp", "asyncio", "hpack", "urllib3", "kubernetes", "requests")
"""Libraries whose own lines could hold headers or URLs: they are heard from warnings on, whatever the level."""
SILENT: Final = ("opentelemetry",)
"""Libraries that are heard from errors on: this one warns of each span that finds no room while nobody takes them."""
OWN: Final = ("podgate", "webhook")
"""The roots of podgate's own loggers."""

_TAKEN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SPEAKING: Final = (CannotServe, ClusterUnavailable, MalformedInput, RegistryError)
"""Exceptions whose text is made for people, and so holds no secret."""
_LINKS: Final = 8
"""Exceptions of a chain (raise ... from ...) that are told."""

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

decisions = logging.getLogger("podgate.decisions")


def told(error: BaseException) -> str:
    """An exception and its causes: kind, and file, line and function of each frame; the text only of podgate's own."""
    parts: list[str] = []
    link: BaseException | None = error
    while link is not None and len(parts) < _LINKS:
        text = f": {clean(str(link), 500)}" if isinstance(link, _SPEAKING) else ""
        frames = [f"  {at.filename}:{at.lineno} in {at.name}" for at in traceback.extract_tb(link.__traceback__)]
        parts.append("\n".join([f"{type(link).__module__}.{type(link).__qualname__}{text}", *frames]))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused by ".join(parts)


class _Discreet(logging.Formatter):
    """Tells exceptions without the text of foreign ones."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  # the library's name
        """The exception of a record, as `told` tells it."""
        return "" if ei[1] is None else told(ei[1])


class TextFormatter(_Discreet):
    """A record as a line for a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")


class JSONFormatter(_Discreet):
    """A record as one JSON object: time, level, logger, message, and what podgate's own loggers gave as `extra`.

    What libraries give as `extra` is left out: kopf gives its whole settings.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.name.partition(".")[0] in OWN:
            line = {key: value for key, value in vars(record).items() if key not in _TAKEN} | line
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


_encode: Final = json.JSONEncoder(default=repr).encode


@lru_cache(2)
def _second(moment: int) -> str:
    """A second since 1970, in UTC. A busy process writes hundreds of lines in each."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


class DecisionLog:
    """Writes a line for each decision."""

    def decided(self, observation: Observation) -> None:
        """One line: whose review, what was decided and why, and how long it took.

        In mode audit this is where the texts are, which nobody else is shown, and `wanted`, what mode deny would do.
        """
        judgement = observation.judgement
        workload = judgement.workload
        decisions.info(
            "%s %s/%s: %s (%s)",
            observation.kind,
            clean(workload.namespace),
            clean(workload.name),
            judgement.decision,
            judgement.reason,
            extra={
                "uid": observation.uid,
                "kind": observation.kind,
                "namespace": workload.namespace,
                "object": workload.name,
                "decision": judgement.decision,
                "wanted": judgement.wanted,
                "reason": judgement.reason,
                "mode": judgement.mode,
                "dryRun": observation.dry_run,
                "why": list(observation.why),
                "stale": any(image.stale for image in judgement.images),
                "messages": list(judgement.messages),
                "seconds": round(observation.seconds, 6),
            },
        )


class _Voice(logging.Handler):
    """Gives each line to who speaks for the command line. What came with an exception stays a record of the log."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._log = logging.StreamHandler(sys.stderr)
        self._log.setFormatter(TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        if record.exc_info:
            self._log.handle(record)
        else:
            self._say(record.getMessage())


def set_up(level: str, form: str, say: Callable[[str], None] | None = None) -> None:
    """Sends all logging to standard error in the form that settings ask for (json or text).

    `say`: takes the lines instead, where a person at a terminal reads them; None: nobody does.
    """
    # No line shows thread, process or place in the code; without them a record takes half the time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001  # type: ignore[attr-defined]  # as the library's own page on speed has it
    handler: logging.Handler = logging.StreamHandler(sys.stderr) if say is None else _Voice(say)
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN:
        logging.getLogger(name).setLevel(level.upper())
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.ERROR)
