"""The order of moby's lookup, step by step and end to end: real documents over HTTP, requests counted by the server."""

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod
from tests.support import images


@pytest.fixture
def on_arm(world: World) -> World:
    world.has(node("arm", "linux/arm64"))
    return world


async def test_step_1_the_config_fits(on_arm: World) -> None:
    image = on_arm.registry.push("app", images.single("linux/arm64"), "1")
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert brief(judgement) == "allow match"
    assert outcomes(judgement) == {"arm": ["runs fits"]}
    (found,) = judgement.images
    assert (found.kind, found.platforms, found.error) == ("manifest", ("linux/arm64",), None)
    assert found.resolved == f"reg.example/app@{image.digest}"
    config = image.root.json["config"]["digest"]
    assert on_arm.paths() == ["GET app/manifests/1", f"GET app/blobs/{config}"]


async def test_step_2_the_config_gives_no_variant(world: World) -> None:
    world.has(node("arm", "linux/arm", labels={"podgate.dev/variant": "v6"}))
    world.registry.push("app", images.single("linux/arm"), "1")
    judgement = await world.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["runs fits-variant-not-given"]}
    assert len(world.registry.log) == 2


async def test_step_3_a_list_contradicts_the_config(on_arm: World) -> None:
    image = on_arm.registry.push("app", images.mislabelled("linux/arm64", claims="linux/amd64"), "1")
    digest = image.manifests[0].digest
    judgement = await on_arm.judge(pod(f"reg.example/app:1@{digest}"))
    assert brief(judgement) == "allow match"
    assert outcomes(judgement) == {"arm": ["runs fits-by-manifest-list"]}
    config = image.manifests[0].json["config"]["digest"]
    wanted = [f"GET app/manifests/{digest}", f"GET app/blobs/{config}", "GET app/manifests/1"]
    assert on_arm.paths() == wanted


async def test_step_3_an_answer_with_a_text_says_that_the_config_is_mislabelled(on_arm: World) -> None:
    on_arm.has(node("big", "linux/s390x"))
    image = on_arm.registry.push("app", images.mislabelled("linux/arm64", claims="linux/amd64"), "1")
    name = f"reg.example/app:1@{image.manifests[0].digest}"
    judgement = await on_arm.judge(pod(name))
    assert brief(judgement) == "warn partial"
    assert outcomes(judgement) == {"arm": ["runs fits-by-manifest-list"], "big": ["fails config-mismatch"]}
    assert judgement.messages[1].endswith(
        f"{name} fits by its manifest list alone: the platform in its config is mislabelled"
    )


async def test_step_3_by_a_list_that_another_image_of_the_object_names(on_arm: World) -> None:
    image = on_arm.registry.push("app", images.mislabelled("linux/arm64", claims="linux/amd64"), "list")
    digest = image.manifests[0].digest
    judgement = await on_arm.judge(pod(f"reg.example/app@{digest}", "reg.example/app:list"))
    assert outcomes(judgement) == {"arm": ["runs fits-by-manifest-list", "runs fits"]}


async def test_step_3_by_a_list_of_another_repository(on_arm: World) -> None:
    image = images.mislabelled("linux/arm64", claims="linux/amd64")
    on_arm.registry.push("app", image)
    on_arm.registry.push("copy", image, "list")
    judgement = await on_arm.judge(pod(f"reg.example/app@{image.manifests[0].digest}", "reg.example/copy:list"))
    assert outcomes(judgement)["arm"][0] == "runs fits-by-manifest-list"


async def test_step_4_none_of_them(on_arm: World) -> None:
    image = on_arm.registry.push("app", images.single("linux/amd64"), "1")
    judgement = await on_arm.judge(pod(f"reg.example/app:1@{image.digest}"))
    assert brief(judgement) == "deny mismatch"
    assert outcomes(judgement) == {"arm": ["fails config-mismatch"]}
    (text,) = judgement.messages
    for words in ("Pod web cannot run", 'container "a"', "is for linux/amd64", "on arm (linux/arm64)", "exec format"):
        assert words in text.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("listed", "claims"),
    [("linux/s390x", "linux/amd64"), ("linux/arm64", "linux/s390x")],
    ids=["the entry does not fit", "the config is another one"],
)
async def test_a_list_says_nothing_where_entry_or_config_is_another(on_arm: World, listed: str, claims: str) -> None:
    image = on_arm.registry.push("app", images.mislabelled(listed, claims="linux/amd64"), "1")
    other = on_arm.registry.push("app", images.single(claims, text="other"))
    digest = image.manifests[0].digest if listed == "linux/s390x" else other.digest
    judgement = await on_arm.judge(pod(f"reg.example/app:1@{digest}"))
    assert outcomes(judgement) == {"arm": ["fails config-mismatch"]}


async def test_an_index_decides_by_its_entries_with_one_request(on_arm: World) -> None:
    on_arm.registry.push("good", images.multi("linux/amd64", "linux/arm64"), "1")
    on_arm.registry.push("bad", images.multi("linux/amd64", "linux/s390x"), "1")
    judgement = await on_arm.judge(pod("reg.example/good:1", "reg.example/bad:1"))
    assert outcomes(judgement) == {"arm": ["runs fits", "fails no-matching-entry"]}
    assert [image.platforms for image in judgement.images] == [
        ("linux/amd64", "linux/arm64"),
        ("linux/amd64", "linux/s390x"),
    ]
    assert sorted(on_arm.paths()) == ["GET bad/manifests/1", "GET good/manifests/1"]


async def test_what_is_known_by_digest_costs_nothing_the_second_time(on_arm: World) -> None:
    image = on_arm.registry.push("app", images.single("linux/amd64"), "1")
    pinned = pod(f"reg.example/app@{image.digest}")
    for _ in range(3):
        assert brief(await on_arm.judge(pinned)) == "deny mismatch"
    assert len(on_arm.registry.log) == 2


async def test_one_image_in_many_containers_is_asked_for_once(on_arm: World) -> None:
    on_arm.registry.push("app", images.single("linux/arm64"), "1")
    judgement = await on_arm.judge(pod(*["reg.example/app:1"] * 20))
    assert outcomes(judgement) == {"arm": ["runs fits"] * 20}
    assert len(on_arm.registry.log) == 2
