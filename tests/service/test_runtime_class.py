"""RuntimeClasses: merged for templates, and never a reason for a wrong denial where they are not known."""

import asyncio
from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images
from webhook.cluster.files import FileCluster
from webhook.core.scheduling import RuntimeClass

LIN = node("lin", "linux/amd64")
WIN = node("win", "windows/amd64:10.0.20348", taints=["os=windows:NoSchedule"])
IMAGE = "reg.example/win:1"


def runtime_class(**scheduling: Any) -> dict[str, Any]:
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "win"},
        "handler": "runhcs",
        "scheduling": scheduling,
    }


MERGED = runtime_class(
    nodeSelector={"kubernetes.io/os": "windows"},
    tolerations=[{"key": "os", "value": "windows", "effect": "NoSchedule"}],
)


@pytest.fixture
def shop(world: World) -> World:
    world.registry.push("win", images.multi("windows/amd64"), "1")
    world.registry.push("lin", images.multi("linux/amd64"), "1")
    world.has(LIN, WIN)
    return world


async def test_it_is_merged_for_a_template(shop: World) -> None:
    shop.has(MERGED)
    judgement = await shop.judge(templated("Deployment", IMAGE, runtimeClassName="win"))
    assert (brief(judgement), outcomes(judgement)) == ("allow match", {"win": ["runs fits"]})
    assert outcomes(await shop.judge(templated("Deployment", IMAGE))) == {"lin": ["fails no-matching-entry"]}


async def test_for_a_pod_the_api_server_has_done_it_but_not_for_one_of_a_file(shop: World) -> None:
    shop.has(MERGED)
    bare = pod(IMAGE, runtimeClassName="win")
    assert outcomes(await shop.judge(bare)) == {"lin": ["fails no-matching-entry"]}
    assert outcomes(await shop.judge(bare, admitted=False)) == {"win": ["runs fits"]}


async def test_selectors_that_exclude_each_other_leave_no_candidate(shop: World) -> None:
    shop.has(MERGED)
    linux = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}
    judgement = await shop.judge(templated("Job", IMAGE, runtimeClassName="win", nodeSelector=linux))
    assert brief(judgement) == "warn no-candidates"
    assert judgement.messages == (
        (
            "podgate: Job web was not checked: its node selector and that of its RuntimeClass win exclude each other; "
            "make the two agree"
        ),
    )
    assert shop.registry.log == []


async def test_one_that_is_not_known_may_let_pods_onto_tainted_nodes(shop: World) -> None:
    """All untainted nodes fail, and that proves nothing: what the RuntimeClass tolerates may reach others."""
    judgement = await shop.judge(templated("Deployment", IMAGE, runtimeClassName="win"))
    assert (brief(judgement), set(outcomes(judgement))) == ("warn partial", {"lin", "win"})
    assert judgement.messages[-1] == (
        "podgate: Deployment web: RuntimeClass win is not known: judged without what it adds to a pod"
    )
    # Where even those fail, it is proven.
    shop.registry.push("arm", images.multi("linux/arm64"), "1")
    judgement = await shop.judge(templated("Deployment", "reg.example/arm:1", runtimeClassName="win"))
    assert brief(judgement) == "deny mismatch"
    assert "RuntimeClass win is not known" in judgement.messages[0]


async def test_one_that_is_not_known_changes_nothing_where_the_pod_runs_without(shop: World) -> None:
    judgement = await shop.judge(templated("Deployment", "reg.example/lin:1", runtimeClassName="win"))
    assert (brief(judgement), outcomes(judgement)) == ("allow match", {"lin": ["runs fits"]})
    assert judgement.messages == ()


async def test_one_that_is_not_known_may_keep_a_daemon_set_off_nodes(shop: World) -> None:
    shop.has(node("arm", "linux/arm64"))
    agent = templated("DaemonSet", "reg.example/lin:1", runtimeClassName="win")
    assert brief(await shop.judge(agent)) == "warn partial"
    shop.has(runtime_class())
    assert brief(await shop.judge(agent)) == "deny mismatch"


async def test_what_it_tolerates_brings_no_daemon_set_onto_tainted_nodes(shop: World) -> None:
    """The controller of DaemonSets looks at the template: it makes no pod for a node that only the class tolerates."""
    tolerating = [{"key": "os", "value": "windows", "effect": "NoSchedule"}]
    shop.has(runtime_class(tolerations=tolerating))
    agent = templated("DaemonSet", "reg.example/lin:1", runtimeClassName="win")
    judgement = await shop.judge(agent)
    assert (brief(judgement), outcomes(judgement)) == ("allow match", {"lin": ["runs fits"]})
    own = templated("DaemonSet", "reg.example/lin:1", runtimeClassName="win", tolerations=tolerating)
    assert (brief(await shop.judge(own)), set(outcomes(await shop.judge(own)))) == ("deny mismatch", {"lin", "win"})


async def test_what_it_selects_leaves_a_daemon_set_the_nodes_that_its_pods_get_to(shop: World) -> None:
    shop.has(runtime_class(nodeSelector={"kubernetes.io/arch": "amd64"}), node("arm", "linux/arm64"))
    judgement = await shop.judge(templated("DaemonSet", "reg.example/lin:1", runtimeClassName="win"))
    assert (brief(judgement), outcomes(judgement)) == ("allow match", {"lin": ["runs fits"]})


async def test_one_that_is_not_known_gives_a_daemon_set_no_further_nodes(shop: World) -> None:
    judgement = await shop.judge(templated("DaemonSet", IMAGE, runtimeClassName="win"))
    assert (brief(judgement), outcomes(judgement)) == ("deny mismatch", {"lin": ["fails no-matching-entry"]})


class Slow(FileCluster):
    """A cluster that does not answer: what a file cannot be made to show."""

    async def runtime_class(self, name: str) -> RuntimeClass | None:
        await asyncio.sleep(60)
        return await super().runtime_class(name)


async def test_one_that_does_not_come_in_time_is_not_known(shop: World) -> None:
    shop.cluster = Slow.from_documents([LIN, WIN, MERGED])
    judgement = await shop.judge(templated("Deployment", IMAGE, runtimeClassName="win"), within=0.2)
    assert judgement.decision == "warn"
    assert "RuntimeClass win is not known" in judgement.messages[-1]


async def test_advice_does_not_contradict_its_node_selector(shop: World) -> None:
    shop.has(MERGED)
    denied = await shop.judge(templated("Deployment", "reg.example/lin:1", runtimeClassName="win"))
    assert brief(denied) == "deny mismatch"
    said = " ".join(denied.messages[0].split())
    assert "by another RuntimeClass than win, which selects its nodes" in said
    assert "nodeSelector kubernetes.io/os" not in said
