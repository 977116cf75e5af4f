"""Unqualified names on CRI-O nodes: unknown there, unless settings say which registry they belong to."""

import pytest

from tests.service.conftest import World, brief, codes, node, outcomes, pod, pull_secret
from tests.support import images
from tests.support.registry import Auth, Registry

CRIO = node("crio", "linux/arm64", "cri-o://1.32.0")
OTHER = node("other", "linux/arm64")


@pytest.fixture
def hub(world: World) -> Registry:
    """Docker Hub has app for amd64, quay.io for arm64."""
    world.serve_as("docker.io")
    world.registry.push("library/app", images.multi("linux/amd64"), "1")
    return world.registry


@pytest.fixture
def quay(world: World, hub: Registry) -> Registry:
    quay = world.serve("quay.io", Registry())
    quay.push("app", images.multi("linux/arm64"), "1")
    return quay


def means(world: World, registry: str) -> None:
    world.settings = {"registries": {"shortNames": registry}}


async def test_without_the_setting_it_is_uncertain(world: World, hub: Registry) -> None:
    world.has(CRIO)
    judgement = await world.judge(pod("app:1"))
    assert (brief(judgement), outcomes(judgement)) == ("warn undetermined", {"crio": ["uncertain short-name"]})
    assert hub.log == []


@pytest.mark.parametrize("name", ["docker.io", "index.docker.io"])
async def test_docker_hub_is_what_it_means_elsewhere_too(world: World, hub: Registry, name: str) -> None:
    world.has(CRIO, OTHER)
    means(world, name)
    judgement = await world.judge(pod("app:1"))
    assert brief(judgement) == "deny mismatch"
    assert outcomes(judgement) == {"crio": ["fails no-matching-entry"], "other": ["fails no-matching-entry"]}
    assert len(hub.log) == 1
    assert "on CRI-O nodes" not in judgement.messages[0]


async def test_another_registry_counts_on_cri_o_nodes_alone(world: World, hub: Registry, quay: Registry) -> None:
    world.has(CRIO, OTHER)
    means(world, "quay.io")
    judgement = await world.judge(pod("app:1"))
    assert outcomes(judgement) == {"crio": ["runs fits"], "other": ["fails no-matching-entry"]}
    assert (len(hub.log), [asked.path for asked in quay.log]) == (1, ["/v2/app/manifests/1"])
    assert judgement.images[0].platforms == ()  # what one offers is not said of both
    assert ": app:1 (on CRI-O nodes quay.io/app:1) fails on other" in judgement.messages[0]


async def test_an_alias_counts_on_cri_o_nodes_without_any_registry_of_short_names(
    world: World, hub: Registry, quay: Registry
) -> None:
    world.has(CRIO, OTHER)
    world.settings = {"registries": {"shortNameAliases": {"app": "quay.io/app"}}}
    judgement = await world.judge(pod("app:1"))
    assert outcomes(judgement) == {"crio": ["runs fits"], "other": ["fails no-matching-entry"]}
    assert outcomes(await world.judge(pod("other:1")))["crio"] == ["uncertain short-name"]


async def test_where_all_nodes_are_cri_os_nobody_else_is_asked(world: World, hub: Registry, quay: Registry) -> None:
    quay.push("app", images.multi("linux/s390x"), "2")
    world.has(CRIO)
    means(world, "quay.io")
    judgement = await world.judge(pod("app:2"))
    assert (brief(judgement), hub.log) == ("deny mismatch", [])
    (found,) = judgement.images
    assert (found.resolved.partition("@")[0], found.platforms) == ("quay.io/app", ("linux/s390x",))
    assert "image app:2 (on CRI-O nodes quay.io/app:2) is for linux/s390x" in judgement.messages[0].replace("\n  ", " ")


