"""What a look-up costs the registry, read from the registry's own log, against the least that it can be."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

from tests.bench.figures import Figure
from tests.support.images import multi, single
from tests.support.registry import Auth, Registry
from webhook.core.reference import parse_image
from webhook.ports import Access, Image
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import RegistryOptions
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
)


@asynccontextmanager
async def _client(registry: Registry) -> AsyncIterator[RegistryImages]:
    with tempfile.TemporaryDirectory() as folder:
        host = Path(folder) / "reg.example"
        host.mkdir()
        (host / "hosts.toml").write_text(f'server = "{registry.url}"\n')
        addresses = AddressPolicy(allowed=(ip_network("127.0.0.0/8"),))
        async with RegistryImages(RegistryOptions(hosts_dir=Path(folder), addresses=addresses)) as images:
            yield images


async def figures() -> list[Figure]:
    """One figure a case: requests that arrived, bound by the floor."""
    found = []
    for name, case, floor in CASES:
        with Registry() as registry:
            registry.push("app", multi("linux/amd64", "linux/arm64"), "index")
            registry.push("app", multi("linux/amd64", "linux/s390x"), "other")
            registry.push("app", single("linux/arm64"), "manifest")
            async with _client(registry) as images:
                await case(images, registry)
            found.append(Figure(f"requests: {name}", len(registry.log), "requests", floor))
    return found
