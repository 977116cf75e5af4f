"""The system's resolver as far as the names of the matrix go: a name server listens on port 53 or nowhere, so that the
fake stands one step nearer, in the place of the C library's getaddrinfo. All other names are the system's.
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

DOMAIN = "faults.example"
GOOD = "127.0.0.1"

FAILURES = {
    "NONAME": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    "AGAIN": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
}
"""What a look-up may end in beside addresses: there is no such name, and no name server that would know."""

SILENCE = "silence"
"""As an answer: none, until the fault is over."""

Answers = Sequence[Sequence[str]]
"""What a name means at one look-up after the other, and from the beginning again: addresses, or one failure's name."""


@dataclass
class Names:
    """What names below DOMAIN mean, by their last label, which is a registry's: GOOD where nothing is said. Names below
    those begin with the address that they mean, until the fault is over."""

    meanings: dict[str, Answers] = field(default_factory=dict)
    well: bool = False
    _looked: dict[str, "count[int]"] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def mean(self, registry: str, answers: Answers) -> None:
        """From now on, the first answer first."""
        self._looked.clear()
        self.meanings[registry] = answers

    def recover(self) -> None:
        """All names mean GOOD from now on, and who waits for an answer has it."""
        self.well = True
        self.meanings.clear()
        self._looked.clear()
        self._over.set()
        self._over = threading.Event()

    def addresses(self, host: str) -> Sequence[str]:
        """The next answer. Raises what getaddrinfo raises."""
        *more, _, registry = host.removesuffix(f".{DOMAIN}").split(".")
        if more and not self.well:
            return (".".join(more),)
        answers = self.meanings.get(registry, ((GOOD,),))
        answer = answers[next(self._looked.setdefault(host, count())) % len(answers)]
        if answer[0] == SILENCE:
            self._over.wait(60)
            raise FAILURES["AGAIN"]
        if answer[0] in FAILURES:
            raise FAILURES[answer[0]]
        return answer


@contextmanager
def known_here(names: Names) -> Iterator[None]:
    """Within, names below DOMAIN are looked up there, in the whole process."""
    system = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(host, str) or not host.endswith(f".{DOMAIN}"):
            return system(host, port, *arguments, **named)
        return [found for address in names.addresses(host) for found in system(address, port, *arguments, **named)]

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = system
        names.recover()
