"""What runs of the command line remember of registries, in a folder on disk (ADR 27).

A webhook lives for weeks and remembers in memory; `podgate check` and `podgate scan` end. Documents never change and
are kept by digest; what a tag was is kept with the time of asking. Failures are not kept. What was found with one set
of credentials is shown only to who comes with the very same ones: entries are known by the logins that would be tried,
by the hosts directory and the addresses that may be connected to.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from webhook.core.descriptor import digest_algorithm
from webhook.core.errors import RegistryError
from webhook.core.manifest import Document, Role
from webhook.core.reference import Reference
from webhook.core.wording import NOT_KEPT
from webhook.ports import Access, Image, Images
from webhook.registry.cache import Cache, Key
from webhook.registry.credentials import logins
from webhook.registry.kept_folder import KeptFolder
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.places import as_written

MAX_BYTES: Final = 256 << 20
"""Of a cache folder: an image takes about 10 KiB, so this is some 20,000 of them."""
STALE_SECONDS: Final = 86400.0
"""Offline, a tag that was asked for longer ago may well mean something else by now, and the verdict says so."""


def default_folder(environment: Mapping[str, str]) -> Path | None:
    """The user's cache folder (XDG Base Directory Specification: a relative path there does not count); None where
    there is no home."""
    base, home = environment.get("XDG_CACHE_HOME", ""), environment.get("HOME", "")
    if base.startswith("/"):
        return Path(base) / "podgate"
    return Path(home) / ".cache" / "podgate" if home.startswith("/") else None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a run uses a cache folder. ttl: seconds for which what a tag was is not asked for again, 0: it always is.
    Offline none is, whatever its age. max_bytes: of all files together. `clock`: seconds since 1970."""

    folder: Path
    ttl: float = 0.0
    max_bytes: int = MAX_BYTES
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class _Tag:
    """What a tag was, and when that was asked for."""

    digest: str
    asked: float


