"""What the tests of the registry client have in common."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.support.certificates import make_ca
from tests.support.registry import Registry
from webhook.core.keyring import PullSecret
from webhook.core.reference import Reference, parse_image
from webhook.ports import Access
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import Legacy, RegistryImages

LOOPBACK = AddressPolicy(allowed=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Setting:
    """A client under test, and what it was told and tells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.pauses: list[float] = []
        self._over = asyncio.Event()
        self._over.set()
        self.states: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str, str]] = []
        self.lookups: list[tuple[str, str]] = []
        self.opened: list[RegistryImages] = []

    def serve(self, name: str, *registries: Registry, text: str | None = None) -> None:
        """A hosts.toml by which a registry's name leads to servers of the test: mirrors, and last the server."""
        *mirrors, server = [registry.url for registry in registries] or [""]
        lines = [f'server = "{server}"', *(f'[host."{mirror}"]' for mirror in mirrors)]
        directory = self.folder / name
        directory.mkdir(exist_ok=True)
        (directory / "hosts.toml").write_text("\n".join(lines) if text is None else text)

    async def sleep(self, seconds: float) -> None:
        """Takes no time, but the clock goes on."""
        self.pauses.append(seconds)
        self.clock.now += seconds
        await self._over.wait()

    def until(self, over: asyncio.Event) -> None:
        """Sleep lasts until then."""
        self._over = over

    def images(self, **options: object) -> RegistryImages:
        """A client; `legacy` is what it takes over."""
        legacy = options.pop("legacy", None)
        assert legacy is None or isinstance(legacy, Legacy)
        hooks = Hooks(
            clock=self.clock,
            wall=self.clock,
            sleep=self.sleep,
            jitter=lambda: 1.0,
            on_breaker=lambda host, state: self.states.append((host, state)),
            on_request=lambda host, method, code, _: self.requests.append((host, method, code)),
            on_cache=lambda cache, result: self.lookups.append((cache, result)),
        )
        values: dict[str, object] = {"hosts_dir": self.folder, "addresses": LOOPBACK, **options}
        made = RegistryImages(RegistryOptions(**values), hooks, legacy)  # type: ignore[arg-type] # a test names any of them
        self.opened.append(made)
        return made


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    folder = tmp_path / "hosts"
    folder.mkdir()
    made = Setting(folder)
    yield made
    for images in made.opened:
        await images.aclose()


@pytest.fixture
def registry(setting: Setting) -> Iterator[Registry]:
    """A registry that is known as reg.example."""
    with Registry() as served:
        setting.serve("reg.example", served)
        yield served


@pytest.fixture
def images(setting: Setting, registry: Registry) -> RegistryImages:
    return setting.images()


def reference(text: str) -> Reference:
    """A reference, parsed."""
    return parse_image(text)


def secret(auths: dict[str, str], name: str = "pull") -> PullSecret:
    """A pull secret of user:password by key."""
    entries = {key: {"auth": base64.b64encode(pair.encode()).decode()} for key, pair in auths.items()}
    return PullSecret("default", name, "kubernetes.io/dockerconfigjson", json.dumps({"auths": entries}).encode())


def access(*pairs: str, deadline: float | None = None) -> Access:
    """An access with a secret for reg.example for each user:password."""
    secrets = tuple(secret({"reg.example": pair}, f"pull-{number}") for number, pair in enumerate(pairs))
    return Access("default", secrets, deadline)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with ca.pem, and cert.pem with key.pem for localhost."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    make_ca(folder)
    return folder


def server_tls(certificates: Path, *, client_certificate: bool = False) -> ssl.SSLContext:
    """A server's context; it may want a client certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    if client_certificate:
        context.load_verify_locations(certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context
