"""NodePools of a live cluster: followed where they are served, none where they are not, uncertain where they fail."""

import asyncio
import logging

import pytest

from tests.cluster.test_reflector import BRISK, connection_to, followed, names, server, until
from tests.support.apiserver import ApiServer, Fault
from webhook.cluster.live import LiveCluster
from webhook.cluster.reflector import Pace
from webhook.core.nodepools import UNREAD

__all__ = ["server"]  # pytest looks for fixtures here

POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "general"},
    "spec": {"template": {"spec": {"requirements": [{"key": "kubernetes.io/arch", "operator": "Exists"}]}}},
}


def pools(cluster: LiveCluster) -> list[str]:
    return [each.name for each in cluster.node_pools()]


async def test_node_pools_are_followed_where_they_are_served(server: ApiServer) -> None:
    server.absent.clear()
    server.put("nodepools", POOL)
    async with followed(server) as cluster:
        await cluster.wait_listed()
        assert pools(cluster) == ["general"]
        before = cluster.node_pools()
        server.put("nodepools", {**POOL, "status": {"nodes": 3}})
        server.put("nodepools", {**POOL, "metadata": {"name": "other"}})
        await until(lambda: pools(cluster) == ["general", "other"])
        assert cluster.node_pools()[0] is before[0]
        server.put("nodepools", {**POOL, "metadata": {"name": "odd"}, "spec": []})
        server.delete("nodepools", "general")
        await until(lambda: pools(cluster) == ["other"])


@pytest.mark.parametrize("reason", ["absent", "forbidden"])
async def test_absent_or_forbidden_node_pools_are_none_and_no_error(
    server: ApiServer, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    if reason == "forbidden":
        server.absent.clear()
        server.forbidden.add("list nodepools")
    server.put("nodepools", POOL)
    caplog.set_level(logging.INFO, "webhook.cluster")
    async with followed(server, Pace(first_delay=0.01, longest_delay=0.05, absent=0.01)) as cluster:
        await cluster.wait_listed()
        assert (cluster.listed, cluster.node_pools()) == (True, ())
        await asyncio.sleep(0.1)  # several more looks
        said = [record for record in caplog.records if "NodePools" in record.getMessage()]
        assert [record.levelno for record in said] == [logging.INFO]
        server.absent.clear()
        server.forbidden.clear()
        await until(lambda: pools(cluster) == ["general"])


async def test_node_pools_whose_api_goes_away_are_none_and_those_that_become_forbidden_stay(server: ApiServer) -> None:
    server.absent.clear()
    server.put("nodepools", POOL)
    async with followed(server, Pace(first_delay=0.01, longest_delay=0.05, absent=0.01)) as cluster:
        await cluster.wait_listed()
        server.forbidden |= {"list nodepools", "watch nodepools"}
        before = server.count("list nodepools")
        server.cut_watches()
        await until(lambda: server.count("list nodepools") > before + 2)
        assert pools(cluster) == ["general"]
        server.absent.add("nodepools")
        await until(lambda: not cluster.node_pools())


async def test_node_pools_that_fail_keep_nothing_waiting_and_are_uncertain_until_they_are_listed(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the webhook that converts them is gone: the API server answers 500 for as long as it is."""
    server.absent.clear()
    server.put("nodepools", POOL)
    server.fail("list nodepools", *[Fault(500)] * 5)
    async with followed(server, Pace(first_delay=0.05, longest_delay=0.05)) as cluster:
        await cluster.wait_listed()
        assert (cluster.listed, cluster.node_pools()) == (True, (UNREAD,))
        await until(lambda: pools(cluster) == ["general"])
        assert server.count("list nodepools") == 6
    assert "Cannot watch NodePools, the last known state stays" in caplog.text


async def test_node_pools_that_begin_to_fail_stay_as_they_were(server: ApiServer) -> None:
    server.absent.clear()
    server.put("nodepools", POOL)
    async with followed(server) as cluster:
        await until(lambda: server.count("watch nodepools") > 0)
        server.fail("list nodepools", *[Fault(500)] * 3)
        server.fail("watch nodepools", Fault(500))
        server.cut_watches()
        await until(lambda: server.count("list nodepools") > 3)
        assert pools(cluster) == ["general"]


async def test_readiness_waits_for_the_first_answer_about_node_pools(server: ApiServer) -> None:
    server.absent.clear()
    server.put("nodepools", POOL)
    server.hold("list nodepools")
    async with followed(server) as cluster:
        await until(lambda: len(cluster.nodes()) == 3 and cluster.namespace_labels("team") is not None)
        assert not cluster.listed
        assert cluster.node_pools() == (UNREAD,)
        server.release("list nodepools")
        await cluster.wait_listed()
        assert (cluster.listed, pools(cluster)) == (True, ["general"])


async def test_node_pools_are_not_asked_for_where_they_are_switched_off(server: ApiServer) -> None:
    server.absent.clear()
    cluster = LiveCluster(await connection_to(server), BRISK, with_node_pools=False)
    await cluster.start(watch=True)
    await cluster.wait_listed()
    await cluster.close()
    assert (server.count("list nodepools"), cluster.node_pools()) == (0, ())


async def test_node_pools_that_are_wanted_later_are_uncertain_until_listed_and_keep_nothing_waiting(
    server: ApiServer,
) -> None:
    server.absent.clear()
    server.put("nodepools", POOL)
    cluster = LiveCluster(await connection_to(server), BRISK, with_node_pools=False)
    await cluster.start(watch=True)
    await cluster.wait_listed()
    server.gate.clear()
    cluster.follow_node_pools(wanted=True)
    assert (cluster.listed, cluster.node_pools()) == (True, (UNREAD,))
    server.gate.set()
    await until(lambda: pools(cluster) == ["general"])
    cluster.follow_node_pools(wanted=True)
    assert pools(cluster) == ["general"]
    cluster.follow_node_pools(wanted=False)
    assert (cluster.listed, pools(cluster)) == (True, ["general"])  # for the reviews that have begun before
    server.put("nodepools", {**POOL, "metadata": {"name": "other"}})
    cluster.follow_node_pools(wanted=True)
    await until(lambda: pools(cluster) == ["general", "other"])
    await cluster.close()


async def test_node_pools_that_were_not_listed_yet_stay_uncertain_for_the_reviews_that_have_begun(
    server: ApiServer,
) -> None:
    server.absent.clear()
    server.put("nodepools", POOL)
    server.hold("list nodepools")
    cluster = LiveCluster(await connection_to(server), BRISK)
    await cluster.start(watch=True)
    cluster.follow_node_pools(wanted=False)
    await cluster.wait_listed()
    assert (cluster.listed, cluster.node_pools()) == (True, (UNREAD,))
    server.release("list nodepools")
    await cluster.close()


async def test_node_pools_are_listed_once_for_check(server: ApiServer) -> None:
    for absent, found in (({"nodepools"}, []), (set(), ["general"])):
        server.absent = absent
        server.put("nodepools", POOL)
        cluster = LiveCluster(await connection_to(server), BRISK)
        await cluster.start(watch=False)
        assert pools(cluster) == found
        await cluster.close()
    server.fail("list nodepools", Fault(500))
    cluster = LiveCluster(await connection_to(server), BRISK)
    await cluster.start(watch=False)
    assert (names(cluster), cluster.node_pools()) == (["a", "b", "c"], (UNREAD,))
    await cluster.close()
