"""What a proxy or a login page says with 200 is neither the object that was asked for, nor its absence."""

from collections.abc import Awaitable, Callable

import pytest

from tests.cluster.test_reflector import connection_to, followed, names, until
from tests.support.apiserver import Fault, api_server, node
from webhook.cluster.connection import Connection
from webhook.cluster.listing import further_kinds
from webhook.cluster.namespaces import NamespaceReader
from webhook.cluster.pods import PodReader
from webhook.cluster.runtime_classes import RuntimeClassReader
from webhook.cluster.secrets import SecretReader
from webhook.core.errors import ClusterUnavailable
from webhook.core.kinds import FurtherKind

ELSEWHERE = ("{}", "null", '"in"', "<html>log in</html>", '{"kind": "Login"}', '{"kind": "Status"}', "[" * 100_000)


@pytest.mark.parametrize("text", ELSEWHERE, ids=range(len(ELSEWHERE)))
@pytest.mark.parametrize(
    ("what", "read"),
    [
        ("namespaces", lambda connection: NamespaceReader(connection).labels("team")),
        ("secrets", lambda connection: SecretReader(connection).secret("team", "pull")),
        ("serviceaccounts", lambda connection: SecretReader(connection).service_account_secrets("team", "default")),
        ("pods", lambda connection: PodReader(connection).pod("team", "web")),
    ],
)
async def test_an_answer_of_somebody_else_is_no_object(
    what: str, read: Callable[[Connection], Awaitable[object]], text: str
) -> None:
    async with api_server() as server:
        server.fail(f"get {what}", Fault(200, text=text))
        connection = await connection_to(server)
        with pytest.raises(ClusterUnavailable, match=r"with something that is no [NSP]") as caught:
            await read(connection)
        assert caught.value.status is None
        await connection.close()


@pytest.mark.parametrize("text", ELSEWHERE, ids=range(len(ELSEWHERE)))
async def test_a_runtime_class_is_not_known_then(text: str) -> None:
    async with api_server() as server:
        server.fail("get runtimeclasses", Fault(200, text=text))
        connection = await connection_to(server)
        assert await RuntimeClassReader(connection).get("gvisor") is None
        await connection.close()


@pytest.mark.parametrize("text", ["", "{}", "<html>log in</html>\n", '{"type": "ADDED"}\n'], ids=range(4))
async def test_what_is_no_watch_leaves_no_view_that_never_changes(text: str) -> None:
    async with api_server() as server:
        server.put("nodes", node("a"))
        server.fail("watch nodes", *[Fault(200, text=text)] * 1000)
        async with followed(server) as cluster:
            await cluster.wait_listed()
            server.put("nodes", node("b"))
            server.delete("nodes", "a")
            await until(lambda: names(cluster) == ["b"])


async def test_nor_for_a_list_of_what_is_served() -> None:
    async with api_server() as server:
        server.fail("discover", Fault(200, "log in first"))
        connection = await connection_to(server)
        found, problems = await further_kinds(connection, [FurtherKind("argoproj.io", "rollouts", ("spec",))])
        assert found == []
        assert len(problems) == 1
        assert problems[0].endswith("answers /apis/argoproj.io with something that is no APIGroup")
        await connection.close()
