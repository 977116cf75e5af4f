"""The registries: one that is always well, one that wants a login, and some that fall ill in turn."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from tests.bench.setting import index
from tests.faults.catalogue import Illness, illnesses
from tests.faults.hosts import Sick, SickRegistry
from tests.faults.samples import IMAGES
from tests.soak.world import MOVING_TAGS, TENANTS
from tests.support.certificates import ADDRESSES, Signer, certificate, server_context
from tests.support.images import Image, document, multi, single
from tests.support.registry import Auth, Fault, Registry

WELL: Final = "well.example"
PRIVATE: Final = "private.example"
MANY: Final = 3000
"""Images that run everywhere: more than the cache has room for."""
SOME: Final = 200
"""Images of each further sort."""
ILL: Final = 12
"""Registries that fall ill."""
TAGS: Final = 6
"""Tags of each image of these."""
_TOKEN_SECONDS: Final = 60


def ill_name(number: int) -> str:
    """What pods call a registry that falls ill."""
    return f"ill-{number}.example"


def numbered(image: Image, number: int) -> Image:
    """The same image under another digest."""
    root = document(image.root.media_type, {**image.root.json, "annotations": {"number": str(number)}})
    return Image(root, image.manifests, image.blobs)


NOWHERE: Final = multi("linux/ppc64le")
"""An image that no node of the cluster runs."""


@dataclass(frozen=True)
class Registries:
    """All of them, and the faults that those that fall ill have in turn."""

    well: Registry
    private: SickRegistry
    ill: tuple[SickRegistry, ...]
    faults: tuple[Illness, ...]

    @property
    def all(self) -> tuple[Registry, ...]:
        """Each once."""
        return (self.well, self.private, *self.ill)

    def move(self, tag: int, *, runs: bool) -> None:
        """Makes a tag name an image that runs everywhere, or nowhere."""
        self.well.push("moving", numbered(index(0) if runs else NOWHERE, tag), str(tag))

    def move_ill(self, registry: int, name: str, tag: int, number: int) -> None:
        """Makes a tag name another image of the same platforms."""
        self.ill[registry].push(name, numbered(IMAGES[name], number), str(tag))

    def change_password(self, tenant: str, password: str) -> None:
        """The one before is good no more, and nor are the tokens that it led to."""
        auth = self.private.auth
        assert auth is not None
        auth.users = {**auth.users, tenant: password}
        for token, (user, _) in list(self.private.tokens.items()):
            if user == tenant:
                self.private.tokens[token] = (None, set())

    def forget_log(self) -> int:
        """How many requests there have been since the last time."""
        count = sum(len(registry.log) for registry in self.all)
        for registry in self.all:
            registry.log.clear()
        return count


@contextmanager
def registries(folder: Path) -> Iterator[Registries]:
    """All of them, well, with their images; `folder` gets what nodes have in /etc/containerd/certs.d."""
    authority, good, bad = _certificates(folder)
    with ExitStack() as stack:
        well = stack.enter_context(Registry())
        private = stack.enter_context(SickRegistry(good))
        ill = tuple(stack.enter_context(SickRegistry(good)) for _ in range(ILL))
        _fill(well, private, ill)
        for name, registry in {WELL: well, PRIVATE: private, **{ill_name(n): one for n, one in enumerate(ill)}}.items():
            _point(folder / "hosts" / name, registry, authority)
        yield Registries(well, private, ill, tuple(_reachable(one) for one in illnesses(bad) if one.names is None))


def _fill(well: Registry, private: SickRegistry, ill: tuple[SickRegistry, ...]) -> None:
    for number in range(MANY):
        well.push(f"runs-{number}", index(number), "1")
    for number in range(SOME):
        well.push(f"nowhere-{number}", numbered(NOWHERE, number), "1")
        well.push(f"amd64-{number}", single("linux/amd64", text=f"{number}\n"), "1")
        well.push(f"exempt/nowhere-{number}", numbered(NOWHERE, number), "1")
    well.push("two", multi("linux/amd64", "linux/arm64"), "1")
    well.push("amd64", multi("linux/amd64"), "1")
    well.push("s390x", multi("linux/s390x"), "1")
    for tag in range(MOVING_TAGS):
        well.push("moving", numbered(index(0) if tag % 2 == 0 else NOWHERE, tag), str(tag))
    private.auth = Auth(
        users={tenant: f"{tenant}-0" for tenant in TENANTS},
        may_see={f"{tenant}/{what}": [tenant] for tenant in TENANTS for what in ("runs", "nowhere")},
        token={"expires_in": _TOKEN_SECONDS},
    )
    for number, tenant in enumerate(TENANTS):
        private.push(f"{tenant}/runs", index(number), "1")
        private.push(f"{tenant}/nowhere", numbered(NOWHERE, number), "1")
    for registry in ill:
        for name, image in IMAGES.items():
            for tag in range(TAGS):
                registry.push(name, numbered(image, tag), str(tag))


def _point(folder: Path, registry: Registry, authority: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(f'server = "{registry.url}"\nca = "{authority}"\n')


def _certificates(folder: Path) -> tuple[Path, ssl.SSLContext, dict[str, ssl.SSLContext]]:
    """The file of the authority, and servers with a certificate that is good, and with such that are not."""
    trusted, other = certificate("soak CA", days=(-30, 30)), certificate("another CA", days=(-30, 30))
    file = folder / "registries.pem"
    file.write_bytes(trusted[0].public_bytes(Encoding.PEM))

    def server(
        issuer: Signer = trusted, names: tuple[str, ...] = ADDRESSES, days: tuple[int, int] = (-1, 9)
    ) -> ssl.SSLContext:
        return server_context(folder, certificate("registry", issuer, names=names, days=days))

    bad = {
        "expired": server(days=(-9, -2)),
        "not valid yet": server(days=(2, 9)),
        "of another name": server(names=("registry.elsewhere.example",)),
        "of an unknown authority": server(other),
    }
    return file, server(), bad


def _reachable(illness: Illness) -> Illness:
    """The catalogue's hosts are names like 127.0.0.3.HOST, which its own resolver knows; here they are addresses."""

    def changed(fault: Fault) -> Fault:
        headers = [(name, text.replace(".{host}", ":{port}")) for name, text in fault.headers]
        redirect = fault.redirect.replace(".{host}", ":{port}") if fault.redirect else None
        return replace(fault, headers=headers, redirect=redirect)

    sick: Sick = illness.sick
    return replace(illness, sick=replace(sick, faults=tuple(changed(fault) for fault in sick.faults)))
