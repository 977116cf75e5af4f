"""What was found out before is found again only where it would be found out once more."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from tests.service.conftest import Object, World, brief, codes, node, outcomes, pod, pull_secret
from tests.service.test_cost import counted
from tests.support import images
from tests.support.registry import Auth
from webhook.cluster.files import FileCluster
from webhook.core.candidates import Admission
from webhook.core.decision import Judgement
from webhook.core.workload import parse_workload
from webhook.examined import LONGEST, MOST_KEPT
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge, Request
from webhook.settings import parse_settings


class Clock:
    """A clock that a test moves on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """One judge that goes on, over one registry client and a cluster that changes."""

    def __init__(self, world: World, *objects: Object) -> None:
        self.clock = Clock()
        options = RegistryOptions(world.hosts, AddressPolicy(allowed=(ip_network("127.0.0.0/8"),)))
        self.images = RegistryImages(options, Hooks(clock=self.clock))
        self.cluster = FileCluster.from_documents(objects)
        self.judge = self.another()

    def another(self) -> Judge:
        """A judge that has found out nothing yet, and sees the same."""
        return Judge(parse_settings({}), self.images, self.cluster)

    async def asked(self, obj: Object, judge: Judge | None = None) -> Judgement:
        """The decision, by the judge that goes on unless another one is named."""
        workload = parse_workload(obj)
        assert workload is not None
        return await (judge or self.judge).judge(Request(workload))

    async def looked(self, obj: Object) -> tuple[Judgement, bool]:
        """The decision, and whether any node was looked at for it."""
        with counted(Admission, "admits") as admits:
            judgement = await self.asked(obj)
        return judgement, admits[0] > 0


@pytest.fixture
async def kept(world: World) -> AsyncIterator[Kept]:
    made = Kept(world, node("amd"), node("arm", "linux/arm64"))
    yield made
    await made.images.aclose()


async def test_pods_of_one_template_are_looked_at_once(world: World, kept: Kept) -> None:
    world.registry.push("app", images.multi("linux/amd64"), "1")
    world.registry.push("single", images.single("linux/arm64"), "1")
    on_arm = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
    for image, spec, reason in (("app", {}, "partial"), ("app", on_arm, "mismatch"), ("single", on_arm, "match")):
        found = [await kept.looked(pod(f"reg.example/{image}:1", name=f"web-{n}", **spec)) for n in range(4)]
        assert {judgement.reason for judgement, _ in found} == {reason}
        # What asks the registry is not kept; the next finds all at hand, and the others find that.
        assert [looked for _, looked in found][-2:] == [False, False]
        assert all("web-3" in text for text in found[3][0].messages)
        assert found[3][0].images == found[0][0].images


async def test_whatever_differs_is_looked_at(world: World, kept: Kept) -> None:
    world.registry.push("app", images.multi("linux/amd64"), "1")
    obj = pod("reg.example/app:1")
    for _ in range(2):
        await kept.asked(obj)
    others: list[dict[str, Any]] = [
        {"nodeSelector": {"kubernetes.io/arch": "arm64"}},
        {"tolerations": [{"operator": "Exists"}]},
        {"os": {"name": "linux"}},
        {"nodeName": "amd"},
        {"imagePullSecrets": [{"name": "none"}]},
    ]
    for more in others:
        assert (await kept.looked(pod("reg.example/app:1", **more)))[1] or "nodeName" in more
    assert (await kept.asked(pod("reg.example/app:1", **others[0]))).reason == "mismatch"
    assert (await kept.asked(pod("reg.example/app:1", nodeName="amd"))).reason == "match"
    assert not (await kept.looked(obj))[1]


async def test_a_tag_that_moves_and_nodes_that_come_and_go_are_seen(world: World, kept: Kept) -> None:
    world.registry.push("app", images.multi("linux/amd64", "linux/arm64"), "1")
    obj = pod("reg.example/app:1")
    for _ in range(3):
        assert brief(await kept.asked(obj)) == "allow match"
    world.registry.push("app", images.multi("linux/s390x"), "1")
    kept.clock.now += 61
    for _ in range(3):
        assert brief(await kept.asked(obj)) == "deny mismatch"
    kept.cluster.add(node("big", "linux/s390x"))
    for _ in range(3):
        assert brief(await kept.asked(obj)) == "warn partial"


