"""Logs: one JSON object a line on standard error, and one line for each decision."""

import json
import logging
import sys
import time
from typing import Any, Final

from webhook.core.message import clean
from webhook.ports import Observation

LIBRARIES: Final = ("kopf", "httpx", "httpcore", "aiohttp", "asyncio", "hpack", "urllib3", "kubernetes")
"""Libraries whose own lines could hold headers or URLs: they are heard from warnings on, whatever the level."""

_TAKEN: Final = frozenset(vars(logging.makeLogRecord({})))

decisions = logging.getLogger("podgate.decisions")


class JSONFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, and whatever `extra` was given."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _TAKEN and key != "message"}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class DecisionLog:
    """Writes a line for each decision."""

    def decided(self, observation: Observation) -> None:
        """One line: whose review, what was decided and why, and how long it took."""
        judgement = observation.judgement
        workload = judgement.workload
        decisions.info(
            "%s %s/%s: %s (%s)",
            workload.kind,
            clean(workload.namespace),
            clean(workload.name),
            judgement.decision,
            judgement.reason,
            extra={
                "uid": observation.uid,
                "kind": workload.kind,
                "namespace": workload.namespace,
                "name_of_object": workload.name,
                "decision": judgement.decision,
                "reason": judgement.reason,
                "mode": judgement.mode,
                "dry_run": observation.dry_run,
                "why": list(observation.why),
                "seconds": round(observation.seconds, 6),
            },
        )


def set_up(level: str, form: str) -> None:
    """Sends all logging to standard error in the form that settings ask for (json or text)."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JSONFormatter() if form == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("podgate").setLevel(level.upper())
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
