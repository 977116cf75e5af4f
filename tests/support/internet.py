"""A network of the test's own where the process ends: what names mean, what is behind an address, who was connected to.

Faked is what the operating system does: getaddrinfo, connect and getpeername of the standard library. Whatever address
a program connects to is written down, and then a server on loopback answers in its place: a willing one behind every
address that has no other, so that a connection which should not have been made leads somewhere. Nothing leaves the
machine. It sees what goes through Python's sockets, not what uvloop does.
"""

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import pytest

Address = tuple[str, int]


class Listening(Protocol):
    """A server on this machine."""

    port: int


class Internet:
    """`names`: what the look-ups of a name give, one after another, the last one for ever. `places`: servers by
    address. `nowhere`: the server behind every other address, None: the connection is refused. `own`: ports of this
    machine that the test itself asks, which is not written down."""

    def __init__(self, patches: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[Sequence[str]]] = {}
        self.places: dict[str, Listening] = {}
        self.nowhere: Listening | None = None
        self.own: set[int] = set()
        self.asked: list[str] = []
        self.connected: list[Address] = []
        self._peers: WeakKeyDictionary[socket.socket, Address] = WeakKeyDictionary()
        self._resolve = socket.getaddrinfo
        self._connect = socket.socket.connect
        self._peer = socket.socket.getpeername
        internet = self

        def connect(this: socket.socket, address: Any) -> None:
            internet._connected(this, address)

        def getpeername(this: socket.socket) -> Any:
            return internet._peers.get(this) or internet._peer(this)

        patches.setattr(socket, "getaddrinfo", self._looked_up)
        patches.setattr(socket.socket, "connect", connect)
        patches.setattr(socket.socket, "getpeername", getpeername)

    def reached(self, *addresses: str) -> list[Address]:
        """The connections made to some addresses."""
        return [one for one in self.connected if one[0] in addresses]

    def _looked_up(self, host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        answers = self.names.get(name.lower().rstrip("."))
        if answers is not None:
            self.asked.append(name)
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            return [_info(address, int(port)) for address in found]
        if name in ("localhost", "") or not any(letter.isalpha() for letter in name.lower().replace("0x", "")):
            return self._resolve(host, port, *arguments, **named)  # what a resolver does with numbers is its own affair
        if ":" in name or name.lower().startswith("0x"):
            return self._resolve(host, port, *arguments, **named)
        self.asked.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "there is no such name here")

    def _connected(self, this: socket.socket, address: Any) -> None:
        if this.family not in (socket.AF_INET, socket.AF_INET6) or address[1] in self.own:
            self._connect(this, address)
            return
        host, port = str(address[0]), int(address[1])
        self.connected.append((host, port))
        server = self.places.get(str(ip_address(host.partition("%")[0])), self.nowhere)
        if server is None:
            raise ConnectionRefusedError
        self._peers[this] = (host, port)
        prefix = "::ffff:" if this.family == socket.AF_INET6 else ""
        self._connect(this, (f"{prefix}127.0.0.1", server.port))


def _info(address: str, port: int) -> Any:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    there = (address, port, 0, 0) if family == socket.AF_INET6 else (address, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", there
