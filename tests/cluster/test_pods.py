"""Single pods: read as they are now, each time; faults are told apart."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.test_reflector import connection_to
from tests.support.apiserver import ApiServer, Fault, api_server
from webhook.cluster.pods import PodReader
from webhook.core.errors import ClusterUnavailable, MalformedObject
from webhook.core.kinds import FurtherKind, Kinds


def pod(image: str = "reg.example/app:1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "team", "name": "web", "uid": "p-1"},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("pods", pod())
        yield running


@pytest.fixture
async def reader(server: ApiServer) -> AsyncIterator[PodReader]:
    connection = await connection_to(server)
    yield PodReader(connection)
    await connection.close()


async def test_a_pod_is_read_anew_each_time(reader: PodReader, server: ApiServer) -> None:
    found = await reader.pod("team", "web")
    assert found is not None
    assert (found.uid, found.images[0].image) == ("p-1", "reg.example/app:1")
    server.put("pods", pod("reg.example/app:2"))
    found = await reader.pod("team", "web")
    assert found is not None
    assert found.images[0].image == "reg.example/app:2"
    assert server.requests == ["get pods team/web"] * 2


async def test_a_pod_whose_owner_works_as_a_daemon_set_does(server: ApiServer) -> None:
    further = FurtherKind("apps.kruise.io", "daemonsets", ("spec", "template"), every_node=True)
    owner = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "DaemonSet", "name": "a", "uid": "u", "controller": True}
    stored = pod()
    stored["metadata"]["ownerReferences"] = [owner]
    server.put("pods", stored)
    connection = await connection_to(server)
    found = await PodReader(connection, Kinds([further])).pod("team", "web")
    assert found is not None
    assert found.every_node
    await connection.close()


async def test_a_pod_that_is_not_there(reader: PodReader) -> None:
    assert await reader.pod("team", "other") is None


@pytest.mark.parametrize(("namespace", "name"), [("team", "../nodes/a"), ("team", ""), ("a/b", "web"), ("", "web")])
async def test_what_is_no_name_is_not_asked_for(
    reader: PodReader, server: ApiServer, namespace: str, name: str
) -> None:
    assert await reader.pod(namespace, name) is None
    assert server.requests == []


@pytest.mark.parametrize("status", [403, 429, 500, 0])
async def test_faults(reader: PodReader, server: ApiServer, status: int) -> None:
    # a request that is only a look may be sent again, which the client library does once a connection broke
    server.fail("get pods", *[Fault(status)] * 6)
    with pytest.raises(ClusterUnavailable) as caught:
        await reader.pod("team", "web")
    assert caught.value.status == (status or None)


async def test_what_has_not_the_form_of_a_pod(reader: PodReader, server: ApiServer) -> None:
    server.put("pods", {**pod(), "spec": {"containers": "none"}})
    with pytest.raises(MalformedObject):
        await reader.pod("team", "web")
