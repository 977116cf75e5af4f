"""Custom kinds: each example of docs/custom-kinds.md, judged with an object of its kind, and what goes with them."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images

HERE = Path(__file__).parent
GUIDE = (HERE.parents[1] / "docs" / "custom-kinds.md").read_text()
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((HERE / "custom-kinds.yaml").read_text()))
EXAMPLES: list[dict[str, Any]] = [
    kind
    for text in re.findall(r"```yaml\n# settings\n(.*?)```", GUIDE.partition("## Examples")[2], re.DOTALL)
    for kind in yaml.safe_load(text)["kinds"]
]
AMD, BOTH = "reg.example/amd:1", "reg.example/both:1"


def named(obj: dict[str, Any]) -> str:
    return f"{obj['kind']}.{obj['apiVersion'].partition('/')[0]}"


@pytest.fixture
def shop(world: World) -> World:
    """Two nodes, images for one of them and for both, and the kinds of the guide."""
    world.registry.push("amd", images.multi("linux/amd64"), "1")
    world.registry.push("both", images.multi("linux/amd64", "linux/arm64"), "1")
    world.has(node("amd"), node("arm", "linux/arm64"))
    world.settings = {"kinds": EXAMPLES}
    return world


def replaced(value: Any, old: Any, new: Any) -> Any:
    """A document in which one value stands for another."""
    if isinstance(value, dict):
        return {key: replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, old, new) for each in value]
    return new if value == old else value


def test_there_is_an_object_for_each_example():
    assert len(EXAMPLES) == len(OBJECTS) == 8
    groups = {obj["apiVersion"].partition("/")[0] for obj in OBJECTS}
    assert groups == {kind["group"] for kind in EXAMPLES}


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
async def test_an_example_is_judged_like_a_deployment(shop: World, obj: dict[str, Any]) -> None:
    judgement = await shop.judge(obj)
    # A kind that goes to each node wants to run on all of them.
    like = "DaemonSet" if obj["kind"] in ("DaemonSet", "BroadcastJob") else "Deployment"
    theirs = await shop.judge(templated(like, AMD))
    assert (brief(judgement), len(judgement.findings)) == (brief(theirs), 2)
    assert brief(judgement) == ("deny mismatch" if like == "DaemonSet" else "warn partial")
    assert f"{obj['kind']} {obj['metadata']['name']}" in judgement.messages[0]
    assert brief(await shop.judge(replaced(obj, AMD, BOTH))) == "allow match"


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
async def test_a_mismatch_is_denied_and_an_unchanged_update_is_not_looked_at(shop: World, obj: dict[str, Any]) -> None:
    obj = copy.deepcopy(obj)
    (spec,) = pod_specs(obj)
    spec["nodeSelector"] = {"kubernetes.io/arch": "arm64"}
    assert brief(await shop.judge(obj)) == "deny mismatch"
    asked = len(shop.paths())
    later = {**obj, "metadata": {**obj["metadata"], "labels": {"a": "b"}}}
    assert brief(await shop.judge(later, old=obj)) == "allow skipped"
    assert len(shop.paths()) == asked
    former = replaced(obj, AMD, BOTH)
    assert brief(await shop.judge(obj, old=former)) == "deny mismatch"


def pod_specs(value: Any) -> list[dict[str, Any]]:
    """What has containers in a document."""
    if isinstance(value, list):
        return [each for item in value for each in pod_specs(item)]
    if not isinstance(value, dict):
        return []
    return [value] if "containers" in value else [each for item in value.values() for each in pod_specs(item)]


async def test_without_a_template_nothing_is_judged(shop: World) -> None:
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "team"},
        "spec": {"replicas": 2, "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}},
    }
    judgement = await shop.judge(rollout)
    assert (brief(judgement), judgement.messages) == ("allow skipped", ())
    broadcast = {"apiVersion": "apps.kruise.io/v1alpha1", "kind": "AdvancedCronJob"}
    template = {"broadcastJobTemplate": {"spec": {"template": {"spec": pod(AMD)["spec"]}}}}
    assert brief(await shop.judge({**broadcast, "spec": {"template": template}})) == "allow skipped"
    # Given a template it is judged, as an update too.
    filled = {**rollout, "spec": {"template": {"spec": pod(AMD, nodeName="arm")["spec"]}}}
    assert brief(await shop.judge(filled, old=rollout)) == "deny mismatch"


async def test_what_a_judged_object_owns_is_skipped_but_for_its_pods(shop: World) -> None:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": "u", "controller": True}
    on_arm: dict[str, Any] = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
    replica_set = templated("ReplicaSet", AMD, metadata={"ownerReferences": [owner]}, **on_arm)
    owned = pod(AMD, metadata={"ownerReferences": [owner]}, **on_arm)
    assert brief(await shop.judge(replica_set)) == "allow skipped"
    assert brief(await shop.judge(owned)) == "deny mismatch"
    shop.settings = {}
    assert brief(await shop.judge(replica_set)) == "deny mismatch"


async def test_pods_of_what_works_like_a_daemon_set_are_only_warned_of(shop: World) -> None:
    owner = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "DaemonSet", "name": "a", "uid": "u", "controller": True}
    judgement = await shop.judge(pod(AMD, metadata={"ownerReferences": [owner]}, nodeName="arm"))
    assert (brief(judgement), outcomes(judgement)) == ("warn mismatch", {"arm": ["fails no-matching-entry"]})