class KeptImages:
    """ports.Images that first looks into a folder. `images` None: offline, nothing is asked for; what the folder has
    not is a RegistryError (unavailable) that says so.

    To be closed: an async context manager, or `aclose`; it does not close `images`. A folder that cannot be used costs
    a note (`note`: a line for people) and the use of it, no more.
    """

    def __init__(
        self, images: Images | None, options: RegistryOptions, keeping: Keeping, note: Callable[[str], None]
    ) -> None:
        """options: those that `images` has; the credentials among them decide what is shown."""
        self._images = images
        self._options = options
        self._keeping = keeping
        self._folder = KeptFolder(keeping.folder, keeping.max_bytes, note, writing=images is not None)
        self._salt = self._folder.derived("logins")
        # What was read once is not read again, and what was concluded from it stays with it.
        self._memory = Cache(options.cache_bytes, Hooks())
        self._tags: dict[Key, _Tag] = {}
        self._on_disk: set[Key] = set()
        self._surroundings: str | None = None

    async def resolve(self, reference: Reference, access: Access) -> Image:
        """The root document of a reference: by its digest where it has one, else by its tag (default: latest)."""
        if reference.digest:
            return Image(reference, await self._document(reference, reference.digest, "manifest", access))
        key = await self._key(reference, "tag", reference.tag or "latest", access)
        tag = await self._tag(key)
        age = self._keeping.clock() - tag.asked if tag else 0.0
        offline = self._images is None
        if tag is not None and (offline or 0.0 <= age < self._keeping.ttl):
            root = await self._kept(_named(key, tag.digest))
            if root is not None:
                return Image(reference, root, stale=offline and not 0.0 <= age <= STALE_SECONDS)
        if self._images is None:
            raise _not_kept(reference)
        asked = self._keeping.clock()
        image = await self._images.resolve(reference, access)
        if not image.stale:
            await self._keep(_named(key, image.root.digest), image.root)
            await self._keep_tag(key, _Tag(image.root.digest, asked))
        return image

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        """A document of the reference's repository by digest, its hash checked."""
        return await self._document(reference, digest, role, access)

    def at_hand(self, _: Reference, _access: Access) -> Image | None:
        """Never: which login sees what takes asking, and a run judges most objects once."""
        return None

    def document_at_hand(self, _: Reference, _digest: str, _role: Role, _access: Access) -> Document | None:
        """As above."""
        return None

    async def known_lists(self, reference: Reference, digest: str, access: Access) -> tuple[Document, ...]:
        """Those that `images` knows of; none offline: what earlier runs were about must not change a verdict."""
        return () if self._images is None else await self._images.known_lists(reference, digest, access)

    async def aclose(self) -> None:
        """Makes room in the folder and lets go of it."""
        await asyncio.to_thread(self._folder.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _document(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        key = await self._key(reference, role, digest, access)
        found = await self._kept(key)
        if found is not None:
            return found
        if self._images is None:
            raise _not_kept(reference)
        found = await self._images.fetch(reference, digest, role, access)
        await self._keep(key, found)
        return found

    async def _key(
        self, reference: Reference, what: Literal["manifest", "config", "tag"], name: str, access: Access
    ) -> Key:
        """How something is known to those who see it as this access does. Raises what asking a registry would raise
        before anything is sent: blocked-host, BadCredentials, RegistryError where the time is up."""
        if not self._options.may_ask(reference.domain):
            raise RegistryError("blocked-host", f"allowedHosts leaves out {reference.domain}")
        tried = [login.viewer async for login in logins(reference, access, self._options.own, self._salt)]
        if self._surroundings is None:
            hosts = await asyncio.to_thread(as_written, self._options.hosts_dir)
            self._surroundings = json.dumps([hosts, repr(self._options.addresses)])
        return Key(json.dumps([*tried, self._surroundings]), reference.domain, reference.path, what, name)

    async def _kept(self, key: Key) -> Document | None:
        """A document that memory or the folder has."""
        known = self._memory.document(key)
        if known is not None:
            return known
        content = await asyncio.to_thread(self._folder.read, self._folder.name(*key))
        document = _read_document(content, key.name) if content else None
        if document is not None:
            self._on_disk.add(key)
            self._memory.remember(key, document)
        return document

    async def _keep(self, key: Key, document: Document) -> None:
        self._memory.remember(key, document)
        if key not in self._on_disk:
            self._on_disk.add(key)
            name = self._folder.name(*key)
            await asyncio.to_thread(self._folder.write, name, _written(document))

    async def _tag(self, key: Key) -> _Tag | None:
        if key not in self._tags:
            content = await asyncio.to_thread(self._folder.read, self._folder.name(*key))
            tag = _read_tag(content) if content else None
            if tag is None:
                return None
            self._tags[key] = tag
        return self._tags[key]

    async def _keep_tag(self, key: Key, tag: _Tag) -> None:
        """Notes what a tag was. What `images` itself answers from memory, within its tagTTL, is not written anew."""
        before = self._tags.get(key)
        if before is None or before.digest != tag.digest or tag.asked - before.asked >= self._options.tag_ttl:
            self._tags[key] = tag
            content = json.dumps({"digest": tag.digest, "asked": tag.asked}).encode()
            await asyncio.to_thread(self._folder.write, self._folder.name(*key), content)


def _named(key: Key, digest: str) -> Key:
    """The key of what a tag names, for the same viewer."""
    return key._replace(what="manifest", name=digest)


def _not_kept(reference: Reference) -> RegistryError:
    return RegistryError("unavailable", f"offline, and the cache folder has no {reference}", told=NOT_KEPT)


def _written(document: Document) -> bytes:
    return json.dumps({"mediaType": document.media_type}).encode() + b"\n" + document.body


def _read_document(content: bytes, digest: str) -> Document | None:
    """A document as it was written, its hash checked; None where it is not that."""
    head, _, body = content.partition(b"\n")
    algorithm = digest_algorithm(digest)
    if algorithm is None or hashlib.new(algorithm, body).hexdigest() != digest.partition(":")[2]:
        return None
    try:
        media_type = json.loads(head)["mediaType"]
    except (ValueError, KeyError, TypeError):
        return None
    return Document(str(media_type), digest, body)


def _read_tag(content: bytes) -> _Tag | None:
    try:
        written = json.loads(content)
        tag = _Tag(str(written["digest"]), float(written["asked"]))
    except (ValueError, KeyError, TypeError):
        return None
    return tag if digest_algorithm(tag.digest) else None
