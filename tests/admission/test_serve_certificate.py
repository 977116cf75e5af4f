"""`podgate serve` as a process that makes its certificate itself: when it is ready, and what it serves."""

import asyncio
import json
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.admission.test_serve import kubeconfig, serve
from tests.cluster.test_reflector import until
from tests.support.apiserver import ApiServer, api_server, node
from tests.support.resources import CONFIGURATIONS
from tests.support.selfmanaged import SECRET, bundles, data, fill, install
from tests.support.serving import RECORDED, response_of

SELF_MANAGED = {"PODGATE_CERTIFICATE_MODE": "selfManaged", "POD_NAMESPACE": "podgate", "POD_NAME": "podgate-1"}
REVIEW = json.dumps(RECORDED["CREATE-Pod"]).encode()


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("nodes", node("amd-1"))
        running.put("namespaces", {"metadata": {"name": "default"}})
        yield running


class Caller:
    """An API server's way to podgate: one connection that is kept, with the trust of a bundle."""

    def __init__(self, port: int, bundle: bytes) -> None:
        self._url = f"https://127.0.0.1:{port}/validate?timeout=5s"
        self._trust = ssl.create_default_context(cadata=bundle.decode())
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))

    async def ask(self) -> None:
        """A review that is answered."""
        async with self.session.post(
            self._url, data=REVIEW, ssl=self._trust, server_hostname="podgate.podgate.svc"
        ) as response:
            response_of(response.status, response.content_type, await response.read())


async def test_it_is_ready_once_it_has_a_certificate_that_the_bundle_vouches_for(tmp_path: Path, api: ApiServer):
    async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url), **SELF_MANAGED) as podgate:
        await podgate.said("Secret podgate/podgate-tls-self is not there")
        port = await podgate.port()
        status, text = await podgate.health("/readyz")
        assert (status, "certificate-loaded" in text) == (503, True)
        install(api)
        await podgate.ready()
        caller = Caller(port, bundles(api)[0])
        await caller.ask()
        await caller.session.close()
        metrics = (await podgate.health("/metrics"))[1]
        podgate.process.send_signal(signal.SIGTERM)
        assert await podgate.exit_code() == 0
    (expiry,) = (line for line in metrics.splitlines() if line.startswith("podgate_certificate_expiry_timestamp"))
    assert float(expiry.split()[-1]) > 0
    assert not [line for line in podgate.log if line["level"] == "error"]
    assert "PRIVATE" not in "".join(podgate.lines)


async def test_a_renewal_drops_no_connection(tmp_path: Path, api: ApiServer):
    install(api)
    environment = {"KUBECONFIG": kubeconfig(tmp_path, api.url), "PODGATE_CERTIFICATE_SEEN_FOR": "1s", **SELF_MANAGED}
    async with serve(tmp_path, **environment) as podgate:
        port = await podgate.port()
        await podgate.ready()
        (first,) = bundles(api)
        old = Caller(port, first)
        await old.ask()
        fill(api, {})
        await until(lambda: "tls.crt" in data(api))
        await until(lambda: sum("certificate was loaded" in line["message"] for line in podgate.log) == 2)
        # Who trusts the first authority alone is still answered on the connection that is open, and gets no other.
        await old.ask()
        await old.session.close()
        late = Caller(port, first)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await late.ask()
        await late.session.close()
        new = Caller(port, bundles(api)[0])
        await new.ask()
        await new.session.close()
    lease = api.get("leases", SECRET)["spec"]
    assert lease["leaseDurationSeconds"] == 15
    assert api.count(f"patch {CONFIGURATIONS}") == 2


async def test_without_a_cluster_it_says_so(tmp_path: Path):
    nodes = tmp_path / "nodes.json"
    nodes.write_text(json.dumps(node("amd-1")))
    async with serve(tmp_path, "--nodes", str(nodes), **SELF_MANAGED) as podgate:
        assert await podgate.exit_code() == 2
    assert podgate.lines == ["podgate: certificate.mode: selfManaged needs a cluster, and with --nodes there is none\n"]


async def test_without_a_namespace_it_says_so(tmp_path: Path, api: ApiServer):
    environment = {**SELF_MANAGED, "POD_NAMESPACE": "", "KUBECONFIG": kubeconfig(tmp_path, api.url)}
    async with serve(tmp_path, **environment) as podgate:
        async with asyncio.timeout(30):
            assert await podgate.exit_code() == 2
    assert podgate.lines[-1] == "podgate: certificate: POD_NAMESPACE must name podgate's own namespace\n"
