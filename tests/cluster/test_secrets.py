"""Secrets of a live cluster: read by name, shared, kept for a while."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.cluster.test_files import account, secret
from tests.cluster.test_reflector import connection_to
from tests.support.apiserver import ApiServer, Fault, api_server
from webhook.cluster.live import LiveCluster
from webhook.cluster.secrets import SecretReader
from webhook.core.errors import BadCredentials, ClusterUnavailable, MissingPermission
from webhook.core.workload import PodConstraints


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        for name in ("a", "b"):
            running.put("secrets", secret(name))
        running.put("serviceaccounts", account("default", "a"))
        yield running


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[LiveCluster]:
    made = LiveCluster(await connection_to(server))
    yield made
    await made.close()


async def pulled(cluster: LiveCluster, *names: str, template: bool = False) -> list[str]:
    found = await cluster.pull_secrets("team", PodConstraints(pull_secrets=names), template=template)
    return [each.name for each in found]


async def test_secrets_are_got_by_name_and_kept(cluster: LiveCluster, server: ApiServer) -> None:
    assert await pulled(cluster, "b", "a", "gone") == ["b", "a"]
    assert await pulled(cluster, "a", "b") == ["a", "b"]
    assert sorted(server.requests) == ["get secrets team/a", "get secrets team/b", "get secrets team/gone"]


async def test_the_service_account_is_read_for_templates_only(cluster: LiveCluster, server: ApiServer) -> None:
    assert await pulled(cluster) == []
    assert server.requests == []
    assert await pulled(cluster, template=True) == ["a"]
    assert await pulled(cluster, template=True) == ["a"]
    assert server.requests == ["get serviceaccounts team/default", "get secrets team/a"]


async def test_a_missing_secret_is_seen_as_soon_as_it_is_there(cluster: LiveCluster, server: ApiServer) -> None:
    assert await pulled(cluster, "late") == []
    server.put("secrets", secret("late"))
    assert await pulled(cluster, "late") == ["late"]


async def test_concurrent_askers_share_one_request(cluster: LiveCluster, server: ApiServer) -> None:
    server.gate.clear()
    askers = [asyncio.create_task(pulled(cluster, "a")) for _ in range(50)]
    while not server.requests:  # noqa: ASYNC110 - the request arrives behind a socket
        await asyncio.sleep(0.005)
    askers[0].cancel()
    server.gate.set()
    results = await asyncio.gather(*askers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [["a"]] * 49
    assert server.requests == ["get secrets team/a"]


async def test_a_secret_is_read_again_after_its_time(server: ApiServer) -> None:
    reader = SecretReader(connection := await connection_to(server), keep_seconds=0.05)
    first = await reader.secret("team", "a")
    server.put("secrets", secret("a", data={".dockerconfigjson": "aGk="}))
    assert await reader.secret("team", "a") is first
    await asyncio.sleep(0.06)
    second = await reader.secret("team", "a")
    assert second is not None
    assert second.data == b"hi"
    server.delete("secrets", "team/a")
    await asyncio.sleep(0.06)
    assert await reader.secret("team", "a") is None
    await connection.close()


@pytest.mark.parametrize("fault", [Fault(0), Fault(500), Fault(503)])
async def test_an_earlier_state_serves_while_the_server_is_away(server: ApiServer, fault: Fault) -> None:
    reader = SecretReader(connection := await connection_to(server), keep_seconds=0.0)
    first = await reader.secret("team", "a")
    server.fail("get secrets", *[fault] * 10)
    assert await reader.secret("team", "a") is first
    with pytest.raises(ClusterUnavailable):
        await reader.secret("team", "b")
    await connection.close()


async def test_an_earlier_state_serves_while_the_server_hangs(server: ApiServer) -> None:
    """A review has no time to wait out a read for each of its secrets."""
    reader = SecretReader(connection := await connection_to(server), keep_seconds=0.0)
    first = await reader.secret("team", "a")
    assert await reader.service_account_secrets("team", "default") == ("a",)
    server.gate.clear()
    # None of them waits for the end of a read, and of all that ask only the first waits at all.
    async with asyncio.timeout(60):
        for _ in range(100):
            assert await reader.secret("team", "a") is first
            assert await reader.service_account_secrets("team", "default") == ("a",)
    server.put("secrets", secret("a", data={".dockerconfigjson": "aGk="}))
    server.gate.set()
    async with asyncio.timeout(30):
        while (found := await reader.secret("team", "a")) is first:  # noqa: ASYNC110 - read again in the background
            await asyncio.sleep(0.01)
    assert found is not None
    assert found.data == b"hi"
    await reader.close()
    await connection.close()


@pytest.mark.parametrize(("plural", "name"), [("secrets", "a"), ("serviceaccounts", "default")])
async def test_a_forbidden_read_names_the_permission(
    cluster: LiveCluster, server: ApiServer, plural: str, name: str
) -> None:
    server.forbidden = {f"get {plural}"}
    with pytest.raises(BadCredentials) as caught:
        await pulled(cluster, *(["a"] if plural == "secrets" else []), template=True)
    assert str(caught.value) == (
        f"{plural.removesuffix('s')} team/{name}: podgate lacks the permission to get {plural} in the namespace team"
    )
    server.forbidden = set()
    assert await pulled(cluster, "a") == ["a"]


async def test_a_forbidden_read_of_the_command_line_is_its_users(server: ApiServer) -> None:
    """Who runs `podgate check` has rights of his own; podgate's ClusterRole has nothing to do with them."""
    server.forbidden = {"get secrets"}
    reader = SecretReader(connection := await connection_to(server), caller="user")
    with pytest.raises(MissingPermission) as caught:
        await reader.secret("team", "a")
    said = "secret team/a: the cluster does not let this run's user get secrets in the namespace team"
    assert (str(caught.value), caught.value.right) == (said, "that user to get secrets")
    await reader.close()
    await connection.close()


