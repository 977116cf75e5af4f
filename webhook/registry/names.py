"""Resolving names, in threads that nobody has to wait for.

Users choose the names, and a name server that does not answer holds a thread for as long as the system's resolver
waits, often half a minute. The event loop's own few threads would soon be used up, and a process joins them before it
exits; these are more, and daemons.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Final

_MOST_AT_ONCE: Final = 64


class Resolver:
    """The system's resolver. For one event loop.

    Who asks for a name that is being looked up gets that answer: when many images of one registry are asked for at
    once, the start of a thread for each would hold up all of them.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_MOST_AT_ONCE)
        self._under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self._beginning: set[asyncio.Task[None]] = set()

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host in the order in which the system would try them, each once.

        Raises OSError and UnicodeError. Who is cancelled leaves the look-up, and its thread, behind; it counts until it
        is done.
        """
        found = self._under_way.get((host, port))
        if found is None:
            loop = asyncio.get_running_loop()
            found = self._under_way[host, port] = loop.create_future()
            found.add_done_callback(lambda done: self._finish((host, port), done))
            beginning = loop.create_task(self._begin(host, port, found))
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)
        return list(await asyncio.shield(found))

    async def _begin(self, host: str, port: int, found: "asyncio.Future[list[str]]") -> None:
        """A task of its own: who asked first may give up while there is no thread for it yet."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()

        def settle(result: list[str] | Exception) -> None:
            self._free.release()
            if isinstance(result, Exception):
                found.set_exception(result)
            else:
                found.set_result(result)

        def work() -> None:
            result = _resolved(host, port)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result)

        try:
            threading.Thread(target=work, name="podgate-resolver", daemon=True).start()
        except RuntimeError:
            settle(OSError("no thread to resolve names in"))

    def _finish(self, name: tuple[str, int], found: "asyncio.Future[list[str]]") -> None:
        self._under_way.pop(name, None)
        if not found.cancelled():
            found.exception()  # looked at, or asyncio complains where all askers are gone


def _resolved(host: str, port: int) -> list[str] | Exception:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        return error
    return list(dict.fromkeys(_address(family, sockaddr) for family, _, _, _, sockaddr in found))


def _address(family: socket.AddressFamily, sockaddr: tuple[object, ...]) -> str:
    """The address of a getaddrinfo answer; a link-local one needs its scope to be connected to."""
    text = str(sockaddr[0])
    if family == socket.AF_INET6 and len(sockaddr) == 4 and sockaddr[3] and "%" not in text:
        return f"{text}%{sockaddr[3]}"
    return text
