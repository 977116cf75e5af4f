"""What the registry client is told by settings, and whom it tells what it does."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from webhook.core.goproxy import ProxyRules
from webhook.core.trace import Answered, Exchanged
from webhook.registry.addresses import AddressPolicy
from webhook.registry.own import OwnCredentials


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """The settings of design section 12 that concern registries; times in seconds.

    hosts_dir: containerd's certs.d layout, None: only containerd's defaults. allowed_hosts: globs on host or host:port,
    empty: every host. realms: (registry, realm) pairs, token realms of other domains that may get a registry's
    credentials. request_timeout: for one request with its redirects, and as long for its turn. own: podgate's own
    credentials, source by source, tried in this order after a pod's pull secrets. lend_lists: whether
    a list that was read for one object counts as known for another (known_lists). proxies: those of the environment.
    reserved: hosts with ports that are never asked, whatever is allowed: the API server. An empty host
    stands for every address of this machine: ports where this process listens.
    """

    hosts_dir: Path | None = None
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    allowed_hosts: tuple[str, ...] = ()
    realms: tuple[tuple[str, str], ...] = ()
    request_timeout: float = 5.0
    concurrency_per_host: int = 64
    cache_bytes: int = 32 << 20
    tag_ttl: float = 60.0
    negative_ttl: float = 10.0
    stale_for: float = 86400.0
    lend_lists: bool = True
    proxies: ProxyRules = field(default_factory=ProxyRules, repr=False)
    reserved: tuple[tuple[str, int], ...] = ()
    own: tuple[OwnCredentials, ...] = field(default=(), repr=False)

    def sees_as(self, other: "RegistryOptions") -> bool:
        """Whether registries look the same under both: the same hosts are asked, at the same addresses, on the same
        ways. Then what was seen under one may be shown under the other, to whom it was shown."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("hosts_dir", "addresses", "allowed_hosts", "proxies", "reserved")
        )

    def may_ask(self, host: str) -> bool:
        """Whether allowedHosts lets a host be asked; it is written with its port where that is not the scheme's own."""
        if not self.allowed_hosts:
            return True
        spelled = host.lower()
        bare = spelled.rpartition(":")[0] if _has_port(spelled) else spelled
        return any(fnmatchcase(name, glob.lower()) for glob in self.allowed_hosts for name in {spelled, bare})

    def realms_of(self, *registries: str) -> tuple[str, ...]:
        """The realms that settings allow for a registry, under any of its names."""
        return tuple(realm for registry, realm in self.realms if registry in registries)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def _nobody(*_: object) -> None:
    """Where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The world's clocks, and who counts.

    clock: seconds that only grow. wall: seconds since 1970, for issued_at. sleep: for so many seconds. jitter: from 0
    to 1, by chance. on_request: host, method, status or error code, seconds; once for each request, with the redirects
    that it led to. on_cache: name of the cache, and hit, miss, evicted or stale (shown although its time was up).
    on_breaker: host, and closed, open or half-open. on_exchange: each request, those that redirects led to as well.
    on_answer: each document that was asked for and came. context: makes the context in which something is asked for on
    behalf of several; on_exchange and on_answer are called in it, or in the asker's.
    """

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    on_request: Callable[[str, str, str, float], None] = _nobody
    on_cache: Callable[[str, str], None] = _nobody
    on_program: Callable[[str, str], None] = _nobody
    on_breaker: Callable[[str, str], None] = _nobody
    on_exchange: Callable[[Exchanged], None] = _nobody
    on_answer: Callable[[Answered], None] = _nobody
    context: Callable[[], Context] = Context