async def test_another_namespace_with_a_secret_of_the_same_name_sees_nothing(world: World, kept: Kept) -> None:
    """The pods are the same, and so is the name of the secret; what they may see is not."""
    world.registry.push("team/app", images.multi("linux/s390x"), "1")
    world.registry.auth = Auth(scheme="basic", users={"ann": "a", "eve": "e"}, may_see={"team/app": ["ann"]})
    for namespace, pair in (("team", "ann:a"), ("other", "eve:e")):
        kept.cluster.add(pull_secret("pull", {"reg.example": pair}, namespace))
    mine = pod("reg.example/team/app:1", imagePullSecrets=[{"name": "pull"}])
    for _ in range(3):
        assert brief(await kept.asked(mine)) == "deny mismatch"
    theirs = {**mine, "metadata": {**mine["metadata"], "namespace": "other"}}
    for _ in range(3):
        judgement = await kept.asked(theirs)
        assert (brief(judgement), codes(judgement)) == ("warn undetermined", ["denied"])
    # A secret that is put right, or spoilt, counts at once.
    kept.cluster.add(pull_secret("pull", {"reg.example": "eve:e"}, "team"))
    assert codes(await kept.asked(mine)) == ["denied"]


async def test_what_was_not_found_out_is_not_kept(world: World, kept: Kept) -> None:
    obj = pod("reg.example/app:1")
    for _ in range(3):
        assert codes(await kept.asked(obj)) == ["not-found"]
    world.registry.push("app", images.multi("linux/amd64", "linux/arm64"), "1")
    kept.clock.now += 11
    assert brief(await kept.asked(obj)) == "allow match"


async def test_what_is_kept_is_bounded(world: World, kept: Kept) -> None:
    world.registry.push("app", images.multi("linux/amd64", "linux/arm64"), "1")
    terms = [{"matchExpressions": [{"key": "a", "operator": "NotIn", "values": [str(n)]}]} for n in range(17)]
    wide = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    large = [
        pod("reg.example/app:1", affinity=wide),
        pod("reg.example/app:1", nodeSelector={"a": "x" * LONGEST}),
        pod("reg.example/app:1", imagePullSecrets=[{"name": "x" * LONGEST}]),
        pod(*["reg.example/app:1"] * 17),
    ]
    for obj in large:
        for _ in range(2):
            await kept.asked(obj)
        assert (await kept.looked(obj))[1] or "nodeSelector" in obj["spec"]
    assert len(kept.judge._earlier._kept) == 0
    for number in range(MOST_KEPT + 9):
        await kept.asked(pod("reg.example/app:1", serviceAccountName=f"a{number}"))
    assert len(kept.judge._earlier._kept) == MOST_KEPT


async def test_it_is_always_what_a_judge_would_say_that_knows_nothing(world: World) -> None:
    assert sum([await _history(world, seed) for seed in range(4)]) > 40


async def _history(world: World, seed: int) -> int:
    """Nodes, tags, time, secrets and pods at random: the judge that goes on, and a new one each time, which say the
    same. How often the one that goes on did not have to look at any node."""
    chance = random.Random(seed)
    kept = Kept(world, node("amd"), node("arm", "linux/arm64"))
    roots = [
        images.multi("linux/amd64", "linux/arm64"),
        images.multi("linux/arm64"),
        images.single("linux/arm64"),
        images.single("linux/s390x"),
        images.listed([(None, images.single("linux/amd64"))]),
    ]
    pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "pool"}}
    specs: list[dict[str, Any]] = [
        {},
        {"tolerations": [{"operator": "Exists"}]},
        {"nodeSelector": {"kubernetes.io/arch": "arm64"}},
        {"imagePullSecrets": [{"name": "pull"}]},
    ]
    again = 0
    try:
        for step in range(200):
            match chance.randrange(20):
                case 0:
                    world.registry.push("app", chance.choice(roots), chance.choice("12"))
                case 1:
                    kept.clock.now += chance.choice([1, 31, 61])
                case 2:
                    taints = chance.choice([[], ["team=blue:NoSchedule"]])
                    platform = chance.choice(["linux/amd64", "linux/arm64", "linux/s390x"])
                    kept.cluster.add(node(f"n{chance.randrange(3)}", platform, taints=taints))
                case 3 if chance.random() < 0.2:
                    arch = [
                        {"key": "kubernetes.io/arch", "operator": "In", "values": [chance.choice(["amd64", "arm64"])]}
                    ]
                    kept.cluster.add({**pool, "spec": {"template": {"spec": {"requirements": arch}}}})
                case 4 if chance.random() < 0.2:
                    kept.cluster.add(pull_secret("pull", {"reg.example": chance.choice(["ann:a", "eve:e"])}))
            names = chance.choice([["1"], ["2"], ["1", "2"]])
            obj = pod(*(f"reg.example/app:{name}" for name in names), name=f"web-{step}", **chance.choice(specs))
            with counted(Admission, "admits") as admits:
                first = await kept.asked(obj)
            again += not admits[0]
            assert _all_of(first) == _all_of(await kept.asked(obj, kept.another()))
        return again
    finally:
        await kept.images.aclose()


def _all_of(judgement: Judgement) -> object:
    bare = replace(judgement, findings=())
    return bare, outcomes(judgement)
