"""Circuit breakers: a host that does not answer is left alone for a while, and nobody waits for it.

    closed ── N faults in a row ──> open ── after a while ──> half-open ── an answer ──> closed
                                     ^────────── a fault ─────────┘

A fault is one of the transport (no connection, a reset, no answer in time) or an answer 500, 502, 503 or 504. Any other
answer, a refusal too, shows that the host is there.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from webhook.core.errors import RegistryError
from webhook.registry.faults import of_status
from webhook.registry.options import Hooks

_FAULTS_TO_OPEN: Final = 5
# How long it stays open at first, and at most: each probe that fails doubles it.
_OPEN_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 60.0
# Hosts with a fault that are remembered. Users choose the hosts; one without faults takes no room.
_MOST_HOSTS: Final = 1024


@dataclass(slots=True)
class Attempt:
    """One request: `status` is what the host answered, None as long as it has not."""

    status: int | None = None


@dataclass(slots=True)
class _Circuit:
    """`until` is None while it is closed. `probing`: one request is on its way to find out."""

    faults: int = 0
    until: float | None = None
    pause: float = _OPEN_SECONDS
    probing: bool = False


class Breakers:
    """The circuits of all hosts, by origin (scheme://host[:port])."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._circuits: OrderedDict[str, _Circuit] = OrderedDict()

    @contextmanager
    def attempt(self, origin: str) -> Iterator[Attempt]:
        """Around one request. Raises RegistryError (unavailable) where the circuit is open.

        What is cancelled says nothing of the host.
        """
        probe = self._admit(origin)
        attempt = Attempt()
        try:
            yield attempt
        except RegistryError as error:
            self._note(origin, _failed(attempt, error), probe)
            raise
        else:
            self._note(origin, _failed(attempt, None), probe)
        finally:
            if probe is not None:
                probe.probing = False

    def _admit(self, origin: str) -> _Circuit | None:
        """Lets a request pass, or not; the circuit where the request is its probe."""
        circuit = self._circuits.get(origin)
        if circuit is None or circuit.until is None:
            return None
        if circuit.probing or self._hooks.clock() < circuit.until:
            raise RegistryError("unavailable", "the host has not answered lately, and is left alone for a while")
        circuit.probing = True
        self._tell(origin, "half-open")
        return circuit

    def _note(self, origin: str, failed: bool, probe: _Circuit | None) -> None:  # noqa: FBT001  # what is noted
        if not failed:
            circuit = self._circuits.pop(origin, None)
            if circuit is not None and circuit.until is not None:
                self._tell(origin, "closed")
            return
        circuit = self._circuits.setdefault(origin, _Circuit())
        self._circuits.move_to_end(origin)
        circuit.faults += 1
        if probe is circuit:
            circuit.pause = min(2 * circuit.pause, _LONGEST_SECONDS)
            self._open(origin, circuit)
        elif circuit.until is None and circuit.faults >= _FAULTS_TO_OPEN:
            self._open(origin, circuit)
        if len(self._circuits) > _MOST_HOSTS:
            forgotten, gone = self._circuits.popitem(last=False)
            if gone.until is not None:
                self._tell(forgotten, "closed")

    def _open(self, origin: str, circuit: _Circuit) -> None:
        circuit.until = self._hooks.clock() + circuit.pause
        self._tell(origin, "open")

    def _tell(self, origin: str, state: str) -> None:
        self._hooks.on_breaker(origin.partition("://")[2], state)


def _failed(attempt: Attempt, error: RegistryError | None) -> bool:
    """Whether the host failed: what is wrong with an answer that is there is not the breaker's business."""
    if attempt.status is not None and attempt.status >= 500:
        return of_status(attempt.status)[1]
    return error is not None and error.retryable and error.code in ("unavailable", "timeout")
