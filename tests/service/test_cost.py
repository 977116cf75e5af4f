"""What a decision costs: by shapes of nodes, not by nodes; counted where the requests arrive."""

from tests.service.conftest import World, node, outcomes, pod
from tests.support import images

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
