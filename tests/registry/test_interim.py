"""Interim answers: a few are passed over, and a server that sends them without end is given up at once."""

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.interim import Interim
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"


def answer(body: bytes, before: bytes) -> Fault:
    return Fault(raw=before + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.parametrize("before", [b"HTTP/1.1 100 Continue\r\n\r\n", HINTS * 5])
async def test_a_few_are_passed_over(registry: Registry, images: RegistryImages, before: bytes):
    image = build.multi("linux/amd64")
    registry.faults = [answer(image.root.body, before)]
    assert (await images.resolve(TAGGED, access())).root.digest == image.digest


async def test_more_are_no_answer(registry: Registry, images: RegistryImages, setting: Setting):
    """Go's net/http, by which nodes pull, bears five."""
    registry.faults = [answer(build.multi("linux/amd64").root.body, HINTS * 6)]
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, access())
    assert (caught.value.code, len(setting.pauses)) == ("unavailable", 2)


def feed(looking: Interim, data: bytes, size: int) -> None:
    for begin in range(0, len(data), size):
        looking.received(data[begin : begin + size])


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_however_they_are_cut_into_pieces(size: int):
    good = HINTS * 5 + b"HTTP/1.1 200 OK\r\n\r\n" + HINTS * 9  # what looks like one in a body is none
    looking = Interim()
    for _ in range(2):  # the second answer of a connection
        looking.sent()
        feed(looking, good, size)
    looking.sent()
    with pytest.raises(Exception, match="too many"):
        feed(looking, HINTS * 6, size)


def test_one_without_end_is_given_up():
    looking = Interim()
    with pytest.raises(Exception, match="too long"):
        feed(looking, b"HTTP/1.1 103 Early Hints\r\n" + b"Link: x\r\n" * 3000, 100)


def test_what_follows_switching_protocols_is_not_looked_at():
    looking = Interim()
    looking.received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + HINTS * 9)
