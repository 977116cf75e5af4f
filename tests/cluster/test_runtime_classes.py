"""RuntimeClasses of a live cluster: read by name when a template names them, kept for a while, never a fault."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.test_reflector import connection_to
from tests.support.apiserver import ApiServer, Fault, api_server
from webhook.cluster.files import FileCluster
from webhook.cluster.live import LiveCluster
from webhook.cluster.runtime_classes import RuntimeClassReader


def runtime_class(name: str, **selector: str) -> dict[str, Any]:
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": name},
        "handler": "runsc",
        "scheduling": {"nodeSelector": selector},
    }


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("runtimeclasses", runtime_class("gvisor", sandbox="yes"))
        yield running


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[LiveCluster]:
    made = LiveCluster(await connection_to(server))
    yield made
    await made.close()


async def test_it_is_got_by_name_once_however_many_ask_and_kept(cluster: LiveCluster, server: ApiServer) -> None:
    server.gate.clear()
    askers = [asyncio.create_task(cluster.runtime_class("gvisor")) for _ in range(20)]
    await asyncio.sleep(0)
    server.gate.set()
    found = await asyncio.gather(*askers)
    found.append(await cluster.runtime_class("gvisor"))
    assert {one and one.name for one in found} == {"gvisor"}
    assert found[0] is not None
    assert found[0].node_selector == {"sandbox": "yes"}
    assert server.requests == ["get runtimeclasses /gvisor"]


async def test_what_is_missing_is_seen_as_soon_as_it_is_there(cluster: LiveCluster, server: ApiServer) -> None:
    assert await cluster.runtime_class("late") is None
    server.put("runtimeclasses", runtime_class("late"))
    assert await cluster.runtime_class("late") is not None


@pytest.mark.parametrize("name", ["", "../secrets", "a/b", "Gvisor", "a?b", "x" * 254])
async def test_what_is_no_name_is_not_asked_for(cluster: LiveCluster, server: ApiServer, name: str) -> None:
    assert await cluster.runtime_class(name) is None
    assert server.requests == []


@pytest.mark.parametrize("status", [403, 500])
async def test_a_fault_is_no_exception_and_is_not_remembered(
    cluster: LiveCluster, server: ApiServer, status: int
) -> None:
    server.fail("get runtimeclasses", Fault(status))
    assert await cluster.runtime_class("gvisor") is None
    assert await cluster.runtime_class("gvisor") is not None


async def test_what_was_read_before_stands_in_during_a_fault(server: ApiServer) -> None:
    connection = await connection_to(server)
    reader = RuntimeClassReader(connection, keep_seconds=0)
    try:
        first = await reader.get("gvisor")
        server.fail("get runtimeclasses", Fault(503))
        assert first is not None
        assert await reader.get("gvisor") == first
        server.put("runtimeclasses", {**runtime_class("gvisor"), "scheduling": {"nodeSelector": []}})
        assert await reader.get("gvisor") == first
    finally:
        await reader.close()
        await connection.close()


async def test_what_was_read_before_stands_in_while_the_server_hangs(server: ApiServer) -> None:
    reader = RuntimeClassReader(connection := await connection_to(server), keep_seconds=0.0)
    first = await reader.get("gvisor")
    assert first is not None
    server.gate.clear()
    async with asyncio.timeout(60):
        for _ in range(100):
            assert await reader.get("gvisor") is first
    server.put("runtimeclasses", runtime_class("gvisor", sandbox="no"))
    server.gate.set()
    async with asyncio.timeout(30):
        while (found := await reader.get("gvisor")) == first:  # noqa: ASYNC110 - read again in the background
            await asyncio.sleep(0.01)
    assert found is not None
    assert found.node_selector == {"sandbox": "no"}
    await reader.close()
    await connection.close()


async def test_files_come_before_the_cluster(cluster: LiveCluster, server: ApiServer) -> None:
    files = FileCluster.from_documents([runtime_class("gvisor", pool="mine")], before=cluster)
    own = await files.runtime_class("gvisor")
    assert own is not None
    assert own.node_selector == {"pool": "mine"}
    assert server.requests == []
    server.put("runtimeclasses", runtime_class("kata"))
    assert await files.runtime_class("kata") is not None
