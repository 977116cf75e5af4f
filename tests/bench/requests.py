"""What a look-up costs the registry, read from the registry's own log, against the least that it can be."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.setting import Run
from tests.support.images import multi, single
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.core.reference import parse_image
from webhook.ports import Access, Image
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages

Case = Callable[[RegistryImages, Registry], Coroutine[None, None, None]]


async def _root(images: RegistryImages, text: str) -> Image:
    return await images.resolve(parse_image(text), Access())


async def _whole(images: RegistryImages, text: str) -> None:
    """A single manifest and its config."""
    image = await _root(images, text)
    await images.fetch(image.reference, image.root.manifest.config.digest, "config", Access())


async def _index(images: RegistryImages, _: Registry) -> None:
    await _root(images, "reg.example/app:index")


async def _manifest(images: RegistryImages, _: Registry) -> None:
    await _whole(images, "reg.example/app:manifest")


async def _known_digest(images: RegistryImages, registry: Registry) -> None:
    image = await _root(images, "reg.example/app:index")
    registry.log.clear()
    await _root(images, f"reg.example/app@{image.root.digest}")


async def _known_tag(images: RegistryImages, registry: Registry) -> None:
    await _root(images, "reg.example/app:index")
    registry.log.clear()
    await _root(images, "reg.example/app:index")


async def _hundred_at_once(images: RegistryImages, _: Registry) -> None:
    await asyncio.gather(*(_root(images, "reg.example/app:index") for _ in range(100)))


class _Clock:
    """A clock that a case moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


_CLOCK = _Clock()


async def _outdated(images: RegistryImages, registry: Registry) -> None:
    await _root(images, "reg.example/app:index")
    _CLOCK.now += 61
    registry.log.clear()


async def _unmoved(images: RegistryImages, registry: Registry) -> None:
    await _outdated(images, registry)
    await _root(images, "reg.example/app:index")
    assert [asked.method for asked in registry.log] == ["HEAD"]


async def _moved(images: RegistryImages, registry: Registry) -> None:
    await _outdated(images, registry)
    registry.push("app", multi("linux/riscv64"), "index")
    await _root(images, "reg.example/app:index")


async def _without_head(images: RegistryImages, registry: Registry) -> None:
    registry.faults = [Fault(method="HEAD", status=405)]
    await _outdated(images, registry)
    await _root(images, "reg.example/app:index")  # learns it
    _CLOCK.now += 61
    registry.log.clear()
    await _root(images, "reg.example/app:index")


async def _unmoved_behind_token(images: RegistryImages, registry: Registry) -> None:
    registry.auth = Auth(public={"app"})
    await _unmoved(images, registry)


async def _token_expired(images: RegistryImages, registry: Registry) -> None:
    registry.auth = Auth(public={"app"})
    await _outdated(images, registry)
    _CLOCK.now += 300
    await _root(images, "reg.example/app:index")


async def _down(images: RegistryImages, registry: Registry) -> None:
    await _outdated(images, registry)
    registry.faults = [Fault(status=503)]
    assert (await _root(images, "reg.example/app:index")).stale


async def _left_alone(images: RegistryImages, registry: Registry) -> None:
    await _down(images, registry)
    await _root(images, "reg.example/app:index")
    registry.log.clear()
    assert (await _root(images, "reg.example/app:index")).stale


async def _missing_twice(images: RegistryImages, registry: Registry) -> None:
    for _ in range(2):
        with suppress(RegistryError):
            await _root(images, "reg.example/app:absent")


async def _bearer(images: RegistryImages, registry: Registry) -> None:
    registry.auth = Auth(public={"app"})
    await _root(images, "reg.example/app:index")


async def _second_with_token(images: RegistryImages, registry: Registry) -> None:
    await _bearer(images, registry)
    registry.log.clear()
    await _root(images, "reg.example/app:other")


CASES: tuple[tuple[str, Case, int], ...] = (
    ("unseen index by tag", _index, 1),
    ("unseen single manifest by tag", _manifest, 2),
    ("known digest", _known_digest, 0),
    ("known tag, within its time", _known_tag, 0),
    ("unseen index, 100 askers at once", _hundred_at_once, 1),
    ("unseen index behind a token (challenge, token, index)", _bearer, 3),
    ("second image of a repository with a token", _second_with_token, 1),
    ("tag whose time is up, not moved (HEAD)", _unmoved, 1),
    ("tag whose time is up, moved (HEAD, GET)", _moved, 2),
    ("tag whose time is up, registry without HEAD", _without_head, 1),
    ("tag whose time is up, behind a token", _unmoved_behind_token, 1),
    ("tag whose time is up, token expired (token, HEAD)", _token_expired, 2),
    ("registry down, asked three times, answered by what it said before", _down, 3),
    ("registry down, circuit open", _left_alone, 0),
    ("image that is not there, asked for twice", _missing_twice, 1),
)


async def _no_time(_: float) -> None:
    """Pauses before retries take none."""


@asynccontextmanager
async def _client(registry: Registry) -> AsyncIterator[RegistryImages]:
    with tempfile.TemporaryDirectory() as folder:
        registry.serve_as("reg.example", Path(folder))
        addresses = AddressPolicy(allowed=(ip_network("127.0.0.0/8"),))
        hooks = Hooks(clock=_CLOCK, sleep=_no_time)
        async with RegistryImages(RegistryOptions(hosts_dir=Path(folder), addresses=addresses), hooks) as images:
            yield images


async def figures(_: Run) -> list[Figure]:
    """One figure a case: requests that arrived, bound by the floor."""
    logging.getLogger("podgate").setLevel(logging.CRITICAL)  # some cases are made of faults
    found = []
    for name, case, floor in CASES:
        with Registry() as registry:
            registry.push("app", multi("linux/amd64", "linux/arm64"), "index")
            registry.push("app", multi("linux/amd64", "linux/s390x"), "other")
            registry.push("app", single("linux/arm64"), "manifest")
            async with _client(registry) as images:
                await case(images, registry)
            found.append(Figure(f"requests: {name}", len(registry.log), "requests", floor, "exactly"))
    return found
