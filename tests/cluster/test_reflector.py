"""The reflector against an API server on loopback: lists, watches, and everything that breaks on the way."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from kubernetes.aio.client import Configuration

from tests.support.apiserver import ApiServer, Fault, api_server, node
from webhook.cluster.connection import Connection, open_connection
from webhook.cluster.live import LiveCluster
from webhook.cluster.reflector import Pace
from webhook.core.errors import ClusterUnavailable

BRISK = Pace(first_delay=0.01, longest_delay=0.05)


async def connection_to(server: ApiServer, token: str = "") -> Connection:
    async def load(configuration: Configuration) -> None:
        configuration.host = server.url
        if token:
            configuration.api_key["BearerToken"] = f"Bearer {token}"

    return await open_connection(load)


@asynccontextmanager
async def followed(server: ApiServer, pace: Pace = BRISK) -> AsyncIterator[LiveCluster]:
    cluster = LiveCluster(await connection_to(server), pace)
    await cluster.start(watch=True)
    try:
        yield cluster
    finally:
        await cluster.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens elsewhere; the limit only ends a test that would never end."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for happens behind a socket
            await asyncio.sleep(0.005)


def names(cluster: LiveCluster) -> list[str | None]:
    return [each.name for each in cluster.nodes()]


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        for name in ("a", "b", "c"):
            running.put("nodes", node(name))
        running.put("namespaces", {"metadata": {"name": "team", "labels": {"podgate.dev/mode": "warn"}}})
        yield running


async def test_readiness_waits_for_the_first_list(server: ApiServer) -> None:
    server.gate.clear()
    async with followed(server) as cluster:
        await until(lambda: server.count("list") == 2)
        assert [cluster.listed, cluster.nodes()] == [False, ()]
        server.gate.set()
        await asyncio.wait_for(cluster.wait_listed(), 20)
        assert cluster.listed
        assert names(cluster) == ["a", "b", "c"]
        assert cluster.namespace_labels("team") == {"podgate.dev/mode": "warn"}
        assert cluster.namespace_labels("other") is None


async def test_a_thousand_nodes_in_pages_of_a_hundred() -> None:
    async with api_server() as server:
        for number in range(1000):
            server.put("nodes", node(f"n{number:04}", "arm64" if number % 2 else "amd64"))
        async with followed(server) as cluster:
            await asyncio.wait_for(cluster.wait_listed(), 20)
            assert len(cluster.nodes()) == 1000
            assert server.count("list nodes") == 10
            assert server.count("list namespaces") == 1
            assert set(server.limits) == {100}
            await until(lambda: server.watching == 2)
            before = cluster.nodes()
            for number in range(1000):
                beat = node(f"n{number:04}", "arm64" if number % 2 else "amd64")
                beat["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T00:05:00Z"
                server.put("nodes", beat)
            server.put("namespaces", {"metadata": {"name": "last"}})
            server.put("nodes", node("zz"))
            await until(lambda: len(cluster.nodes()) == 1001)
            after = cluster.nodes()
            assert all(old is new for old, new in zip(before, after, strict=False))
            assert cluster.nodes() is after
            assert len(server.requests) == 13  # 10 pages, 1 page, 2 watches


async def test_heartbeats_leave_the_snapshot_as_it_was(server: ApiServer) -> None:
    async with followed(server) as cluster:
        await cluster.wait_listed()
        before = cluster.nodes()
        server.put("nodes", node("a"))
        server.put("namespaces", {"metadata": {"name": "seen"}})
        server.put("nodes", {**node("b"), "status": {**node("b")["status"], "images": []}})
        await until(lambda: cluster.namespace_labels("seen") is not None)
        await asyncio.sleep(0.05)
        assert cluster.nodes() is before
        server.put("nodes", node("a", zone="x"))
        await until(lambda: cluster.nodes() is not before)
        assert cluster.nodes()[1] is before[1]


async def test_changes_are_followed(server: ApiServer) -> None:
    async with followed(server) as cluster:
        await cluster.wait_listed()
        server.put("nodes", node("d", "arm64"))
        server.delete("nodes", "a")
        server.put("namespaces", {"metadata": {"name": "team", "labels": {}}})
        await until(lambda: names(cluster) == ["b", "c", "d"] and not cluster.namespace_labels("team"))


@pytest.mark.parametrize("how", ["cut", "ended"])
async def test_a_watch_goes_on_from_the_last_version(server: ApiServer, how: str) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        server.put("nodes", node("d"))
        await until(lambda: len(cluster.nodes()) == 4)
        version = server.version
        server.cut_watches() if how == "cut" else server.end_watches()
        await until(lambda: f"watch nodes {version}" in server.requests)
        server.put("nodes", node("e"))
        await until(lambda: len(cluster.nodes()) == 5)
        assert server.count("list nodes") == 1


async def test_a_bookmark_moves_the_version(server: ApiServer) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        for _ in range(5):
            server.put("namespaces", {"metadata": {"name": "busy"}})
        server.bookmark("nodes")
        version = server.version
        await asyncio.sleep(0.1)
        server.compact()
        server.cut_watches()
        await until(lambda: f"watch nodes {version}" in server.requests)
        server.put("nodes", node("d"))
        await until(lambda: len(cluster.nodes()) == 4)
        assert server.count("list nodes") == 1


async def test_gone_as_a_status_lists_again(server: ApiServer) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        server.gate.clear()
        server.cut_watches()
        server.delete("nodes", "b")
        server.put("nodes", node("d"))
        server.compact()
        server.gate.set()
        await until(lambda: names(cluster) == ["a", "c", "d"])
        assert server.count("list nodes") == 2


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(
            {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
        ),
        json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd"}}),
        json.dumps({"type": "ERROR", "object": None}),
        '{"type": "ADDED"',
        "[]",
        '"text"',
        '{"type": "ADDED"}',
        "\xff\xfe",
    ],
)
async def test_an_error_within_the_stream_lists_again(server: ApiServer, line: str) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        before = cluster.nodes()
        server.raw("nodes", line)
        await until(lambda: server.count("list nodes") == 2)
        await until(lambda: server.watching == 2)
        assert cluster.nodes() is before
        server.put("nodes", node("d"))
        await until(lambda: len(cluster.nodes()) == 4)


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": {"name": "odd"}, "spec": {"taints": "none"}},
        {"metadata": {"name": "odd", "labels": {"a": 1}}},
        {"metadata": {"name": "odd"}, "status": []},
        {"metadata": {}},
        {"metadata": None},
        [],
        None,
        7,
    ],
)
async def test_a_malformed_object_is_passed_over(
    server: ApiServer, odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        server.raw("nodes", json.dumps({"type": "ADDED", "object": odd}))
        server.put("nodes", node("d"))
        await until(lambda: len(cluster.nodes()) == 4)
        assert names(cluster) == ["a", "b", "c", "d"]
        assert server.count("list nodes") == 1
    passed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(passed) == 1
    assert "Passed over one of the nodes" in passed[0].getMessage()


async def test_a_malformed_object_in_a_list_is_passed_over(server: ApiServer) -> None:
    server.put("nodes", {"metadata": {"name": "odd"}, "spec": {"taints": 3}})
    async with followed(server) as cluster:
        await cluster.wait_listed()
        assert names(cluster) == ["a", "b", "c"]


async def test_an_unknown_event_and_an_empty_line_change_nothing(server: ApiServer) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        server.raw("nodes", "")
        server.raw("nodes", json.dumps({"type": "LATER", "object": node("x")}))
        server.put("nodes", node("d"))
        await until(lambda: names(cluster) == ["a", "b", "c", "d"])
        assert server.count("list nodes") == 1


async def test_a_very_long_event_is_read(server: ApiServer) -> None:
    async with followed(server) as cluster:
        await until(lambda: server.watching == 2)
        large = node("large")
        large["metadata"]["annotations"] = {"a": "x" * 6_000_000}
        server.put("nodes", large)
        await until(lambda: "large" in names(cluster))
        assert server.count("list nodes") == 1


@pytest.mark.parametrize("status", [0, 401, 403, 429, 500, 503])
async def test_the_first_list_is_asked_for_until_it_works(server: ApiServer, status: int) -> None:
    # A 401 is asked a second time at once, with credentials read anew.
    server.fail("list nodes", *[Fault(status)] * 4)
    async with followed(server) as cluster:
        await asyncio.wait_for(cluster.wait_listed(), 20)
        assert names(cluster) == ["a", "b", "c"]
        assert server.count("list nodes") == 5


async def test_the_last_known_state_is_served_while_the_server_is_away() -> None:
    state = ApiServer()
    async with api_server(server=state) as server:
        server.put("nodes", node("a"))
        cluster = LiveCluster(await connection_to(server), BRISK)
        await cluster.start(watch=True)
        await until(lambda: server.watching == 2)
        port = int(server.url.rpartition(":")[2])
    before = cluster.nodes()
    await asyncio.sleep(0.2)
    assert cluster.nodes() is before
    assert names(cluster) == ["a"]
    assert cluster.listed
    state.put("nodes", node("b"))
    async with api_server(port, state):
        await until(lambda: names(cluster) == ["a", "b"])
        await cluster.close()
    assert state.count("list nodes") == 1


NO_LISTS = (
    "{}",
    "null",
    "[]",
    "<html>log in</html>",
    '{"items": []}',
    '{"kind": "", "items": []}',
    '{"kind": "Status", "status": "Success"}',
    '{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}',
    '{"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": {}}',
    '{"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": "none"}',
)
"""What somebody else answers with 200, in the API server's place."""


