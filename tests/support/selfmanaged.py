"""A cluster for self-managed certificates: what an installation makes, replicas by clocks of their own, and a client
that trusts what an API server would."""

import base64
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tests.cluster.test_reflector import connection_to
from tests.support.apiserver import ApiServer
from tests.support.resources import CONFIGURATIONS
from webhook.cluster.certificates import Clocks, How, Places, Rhythm, SelfManaged
from webhook.cluster.connection import Connection
from webhook.core.rotation import Lives

DAY = 86400.0
LIVES = Lives(authority=730 * DAY, leaf=90 * DAY, seen=30.0)
PLACES = Places("podgate", "podgate-tls-self", "podgate-tls-self", "podgate", "podgate")
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
SECRET = "podgate/podgate-tls-self"
BRISK = Rhythm(look=0.01, first_delay=0.01, longest_delay=0.05)


def install(server: ApiServer, webhooks: Sequence[str] = ("validate.podgate.dev",)) -> None:
    """What the manifests make: all of it empty."""
    place = {"name": "podgate-tls-self", "namespace": "podgate"}
    server.put("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": dict(place), "type": "Opaque"})
    server.put("leases", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(place)})
    entries = [{"name": name, "clientConfig": {"service": {"name": "podgate"}}} for name in webhooks]
    server.put(CONFIGURATIONS, {"metadata": {"name": "podgate"}, "webhooks": entries})


def fill(server: ApiServer, data: dict[str, bytes]) -> None:
    """Put something else into the Secret."""
    secret = {**server.get("secrets", SECRET)}
    secret["data"] = {key: base64.b64encode(value).decode() for key, value in data.items()}
    server.put("secrets", secret)


def data(server: ApiServer) -> dict[str, bytes]:
    """What the Secret holds."""
    held = server.get("secrets", SECRET).get("data") or {}
    return {key: base64.b64decode(value) for key, value in held.items()}


def bundles(server: ApiServer) -> list[bytes]:
    """The webhooks' bundles."""
    webhooks = server.get(CONFIGURATIONS, "podgate")["webhooks"]
    return [base64.b64decode(webhook["clientConfig"].get("caBundle", "")) for webhook in webhooks]


def trust(server: ApiServer, *texts: bytes) -> None:
    """Make the webhooks' bundles these; empty: none."""
    configuration: Any = {**server.get(CONFIGURATIONS, "podgate")}
    webhooks = []
    for webhook, text in zip(configuration["webhooks"], texts, strict=True):
        client = {key: value for key, value in webhook["clientConfig"].items() if key != "caBundle"}
        if text:
            client["caBundle"] = base64.b64encode(text).decode()
        webhooks.append({**webhook, "clientConfig": client})
    server.put(CONFIGURATIONS, {**configuration, "webhooks": webhooks})


def verifies(chain: bytes, bundle: bytes, now: float) -> bool:
    """Whether an API server with this bundle takes a certificate for podgate's at a time."""
    authorities = x509.load_pem_x509_certificates(bundle) if bundle.strip() else []
    if not authorities:
        return False
    time = dt.datetime.fromtimestamp(now, dt.UTC)
    verifier = PolicyBuilder().store(Store(authorities)).time(time)
    try:
        verifier.build_server_verifier(x509.DNSName("podgate.podgate.svc")).verify(
            x509.load_pem_x509_certificate(chain), []
        )
    except VerificationError:
        return False
    return True


@dataclass
class Time:
    """The true time, in seconds since 1970. It does not move by itself."""

    now: float = START


@dataclass
class Replica:
    """One podgate. `served` are the pairs that it was given, the last of which it serves."""

    keeper: SelfManaged
    connection: Connection
    served: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def settle(self) -> None:
        """Look until there is nothing to do at the moment."""
        while await self.keeper.step():
            pass


async def replica(
    server: ApiServer, time: Time, skew: float = 0.0, lives: Lives = LIVES, identity: str = "one"
) -> Replica:
    """A replica whose clock is `skew` seconds ahead."""
    served: list[tuple[bytes, bytes]] = []
    clocks = Clocks(lambda: time.now + skew, lambda: time.now)
    connection = await connection_to(server)

    def take(chain: bytes, key: bytes) -> None:
        served.append((chain, key))

    return Replica(SelfManaged(connection, PLACES, How(lives, BRISK, clocks), take, identity), connection, served)


class World:
    """Replicas in one cluster, and what must hold at every moment."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.time = Time()
        self.replicas: list[Replica] = []

    async def add(self, skew: float = 0.0) -> Replica:
        made = await replica(self.server, self.time, skew, identity=f"replica-{len(self.replicas)}")
        self.replicas.append(made)
        return made

    async def settle(self) -> None:
        """All replicas look, one after another, until none has anything to do now."""
        for each in self.replicas:
            await each.settle()

    async def pass_by(self, seconds: float, step: float = 10.0) -> None:
        """Time goes by, with a look every few seconds; what is served is trusted all the while."""
        end = self.time.now + seconds
        while self.time.now < end:
            self.time.now = min(end, self.time.now + step)
            await self.settle()
            self.check()

    def check(self) -> None:
        """Whatever is served verifies against the bundle of every webhook."""
        for each in self.replicas:
            for bundle in bundles(self.server):
                assert verifies(each.served[-1][0], bundle, self.time.now)

    async def close(self) -> None:
        for each in self.replicas:
            await each.connection.close()


def authorities(world: World) -> int:
    return bundles(world.server)[0].count(b"BEGIN CERTIFICATE")


def leaf(each: Replica) -> x509.Certificate:
    return x509.load_pem_x509_certificate(each.served[-1][0])
