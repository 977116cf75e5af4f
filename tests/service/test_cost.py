"""What a decision costs: by shapes of nodes, not by nodes; counted where the requests arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.service.conftest import Object, World, node, outcomes, pod
from tests.support import images
from webhook.cluster.files import FileCluster
from webhook.core.candidates import Admission
from webhook.core.grouping import NodeIndex
from webhook.core.narrowing import Narrowing
from webhook.core.workload import parse_workload
from webhook.looked import Looked
from webhook.service import Request

SHAPES = [
    ("linux/amd64", "containerd://2.1.4"),
    ("linux/arm64", "containerd://2.1.4"),
    ("linux/arm64", "cri-o://1.32.0"),
    ("linux/s390x", "docker://28.1.0"),
]


async def test_a_thousand_nodes_of_four_shapes_cost_as_many_requests_as_four_nodes(world: World) -> None:
    world.registry.push("index", images.multi("linux/amd64", "linux/arm64"), "1")
    world.registry.push("single", images.single("linux/amd64"), "1")
    world.registry.push("silent", images.listed([(None, images.single("linux/arm64"))]), "1")
    obj = pod("reg.example/index:1", "reg.example/single:1", "reg.example/silent:1")
    counted: list[list[str]] = []
    for count in (4, 1000):
        await world.forget()
        world.objects = [node(f"n{number}", *SHAPES[number % 4]) for number in range(count)]
        before = len(world.registry.log)
        judgement = await world.judge(obj)
        counted.append(sorted(world.paths()[before:]))
        found = outcomes(judgement)
        assert len(found) == count
        assert len({tuple(outcome) for outcome in found.values()}) == 4
        shared = {id(finding.outcomes) for finding in judgement.nodes}
        assert len(shared) == 4  # one value for each shape, however many nodes have it
    assert counted[0] == counted[1]
    # An index by its root; a single manifest by root and config; of the silent entry its manifest and config; and the
    # index's manifest for arm64, since the single one does not fit there and the index may be a list of it (step 3).
    assert len(counted[0]) == 1 + 2 + 3 + 1


async def test_without_a_candidate_or_a_known_platform_nobody_is_asked(world: World) -> None:
    world.registry.push("index", images.multi("linux/amd64"), "1")
    await world.judge(pod("reg.example/index:1"))
    world.has(node("odd", ""))
    judgement = await world.judge(pod("reg.example/index:1"))
    assert outcomes(judgement) == {"odd": ["uncertain node-platform-unknown"]}
    assert world.registry.log == []


async def test_ten_thousand_nodes_of_fifty_shapes_are_judged_as_fifty(world: World) -> None:
    """What is done for each node would be done ten thousand times: counted where nodes are asked about."""
    world.registry.push("index", images.multi("linux/amd64", "linux/arm64"), "1")
    asked: list[list[int]] = []
    for count in (50, 10_000):
        world.objects = [shaped(number) for number in range(count)]
        judge = world.build()
        obj = pod("reg.example/index:1", tolerations=[{"operator": "Exists"}])
        workload = parse_workload(obj)
        another = parse_workload({**obj, "spec": {**obj["spec"], "serviceAccountName": "another"}})
        assert workload is not None
        assert another is not None
        await judge.judge(Request(workload))  # groups the nodes
        with counted(Admission, "admits") as admits, counted(Narrowing, "holds") as holds, counted(Looked, "on") as on:
            judgement = await judge.judge(Request(another))
        assert judgement.reason == "partial"
        assert len(judgement.nodes) == count
        asked.append([admits[0], holds[0], on[0]])
    assert asked[0] == asked[1]
    assert asked[0][0] == 50


async def test_a_heartbeat_regroups_nothing(world: World) -> None:
    world.registry.push("index", images.multi("linux/amd64"), "1")
    objects = [shaped(number) for number in range(50)]
    cluster = FileCluster.from_documents(objects)
    world.cluster = cluster
    judge = world.build()
    workload = parse_workload(pod("reg.example/index:1"))
    assert workload is not None
    await judge.judge(Request(workload))
    before = cluster.nodes()
    with counted(NodeIndex, "__init__") as built:
        for obj in objects:
            cluster.add({**obj, "status": {**obj["status"], "conditions": [{"type": "Ready"}]}})
            await judge.judge(Request(workload))
        assert (cluster.nodes() is before, built[0]) == (True, 0)
        cluster.add(node("new", "linux/riscv64"))
        await judge.judge(Request(workload))
        assert built[0] == 1


def shaped(number: int) -> Object:
    """One of 50 shapes: five platforms, five pools, tainted or not; its name is its own."""
    platforms = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "windows/amd64:10.0.20348")
    labels = {"karpenter.sh/nodepool": f"p{(number // 5) % 5}", "serial": str(number)}
    taints = [f"pool=p{(number // 5) % 5}:NoSchedule", *(["team=blue:NoSchedule"] if (number // 25) % 2 else [])]
    return node(f"n{number}", platforms[number % 5], labels=labels, taints=taints)


@contextmanager
def counted(owner: type, name: str) -> Iterator[list[int]]:
    """How often a method is called."""
    method, calls = getattr(owner, name), [0]

    def counting(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        return method(*arguments, **named)

    setattr(owner, name, counting)
    try:
        yield calls
    finally:
        setattr(owner, name, method)
