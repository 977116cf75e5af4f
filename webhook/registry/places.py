"""Where a registry lives: the endpoints of the hosts directory, in the order in which they are tried."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus

from webhook.core.errors import MalformedSettings, RegistryError
from webhook.core.hosts import HostConfig, named_files, registry_hosts
from webhook.registry.flight import Flights
from webhook.registry.options import Hooks
from webhook.registry.tls import PLAIN, Client, Tls

# containerd reads the directory for each pull; a changed file counts here after so many seconds.
_FRESH_SECONDS: Final = 10.0
# Certificates and hosts.toml are small: more is a mistake, and must not fill the memory.
_LARGEST_FILE: Final = 1 << 20

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]*CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint of a registry. `scheme` and `host` are its origin; `path` goes before the repository. `resolves`,
    `pulls`: whether it is asked for tags, for content. `http_fallback`: https first, http where that is not spoken.
    `mirrors`: the registry that it stands in for, empty where it is the registry itself."""

    scheme: str
    host: str
    path: str = "/v2"
    resolves: bool = True
    pulls: bool = True
    http_fallback: bool = False
    mirrors: str = ""
    tls: Tls = PLAIN
    header: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    dial_timeout: float | None = None

    @property
    def origin(self) -> str:
        """What a challenge and a token are remembered for."""
        return f"{self.scheme}://{self.host}"

    def url(self, repository: str, what: str, name: str) -> str:
        """The URL of a document. A mirror is told whose document it is (containerd's `ns`)."""
        query = f"?ns={quote_plus(self.mirrors)}" if self.mirrors else ""
        return f"{self.scheme}://{self.host}{self.path}/{repository}/{what}/{name}{query}"


class Places:
    """The hosts directory, as it is on disk now or was a few seconds ago."""

    def __init__(self, root: Path | None, hooks: Hooks) -> None:
        self._root = root
        self._hooks = hooks
        self._files: Mapping[str, str] = {}
        self._read_at: float | None = None
        self._places: dict[str, tuple[Place, ...]] = {}
        self._flights: Flights[None] = Flights()

    async def of(self, domain: str) -> tuple[Place, ...]:
        """The endpoints of a registry. Raises RegistryError where the directory, or what it says, cannot be used:
        containerd then pulls nothing at all."""
        now = self._hooks.clock()
        if self._root is not None and (self._read_at is None or now - self._read_at >= _FRESH_SECONDS):
            await self._flights.share("", self._read)
        root = self._root
        if root is None:
            return _places(None, {}, domain)
        found = self._places.get(domain)
        if found is None:
            # Many ask for a registry at once: only where there is something to be read it is worth a thread for each.
            if _reads_more(self._files, domain):
                found = await asyncio.to_thread(_places, root, self._files, domain)
            else:
                found = _places(root, self._files, domain)
            self._places[domain] = found
        return found

    async def prepare(self) -> None:
        """Reads the directory before anybody asks. Raises RegistryError."""
        if self._root is not None:
            await self._flights.share("", self._read)

    async def aclose(self) -> None:
        """Stops reading."""
        await self._flights.aclose()

    async def _read(self) -> None:
        assert self._root is not None
        self._files = await asyncio.to_thread(_tree, self._root)
        self._places = {}
        self._read_at = self._hooks.clock()


def as_written(root: Path | None) -> str:
    """What tells hosts directories apart by what stands in them: the same in each run, and not to be read backwards.
    Raises RegistryError where the directory cannot be read."""
    files = {} if root is None else _tree(root)
    return hashlib.sha256(repr(sorted(files.items())).encode("utf-8", "backslashreplace")).hexdigest()


def _tree(root: Path) -> dict[str, str]:
    """The files of the root and of its directories; names that begin with .. are Kubernetes' own (..data)."""
    files: dict[str, str] = {}
    for entry in _entries(root):
        if not entry.is_dir():
            files[entry.name] = _text(entry)
            continue
        files[f"{entry.name}/"] = ""
        for child in _entries(entry):
            name = f"{entry.name}/{child.name}"
            files |= {f"{name}/": ""} if child.is_dir() else {name: _text(child)}
    return files


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(entry for entry in directory.iterdir() if not entry.name.startswith(".."))
    except OSError as error:
        raise _unreadable(directory, error) from error


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise _unreadable(file, error) from error
    if len(content) > _LARGEST_FILE:
        raise RegistryError("unavailable", f"a file of the hosts directory is too large: {file.name}")
    return content.decode("utf-8", "surrogateescape")


def _unreadable(path: Path, error: OSError) -> RegistryError:
    return RegistryError("unavailable", f"the hosts directory: {path} cannot be read: {error.strerror}")


def _reads_more(files: Mapping[str, str], domain: str) -> bool:
    """Whether the configuration of a registry names files outside of the directory."""
    try:
        return any(name not in files for name in named_files(files, domain))
    except MalformedSettings:
        return False


def _places(root: Path | None, files: Mapping[str, str], domain: str) -> tuple[Place, ...]:
    try:
        if root is not None:
            elsewhere = [name for name in named_files(files, domain) if name not in files]
            files = {**files, **{name: _text(root / name) for name in elsewhere if (root / name).is_file()}}
        return tuple(_place(root, files, domain, config) for config in registry_hosts(files, domain))
    except MalformedSettings as error:
        raise RegistryError("unavailable", f"the hosts directory: {error}") from error


def _place(root: Path | None, files: Mapping[str, str], domain: str, config: HostConfig) -> Place:
    itself = config.host == domain or (domain, config.host) == ("docker.io", "registry-1.docker.io")
    return Place(
        scheme=config.scheme,
        host=config.host,
        path=config.path,
        resolves={"pull", "resolve"} <= set(config.capabilities),
        pulls="pull" in config.capabilities,
        http_fallback=config.http_fallback,
        mirrors="" if itself else domain,
        tls=Tls(
            verify=not config.skip_verify,
            authorities=tuple(pem for name in config.ca for pem in _PEM.findall(files[name])),
            clients=tuple(_client(root or Path(), files, pair) for pair in config.client),
        ),
        header=tuple((name, value) for name, values in config.header for value in values),
        dial_timeout=config.dial_timeout,
    )


def _client(root: Path, files: Mapping[str, str], pair: tuple[str, str]) -> Client:
    text = "\0".join(files[name] for name in pair)
    stamp = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return Client(str(root / pair[0]), str(root / pair[1]), stamp)
