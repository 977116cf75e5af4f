"""A namespace that was made a moment ago: its mode counts for what is applied together with it."""

from collections.abc import AsyncIterator

import pytest

from tests.cluster.test_reflector import connection_to
from tests.service.conftest import World, brief, pod
from tests.support import images
from tests.support.apiserver import ApiServer, Fault, api_server, node
from webhook.cluster.live import LiveCluster

IMAGE = "reg.example/amd:1"
UNREAD = "the labels of the namespace team could not be read: judged without its mode, and not denied"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("nodes", node("arm", "arm64"))
        yield running


@pytest.fixture
async def shop(world: World, server: ApiServer) -> AsyncIterator[World]:
    """A cluster whose watch tells of nothing that comes after its first list."""
    world.registry.push("amd", images.multi("linux/amd64"), "1")
    live = LiveCluster(await connection_to(server))
    await live.start(watch=False)
    world.cluster = live
    yield world
    await live.close()


def made(server: ApiServer, mode: str | None) -> None:
    labels = {"podgate.dev/mode": mode} if mode else {}
    server.put("namespaces", {"metadata": {"name": "team", "labels": labels}})


@pytest.mark.parametrize(
    ("default", "trust", "label", "expected"),
    [
        ("deny", "any", "off", "allow skipped"),
        ("deny", "any", "audit", "allow mismatch"),
        ("deny", "any", "warn", "warn mismatch"),
        ("deny", "any", None, "deny mismatch"),
        ("deny", "stricter", "off", "deny mismatch"),
        ("off", "any", "deny", "deny mismatch"),
        ("warn", "stricter", "deny", "deny mismatch"),
    ],
)
async def test_its_label_counts_though_nobody_has_told_of_it(
    shop: World, server: ApiServer, default: str, trust: str, label: str | None, expected: str
) -> None:
    shop.settings = {"mode": default, "namespaceLabel": trust}
    made(server, label)
    judgement = await shop.judge(pod(IMAGE), within=30)
    assert brief(judgement) == expected
    assert UNREAD not in " ".join(judgement.messages)


async def test_a_label_that_is_ignored_is_not_asked_for(shop: World, server: ApiServer) -> None:
    shop.settings = {"namespaceLabel": "ignored"}
    made(server, "off")
    assert brief(await shop.judge(pod(IMAGE))) == "deny mismatch"
    assert server.count("get namespaces") == 0


async def test_nor_is_it_where_there_is_no_namespace(shop: World, server: ApiServer) -> None:
    shop.settings = {"kinds": [{"group": "example.io", "resource": "things"}]}
    spec = {"template": {"spec": pod(IMAGE)["spec"]}}
    thing = {
        "apiVersion": "example.io/v1",
        "kind": "Thing",
        "metadata": {"name": "web"},
        "spec": spec,
    }
    assert brief(await shop.judge(thing)) == "deny mismatch"
    assert server.count("get namespaces") == 0


async def test_nor_is_it_for_what_is_not_judged(shop: World, server: ApiServer) -> None:
    assert brief(await shop.judge(pod(IMAGE), mirror=True)) == "allow skipped"
    assert server.count("get namespaces") == 0


@pytest.mark.parametrize("fault", [Fault(403), Fault(404), Fault(500), Fault(0)], ids=lambda fault: str(fault.status))
@pytest.mark.parametrize(
    ("default", "trust", "expected", "said"),
    [
        ("deny", "any", "warn mismatch", True),
        ("deny", "stricter", "deny mismatch", False),  # no label could have made it milder
        ("warn", "any", "warn mismatch", False),
        ("audit", "any", "allow mismatch", False),
    ],
)
async def test_where_it_cannot_be_read_nothing_is_denied_that_it_might_have_allowed(
    shop: World, server: ApiServer, fault: Fault, default: str, trust: str, expected: str, said: bool
) -> None:
    shop.settings = {"mode": default, "namespaceLabel": trust}
    made(server, "off")
    server.fail("get namespaces", fault, fault)  # the client repeats a request whose connection broke
    judgement = await shop.judge(pod(IMAGE), within=30)
    assert brief(judgement) == expected
    assert (f"podgate: Pod web: {UNREAD}" in judgement.messages) is said
    assert server.count("get namespaces") in (1, 2)


async def test_an_api_server_that_says_nothing_is_waited_for_until_the_deadline(shop: World, server: ApiServer) -> None:
    made(server, "off")
    server.gate.clear()
    judgement = await shop.judge(pod(IMAGE), within=0.05)
    assert judgement.decision == "warn"
    assert f"podgate: Pod web: {UNREAD}" in judgement.messages