async def test_what_is_no_list_of_nodes_never_stands_for_no_nodes(server: ApiServer) -> None:
    server.fail("list nodes", *[Fault(200, text=text) for text in NO_LISTS])
    server.hold("list namespaces")
    async with followed(server) as cluster:
        await until(lambda: server.count("list nodes") > len(NO_LISTS))
        server.release("list namespaces")
        await asyncio.wait_for(cluster.wait_listed(), 20)
        assert names(cluster) == ["a", "b", "c"]
        server.fail("list nodes", *[Fault(200, text=text) for text in NO_LISTS])
        server.raw("nodes", "a stream that is not understood: list again")
        await until(lambda: server.count("list nodes") > 2 * len(NO_LISTS) + 1)
        await until(lambda: server.watching == 2)
        assert names(cluster) == ["a", "b", "c"]


@pytest.mark.parametrize("text", NO_LISTS)
async def test_one_shot_is_told_that_there_is_no_list(server: ApiServer, text: str) -> None:
    cluster = LiveCluster(await connection_to(server))
    server.fail("list nodes", Fault(200, text=text))
    with pytest.raises(ClusterUnavailable, match="answers /api/v1/nodes with something that is no list") as caught:
        await cluster.start(watch=False)
    assert caught.value.status is None
    assert cluster.nodes() == ()
    await cluster.close()


