"""Self-managed certificates: keeps Secret, bundle and server in step, in each replica, for as long as it runs.

What is to be done is decided by core/rotation.py; here it is read, written, and tried again. See
docs/adr/0018-self-managed-certificates.md.
"""

import asyncio
import base64
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import quote

from webhook.cluster.authority import Material, read_material, with_authority, with_leaf
from webhook.cluster.bundles import BundleKeeper, Bundles
from webhook.cluster.connection import Connection
from webhook.cluster.lease import Turn
from webhook.core.errors import CannotServe, ClusterUnavailable
from webhook.core.rotation import Leaf, Lives, MakeAuthority, Plan, SignLeaf, plan, too_early

_REQUEST_SECONDS: Final = 10.0
_AT_ONCE: Final = 5
"""Looks in a row that follow one another at once, each since there was something to do. More of them are a fight over
the bundle with somebody, in which podgate keeps its pace."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: Secret and Lease in podgate's own namespace, its webhook configuration, and its Service."""

    namespace: str
    secret: str
    lease: str
    configuration: str
    service: str

    @property
    def names(self) -> Sequence[str]:
        """What the certificate is for: the name that API servers call (the first), and those that people try."""
        local = f"{self.service}.{self.namespace}"
        return (f"{local}.svc", f"{local}.svc.cluster.local", local, self.service)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between two looks; the pause after the first failure, which doubles with each further one; its bound.
    Each is up to a half shorter, so that replicas do not come at once."""

    look: float = 3.0
    first_delay: float = 0.5
    longest_delay: float = 30.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time that certificates know (seconds since 1970), and one that never jumps."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class How:
    """How long things last, and by which clocks."""

    lives: Lives
    rhythm: Rhythm = Rhythm()
    clocks: Clocks = Clocks()


class SelfManaged:
    """The work of one replica. `hand_over` is given each serving pair, chain and key as PEM, and may raise
    CannotServe."""

    def __init__(
        self,
        connection: Connection,
        places: Places,
        how: How,
        hand_over: Callable[[bytes, bytes], None],
        identity: str,
    ) -> None:
        self._connection = connection
        self._places = places
        self._how = how
        self._hand_over = hand_over
        self._keeper = BundleKeeper(connection, places.configuration)
        self._turn = Turn(connection, (places.namespace, places.lease), identity, how.clocks.steady)
        self._secret_path = f"/api/v1/namespaces/{quote(places.namespace)}/secrets/{quote(places.secret, safe='')}"
        self._told: dict[str, str] = {}
        self._served: tuple[bytes, Leaf] | None = None
        """The chain that is served, as it is and in short."""
        self._last: Material | None = None
        self._failed = False
        self._failures = 0
        """Looks in a row at which something failed."""

    async def run(self) -> NoReturn:
        """Look, do what is due, and look again, until cancelled."""
        in_a_row = 0
        while True:
            try:
                again = await self.step()
            except Exception:  # noqa: BLE001  # a bug must not end the renewal for good
                _log.exception("The certificates could not be looked at")
                again, self._failed = False, True
            self._failures = self._failures + 1 if self._failed else 0
            in_a_row = in_a_row + 1 if again and not self._failed else 0
            if 0 < in_a_row < _AT_ONCE:
                continue
            in_a_row = 0
            await asyncio.sleep(self._pause())

    async def step(self) -> bool:
        """Look once, and do what is due; whether something was done, so that a further look is due at once."""
        self._failed = False
        secret, material = await self._read_secret()
        bundles = await self._read_bundles()
        if material is None:
            return False
        if secret is not None:
            self._serve(material, bundles)
        now = self._how.clocks.wall()
        trusted = bundles.trusted if bundles is not None else None
        what = plan(material.held, trusted, now, self._how.lives)
        self._tell_of_wait(what)
        return await self._do(what, secret, material, bundles)

    async def _do(
        self, what: Plan, secret: Mapping[str, Any] | None, material: Material, bundles: Bundles | None
    ) -> bool:
        to_patch = what.bundles is not None
        to_write = what.secret is not None and secret is not None
        if not (to_patch or to_write):
            await self._turn.give_back()
            return False
        if not await self._turn.take():
            return False
        patched = (
            bundles is not None and what.bundles is not None and await self._patch(bundles, what.bundles, material)
        )
        written = secret is not None and what.secret is not None and await self._write(what.secret, secret, material)
        return patched or written

    async def _read_secret(self) -> tuple[Mapping[str, Any] | None, Material | None]:
        """The Secret, and what it holds. Where it cannot be read, None and what was read last."""
        try:
            secret = await self._connection.get(self._secret_path, "Secret", seconds=_REQUEST_SECONDS)
        except ClusterUnavailable as error:
            self._fault("secret", self._missing_secret() if error.status == 404 else f"Secret: {error}")
            return None, self._last
        self._fine("secret")
        material = read_material(_data(secret), self._places.names)
        self._tell("content", f"Secret {self._places.secret}: {'; '.join(material.problems)}", material.problems)
        self._last = material
        return secret, material

    def _missing_secret(self) -> str:
        where = f"{self._places.namespace}/{self._places.secret}"
        return f"Secret {where} is not there: install anew what has made it (helm upgrade, kubectl apply -k)"

    async def _read_bundles(self) -> Bundles | None:
        """The bundles as they are; None where they cannot be read."""
        try:
            bundles = await self._keeper.read(self._how.clocks.steady())
        except ClusterUnavailable as error:
            if error.status != 404:
                self._fault("configuration", f"webhook configuration: {error}")
                return None
            # Nobody calls a webhook that is not there: it is no reason to be without a certificate.
            self._fault("configuration", f"ValidatingWebhookConfiguration {self._places.configuration} is not there")
            return Bundles()
        self._fine("configuration")
        return bundles

    def _serve(self, material: Material, bundles: Bundles | None) -> None:
        leaf = material.held.leaf
        if leaf is None or (self._served is not None and self._served[0] == material.chain):
            return
        served = self._served[1] if self._served else None
        now, seconds = self._how.clocks.wall(), self._how.lives.seen
        if bundles is not None and too_early(leaf, served, bundles.trusted, now, seconds):
            return
        try:
            self._hand_over(material.chain, material.key)
        except CannotServe as error:
            self._tell("pair", f"The serving certificate stays as it was: {error}", [str(error)])
            return
        self._served = (material.chain, leaf)
        ends = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(leaf.span.ends))
        _log.info("The serving certificate was loaded; it ends on %s UTC", ends)

    async def _patch(self, bundles: Bundles, wanted: Sequence[Sequence[str]], material: Material) -> bool:
        try:
            await self._keeper.write(bundles, wanted, material.certificates)
        except ClusterUnavailable as error:
            self._refused("patch", "caBundle cannot be written", error)
            return False
        self._fine("patch")
        _log.info("caBundle of %s was patched", self._places.configuration)
        return True

    async def _write(self, step: MakeAuthority | SignLeaf, secret: Mapping[str, Any], material: Material) -> bool:
        now = self._how.clocks.wall()
        if isinstance(step, MakeAuthority):
            data, made = with_authority(material, step, now), "authority"
        else:
            data, made = with_leaf(material, step, now, self._places.names), "serving certificate"
        others = {key: value for key, value in _encoded(secret).items() if key not in data}
        own = {key: base64.b64encode(value).decode() for key, value in data.items() if value}
        body = {**secret, "data": {**others, **own}}
        try:
            await self._connection.replace(self._secret_path, body, seconds=_REQUEST_SECONDS)
        except ClusterUnavailable as error:
            self._refused("write", f"Secret {self._places.secret} cannot be written", error)
            return False
        self._fine("write")
        _log.info("A new %s was made", made)
        return True

    def _refused(self, topic: str, what: str, error: ClusterUnavailable) -> None:
        """A write that failed. That somebody else was first (409; 422 for a patch's test) is no news for a while."""
        self._failed = True
        if error.status not in (409, 422) or self._failures > _CONFLICTS:
            self._tell(topic, f"{what}: {error}", [str(error)])

    def _fault(self, topic: str, text: str) -> None:
        self._failed = True
        self._tell(topic, text, [text])

    def _fine(self, topic: str) -> None:
        if self._told.pop(topic, None) is not None:
            _log.info("Certificates: the %s is all right again", topic)

    def _tell(self, topic: str, text: str, problems: Sequence[str]) -> None:
        """A warning for a problem: once, as long as it is the same one."""
        if not problems:
            self._told.pop(topic, None)
        elif self._told.get(topic) != text:
            self._told[topic] = text
            _log.warning("Certificates: %s", text)

    def _tell_of_wait(self, what: Plan) -> None:
        """A line for whoever wonders why there is no new certificate yet."""
        if not what.wait:
            self._told.pop("wait", None)
        elif "wait" not in self._told:
            self._told["wait"] = ""
            seconds = self._how.lives.seen
            _log.info("A new certificate waits until its authority has been in the caBundle for %g s", seconds)

    def _pause(self) -> float:
        pause = self._how.rhythm.look
        if self._failures:
            # 16: far beyond any longest delay
            doubled = self._how.rhythm.first_delay * 2 ** min(self._failures - 1, 16)
            pause = min(doubled, self._how.rhythm.longest_delay)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311  # spreads replicas only


_CONFLICTS: Final = 10
"""Lost races in a row that are no news: there are as many replicas."""


def _encoded(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret's data as the API server gives it."""
    data = secret.get("data")
    return data if isinstance(data, Mapping) else {}


def _data(secret: Mapping[str, Any]) -> Mapping[str, bytes]:
    """A Secret's data. What is no text in base64 counts as not there; an API server lets none in."""
    decoded: dict[str, bytes] = {}
    for key, value in _encoded(secret).items():
        with contextlib.suppress(ValueError):
            decoded[key] = base64.b64decode(str(value), validate=True)
    return decoded