async def test_a_malformed_secret_is_named_with_its_key(cluster: LiveCluster, server: ApiServer) -> None:
    server.put("secrets", secret("a", data={}))
    with pytest.raises(BadCredentials, match=r"^secret team/a: has no key \.dockerconfigjson"):
        await pulled(cluster, "b", "a")


async def test_other_types_are_passed_over(cluster: LiveCluster, server: ApiServer) -> None:
    server.put("secrets", secret("a", type="Opaque"))
    assert await pulled(cluster, "a", "b") == ["b"]


@pytest.mark.parametrize(
    "name", ["..", "../../nodes", "a/b", "a?watch=1", "a%2Fb", "A", "a b", "é", "a" * 254, "-a", "a."]
)
async def test_what_is_no_name_is_not_asked_for(cluster: LiveCluster, server: ApiServer, name: str) -> None:
    assert await pulled(cluster, name, "a") == ["a"]
    found = await cluster.pull_secrets(name, PodConstraints(pull_secrets=("a",)), template=True)
    assert found == ()
    assert server.requests == ["get secrets team/a"]


async def test_what_is_kept_is_bounded(server: ApiServer) -> None:
    large = {".dockerconfigjson": "A" * 4 * 2**18}  # 768 KiB decoded
    for number in range(20):
        server.put("secrets", secret(f"large-{number}", data=large))
    reader = SecretReader(connection := await connection_to(server))
    for number in range(20):
        await reader.secret("team", f"large-{number}")
    server.requests.clear()
    await reader.secret("team", "large-19")
    await reader.secret("team", "large-0")
    assert server.requests == ["get secrets team/large-0"]
    await connection.close()


async def test_closing_ends_reads_under_way(server: ApiServer) -> None:
    cluster = LiveCluster(await connection_to(server))
    server.gate.clear()
    asker = asyncio.create_task(pulled(cluster, "a"))
    while not server.requests:  # noqa: ASYNC110 - the request arrives behind a socket
        await asyncio.sleep(0.005)
    await cluster.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
