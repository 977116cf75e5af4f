"""The bundles of podgate's own ValidatingWebhookConfiguration: read, and patched, and nothing else of it.

How long an authority has been seen there decides when a certificate of it may be served: each API server learns of a
change by a watch, a moment later.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from cryptography import x509

from webhook.cluster.authority import bundle_text, read_bundle, span_of
from webhook.cluster.calling import CONFIGURATION, CONFIGURATIONS
from webhook.cluster.connection import Connection
from webhook.core.rotation import Trusted

LONGEST_GAP: Final = 15.0
"""Seconds between two looks, at most, that what was there both times counts as seen in between."""

_REQUEST_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Bundles:
    """What a look has found: `trusted` for the decision; the certificates by mark, the webhooks' names and the
    resourceVersion for a patch."""

    trusted: Trusted = field(default_factory=Trusted)
    certificates: Mapping[str, x509.Certificate] = field(default_factory=dict)
    webhooks: Sequence[str] = ()
    version: str = ""


class BundleKeeper:
    """Reads and writes the bundles, and remembers since when each authority has been in all of them."""

    def __init__(self, connection: Connection, configuration: str) -> None:
        self._connection = connection
        self._path = f"{CONFIGURATIONS}/{quote(configuration, safe='')}"
        self._since: dict[str, float] = {}
        self._last = 0.0

    async def read(self, now: float) -> Bundles:
        """Look at the configuration; `now` is a time of a clock that never jumps. Raises ClusterUnavailable."""
        configuration = await self._connection.get(self._path, CONFIGURATION, seconds=_REQUEST_SECONDS)
        webhooks = _webhooks(configuration)
        bundles = [read_bundle(text) for _, text in webhooks]
        trusted = Trusted(
            tuple({mark: span_of(each) for mark, each in bundle.items()} for bundle in bundles),
            self._seen(bundles, now),
        )
        certificates = {mark: each for bundle in bundles for mark, each in bundle.items()}
        version = str((configuration.get("metadata") or {}).get("resourceVersion") or "")
        return Bundles(trusted, certificates, tuple(name for name, _ in webhooks), version)

    async def write(
        self, seen: Bundles, wanted: Sequence[Sequence[str]], certificates: Mapping[str, x509.Certificate]
    ) -> None:
        """Give each webhook the bundle of these marks. Raises ClusterUnavailable; with status 409 or 422 where the
        configuration is not what was seen any more."""
        there = {**seen.certificates, **certificates}
        operations: list[dict[str, Any]] = [{"op": "test", "path": "/metadata/resourceVersion", "value": seen.version}]
        for number, (name, marks) in enumerate(zip(seen.webhooks, wanted, strict=True)):
            if set(marks) != set(seen.trusted.bundles[number]):
                text = base64.b64encode(bundle_text([there[mark] for mark in marks])).decode()
                operations.append({"op": "test", "path": f"/webhooks/{number}/name", "value": name})
                operations.append({"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": text})
        await self._connection.patch(self._path, operations, seconds=_REQUEST_SECONDS)

    def _seen(self, bundles: Sequence[Mapping[str, object]], now: float) -> Mapping[str, float]:
        if now - self._last > LONGEST_GAP:
            self._since.clear()
        self._last = now
        everywhere = set.intersection(*(set(bundle) for bundle in bundles)) if bundles else set()
        self._since = {mark: self._since.get(mark, now) for mark in everywhere}
        return {mark: now - since for mark, since in self._since.items()}


def _webhooks(configuration: Mapping[str, Any]) -> Sequence[tuple[str, bytes]]:
    """Names and bundles, as the API server has them: it has seen to the types."""
    return [
        (str(each["name"]), base64.b64decode((each.get("clientConfig") or {}).get("caBundle") or ""))
        for each in configuration.get("webhooks") or ()
    ]