async def test_two_names_of_one_image_have_its_platforms(world: World, hub: Registry, quay: Registry) -> None:
    quay.push("app", images.multi("linux/amd64"), "1")
    world.has(CRIO, OTHER)
    means(world, "quay.io")
    judgement = await world.judge(pod("app:1"))
    assert (brief(judgement), judgement.images[0].platforms) == ("deny mismatch", ("linux/amd64",))


async def test_an_image_that_is_not_there_on_cri_o_nodes_is_uncertain_there(
    world: World, hub: Registry, quay: Registry
) -> None:
    hub.push("library/app", images.multi("linux/arm64"), "3")
    world.has(CRIO, OTHER)
    means(world, "quay.io")
    judgement = await world.judge(pod("app:3"))
    assert outcomes(judgement) == {"crio": ["uncertain image-unresolved"], "other": ["runs fits"]}
    assert (brief(judgement), codes(judgement)) == ("allow match", ["not-found"])


async def test_what_is_no_name_behind_a_registry_stays_uncertain(world: World, hub: Registry) -> None:
    """A kubelet takes MyReg/app; CRI-O takes it for short, and makes no name of it."""
    world.has(CRIO)
    means(world, "quay.io")
    assert outcomes(await world.judge(pod("MyReg/app:1"))) == {"crio": ["uncertain short-name"]}


@pytest.mark.parametrize(
    ("glob", "crio", "other"),
    [
        ("docker.io/library/*", "runs exempt", "runs exempt"),
        ("quay.io/*", "runs exempt", "fails no-matching-entry"),
    ],
)
async def test_exempt_by_either_name(world: World, quay: Registry, glob: str, crio: str, other: str) -> None:
    world.has(CRIO, OTHER)
    means(world, "quay.io")
    world.settings["exempt"] = {"images": [glob]}
    assert outcomes(await world.judge(pod("app:1"))) == {"crio": [crio], "other": [other]}
    assert quay.log == []


@pytest.mark.parametrize("nodes", [(CRIO,), (CRIO, OTHER)])
async def test_an_exempt_image_of_cri_o_nodes_alone(
    world: World, quay: Registry, nodes: tuple[dict[str, object]]
) -> None:
    world.has(*nodes)
    means(world, "quay.io")
    world.settings["exempt"] = {"images": ["quay.io/app"]}
    assert outcomes(await world.judge(pod("app:1")))["crio"] == ["runs exempt"]


async def test_a_registry_is_shown_its_own_credentials_alone(world: World, quay: Registry) -> None:
    """A kubelet gives CRI-O the credentials of docker.io for whatever the name stands for; podgate does not."""
    quay.auth = Auth(scheme="basic", users={"ann": "quay-word"})
    world.has(
        CRIO, pull_secret("hub", {"docker.io": "ann:hub-word"}), pull_secret("quay", {"quay.io": "ann:quay-word"})
    )
    means(world, "quay.io")
    asked = pod("app:1", imagePullSecrets=[{"name": "hub"}, {"name": "quay"}])
    assert outcomes(await world.judge(asked)) == {"crio": ["runs fits"]}
    assert len({one.authorization for one in quay.log if one.authorization}) == 1


async def test_a_secret_that_cannot_be_read_stops_both(world: World, quay: Registry) -> None:
    broken = pull_secret("broken", {})
    broken["stringData"] = {".dockerconfigjson": "{"}
    world.has(CRIO, OTHER, broken)
    means(world, "quay.io")
    judgement = await world.judge(pod("app:1", imagePullSecrets=[{"name": "broken"}]))
    assert codes(judgement) == ["bad-credentials"]
    assert set(map(tuple, outcomes(judgement).values())) == {("uncertain image-unresolved",)}
    assert quay.log == []


async def test_a_qualified_name_is_itself(world: World, hub: Registry, quay: Registry) -> None:
    world.has(CRIO)
    means(world, "quay.io")
    assert outcomes(await world.judge(pod("docker.io/app:1"))) == {"crio": ["fails no-matching-entry"]}
    assert quay.log == []
