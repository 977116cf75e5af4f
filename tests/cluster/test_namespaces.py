"""Namespaces that the watch has not told of yet: got by name, shared by those who ask at once, never kept."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.cluster.test_reflector import connection_to
from tests.support.apiserver import ApiServer, Fault, api_server
from webhook.cluster.files import FileCluster
from webhook.cluster.live import LiveCluster
from webhook.cluster.namespaces import NamespaceReader
from webhook.core.errors import ClusterUnavailable

OFF = {"podgate.dev/mode": "off"}
GET = "get namespaces /new"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("namespaces", {"metadata": {"name": "old", "labels": {"a": "b"}}})
        yield running


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[LiveCluster]:
    """A cluster that was listed, and is told of nothing after that."""
    made = LiveCluster(await connection_to(server))
    await made.start(watch=False)
    server.put("namespaces", {"metadata": {"name": "new", "labels": OFF}})
    yield made
    await made.close()


async def test_a_new_one_is_got_by_name_by_all_who_ask_at_once(cluster: LiveCluster, server: ApiServer) -> None:
    assert cluster.namespace_labels("new") is None
    server.gate.clear()
    askers = [asyncio.create_task(cluster.read_namespace_labels("new")) for _ in range(20)]
    await asyncio.sleep(0)
    server.gate.set()
    assert await asyncio.gather(*askers) == [OFF] * 20
    assert server.count(GET) == 1


async def test_nothing_is_kept(cluster: LiveCluster, server: ApiServer) -> None:
    assert await cluster.read_namespace_labels("new") == OFF
    server.put("namespaces", {"metadata": {"name": "new"}})
    assert await cluster.read_namespace_labels("new") == {}
    assert server.count(GET) == 2


@pytest.mark.parametrize("status", [0, 401, 403, 404, 429, 500, 503])
async def test_what_cannot_be_read_is_said(cluster: LiveCluster, server: ApiServer, status: int) -> None:
    server.fail("get namespaces", *[Fault(status)] * 2)  # a refused credential is looked for again, once
    with pytest.raises(ClusterUnavailable):
        await cluster.read_namespace_labels("new")


async def test_labels_that_are_none_are_not_understood(cluster: LiveCluster, server: ApiServer) -> None:
    server.put("namespaces", {"metadata": {"name": "new", "labels": {"a": 7}}})
    with pytest.raises(ClusterUnavailable, match="not understood"):
        await cluster.read_namespace_labels("new")


@pytest.mark.parametrize("name", ["", "../nodes", "a/b", "New", "a?b", "x" * 254])
async def test_what_is_no_name_is_not_asked_for(cluster: LiveCluster, server: ApiServer, name: str) -> None:
    before = len(server.requests)
    with pytest.raises(ClusterUnavailable):
        await cluster.read_namespace_labels(name)
    assert len(server.requests) == before


async def test_an_asker_that_gives_up_takes_nothing_from_the_others(cluster: LiveCluster, server: ApiServer) -> None:
    server.gate.clear()
    first, second = (asyncio.create_task(cluster.read_namespace_labels("new")) for _ in range(2))
    await asyncio.sleep(0.02)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    server.gate.set()
    assert (await second, server.count(GET)) == (OFF, 1)


async def test_the_end_waits_for_nobody(server: ApiServer) -> None:
    connection = await connection_to(server)
    reader = NamespaceReader(connection)
    server.gate.clear()
    asker = asyncio.create_task(reader.labels("old"))
    await asyncio.sleep(0.02)
    await reader.close()
    await asyncio.gather(asker, return_exceptions=True)
    assert asker.cancelled()
    await connection.close()


async def test_files_hold_what_they_hold() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old", "labels": OFF}}
    files = FileCluster.from_documents([namespace])
    assert await files.read_namespace_labels("old") == OFF
    assert await files.read_namespace_labels("new") == {}


async def test_files_before_a_cluster_ask_it_and_go_on_without(cluster: LiveCluster, server: ApiServer) -> None:
    files = FileCluster(before=cluster)
    assert await files.read_namespace_labels("new") == OFF
    server.forbidden.add("get namespaces")
    assert await files.read_namespace_labels("new") == {}
    files.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new", "labels": {"a": "b"}}})
    assert await files.read_namespace_labels("new") == {"a": "b"}