@pytest.mark.parametrize("items", ['"items": null', '"items": []', '"metadata": {}'])
async def test_a_list_of_none_is_one(server: ApiServer, items: str) -> None:
    """Go writes a list that was never filled as null, and client-go reads it as empty."""
    cluster = LiveCluster(await connection_to(server))
    text = f'{{"kind": "NodeList", "apiVersion": "v1", {items}}}'
    server.fail("list nodes", Fault(200, text=text))
    await cluster.start(watch=False)
    assert cluster.nodes() == ()
    await cluster.close()


async def test_retry_after_is_waited_for(server: ApiServer) -> None:
    server.fail("list nodes", Fault(429, headers={"Retry-After": "1"}))
    async with followed(server) as cluster:
        clock = asyncio.get_running_loop().time
        begun = clock()
        await asyncio.wait_for(cluster.wait_listed(), 20)
        assert clock() - begun >= 1.0


async def test_pages_that_expire_are_listed_whole() -> None:
    async with api_server() as server:
        for number in range(250):
            server.put("nodes", node(f"n{number:04}"))
        server.compact_between_pages = True
        async with followed(server) as cluster:
            await asyncio.wait_for(cluster.wait_listed(), 20)
            assert len(cluster.nodes()) == 250
            assert server.count("list nodes") == 3  # a page, one that is 410, and all at once
            assert [limit for limit in server.limits if limit != 100] == [0]


async def test_watches_that_end_at_once_are_asked_for_with_pauses(server: ApiServer) -> None:
    server.gate.set()
    pace = Pace(first_delay=0.1, longest_delay=0.2)
    async with followed(server, pace) as cluster:
        await cluster.wait_listed()
        for _ in range(20):
            server.end_watches()
            await asyncio.sleep(0.02)
        assert server.count("watch nodes") <= 8


async def test_a_watch_that_never_says_anything_is_begun_with_a_list(server: ApiServer) -> None:
    """A real server holds a watch from a version that it has not reached, and is silent (seen with 1.37)."""
    async with followed(server, Pace(quiet=0.2, first_delay=0.01)) as cluster:
        await until(lambda: server.watching == 2)
        server.raw("nodes", json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "999"}}}))
        await until(lambda: "watch nodes 999" in server.requests)
        server.put("nodes", node("d"))
        await until(lambda: len(cluster.nodes()) == 4)


async def test_one_shot_lists_without_watching(server: ApiServer) -> None:
    cluster = LiveCluster(await connection_to(server))
    await cluster.start(watch=False)
    assert names(cluster) == ["a", "b", "c"]
    assert cluster.namespace_labels("team") == {"podgate.dev/mode": "warn"}
    assert server.count("watch") == 0
    await cluster.close()


async def test_one_shot_says_which_permission_is_missing(server: ApiServer) -> None:
    server.forbidden = {"list nodes"}
    cluster = LiveCluster(await connection_to(server))
    with pytest.raises(
        ClusterUnavailable, match='403: nodes is forbidden: User "somebody" cannot list resource'
    ) as caught:
        await cluster.start(watch=False)
    assert caught.value.status == 403
    await cluster.close()


async def test_one_shot_goes_without_namespaces(server: ApiServer) -> None:
    server.forbidden = {"list namespaces"}
    cluster = LiveCluster(await connection_to(server))
    await cluster.start(watch=False)
    assert names(cluster) == ["a", "b", "c"]
    assert cluster.namespace_labels("team") is None
    await cluster.close()
