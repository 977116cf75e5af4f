"""Memory: what a fault leaves behind, and how much of what registries send is held at a time."""

import asyncio
import gc
import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.hosts import Sick, SickRegistry
from tests.registry.conftest import Setting, access, reference, server_tls
from tests.support.images import OCI_INDEX, Content, multi
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.manifest import Document
from webhook.registry.body import SMALL, read_document
from webhook.registry.resolver import RegistryImages

LARGE = Content(OCI_INDEX, b'{"manifests":[]}'.ljust(5 * SMALL))


async def code_of(images: RegistryImages, tag: str, *users: str) -> str | None:
    """What kept a tag from being resolved, if anything."""
    try:
        await images.resolve(reference(f"reg.example/app:{tag}"), access(*users))
    except RegistryError as error:
        return error.code
    return None


@contextmanager
def cycles() -> Iterator[list[object]]:
    """What only Python's search for cycles would free of that which is done within; known at the end."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=503), "unavailable"),
        (Fault(close=True), "unavailable"),
        (Fault(status=404), "not-found"),
        (Fault(status=401), "unauthorized"),
        (Fault(status=401, headers=[("WWW-Authenticate", 'Bearer realm="://"')]), "malformed"),
        (Fault(endless=True), "too-large"),
        (Fault(raw=b"SSH-2.0-OpenSSH_9.9\r\n"), "unavailable"),
        (Fault(body=b"{", headers=[("Docker-Content-Digest", f"sha256:{64 * '0'}")]), None),
    ],
)
async def test_a_fault_is_gone_when_it_has_been_told(registry: Registry, images: RegistryImages, fault: Fault, code):
    """Its trace holds the frames of all it went through, and these the answer, which may be of 4 MiB."""
    registry.push("app", multi("linux/amd64"), "1", "2")
    registry.faults = [fault]
    assert await code_of(images, "1") == code  # what is only made once is made now
    with cycles() as left:
        assert await code_of(images, "2") == code
    assert not [one for one in left if isinstance(one, RegistryError | MalformedDocument)]


async def test_so_is_a_refusal_of_each_login(registry: Registry, images: RegistryImages):
    registry.push("app", multi("linux/amd64"), "1", "2")
    registry.auth = Auth(users={"u": "right"})
    for tag in ("1", "2"):
        with cycles() as left:
            assert await code_of(images, tag, "u:wrong", "v:wrong") == "unauthorized"
    assert not [one for one in left if isinstance(one, RegistryError)]


def test_of_a_document_that_is_none_the_text_is_kept_once():
    document = Document(OCI_INDEX, "sha256:0", b'{"manifests": 5}')
    with pytest.raises(MalformedDocument):
        _ = document.index
    kept = document._index
    assert isinstance(kept, MalformedDocument)
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)


@pytest.mark.parametrize(("size", "taken"), [(SMALL, 0), (SMALL + 1, 1), (20 * SMALL, 1)])
@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
@pytest.mark.parametrize("broken", [False, True])
async def test_what_is_not_small_takes_room_and_gives_it_back(
    size: int, taken: int, headers: dict[str, str], broken: bool
):
    inside: list[str] = []

    @asynccontextmanager
    async def room() -> AsyncIterator[None]:
        inside.append("in")
        try:
            yield
        finally:
            inside.append("out")

    body = bytes(size)
    text = gzip.compress(body) if headers else body

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(text), 10_000):
            yield text[start : start + 10_000]
        if broken:
            raise httpx.ReadError("reset")

    response = httpx.Response(200, headers=headers, content=pieces())
    if broken:
        with pytest.raises(httpx.ReadError):
            await read_document(response, 1 << 24, room)
    else:
        assert await read_document(response, 1 << 24, room) == body
    assert inside == ["in", "out"] * taken


async def test_a_host_that_does_not_end_its_large_documents_keeps_nobody_else_from_theirs(
    setting: Setting, registry: Registry, certificates: Path
):
    registry.hold("app", "manifests", "1", LARGE)
    with SickRegistry(server_tls(certificates)) as sick:
        setting.serve("sick.example", text=f'server = "{sick.url}"\nca = "{certificates / "ca.pem"}"\n')
        for tag in ("1", "2", "3"):
            sick.hold("app", "manifests", tag, LARGE)
        sick.sick = Sick(ends="mute", after="body")
        images = setting.images(request_timeout=0.4)
        stuck = [asyncio.create_task(detail_of(images, tag)) for tag in ("1", "2", "3")]
        while len(sick.log) < 3:  # noqa: ASYNC110  # the registry lives in a thread of its own
            await asyncio.sleep(0.01)
        assert (await images.resolve(reference("reg.example/app:1"), access())).root.digest == LARGE.digest
        details = sorted(await asyncio.gather(*stuck))
    assert details == ["no answer in time (TimeoutError)"] * 2 + ["too many other large documents are being read"]
    assert setting.states == []


async def detail_of(images: RegistryImages, tag: str) -> str:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(reference(f"sick.example/app:{tag}"), access())
    assert caught.value.code == "timeout"
    return caught.value.detail
