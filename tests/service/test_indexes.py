"""Indexes of every sort, asked for over HTTP: what becomes of them, and what the registry's log says that it took."""

import pytest

from tests.service.conftest import World, brief, codes, node, outcomes, pod
from tests.support import images
from tests.support.images import Content, Image, entry, index

DOCKERD_LIKE = "containerd://1.7.27"
TRANSFER = "containerd://2.1.4"


@pytest.fixture(params=[DOCKERD_LIKE, TRANSFER])
def on_arm(world: World, request: pytest.FixtureRequest) -> World:
    world.has(node("arm", "linux/arm64", runtime=request.param))
    return world


def nested(depth: int, of: str | None = None, leaf: str = "linux/arm64") -> Image:
    """An image under so many indexes below the root. `of`: the platform that the entries for indexes name."""
    image = images.multi(leaf)
    root, inner = image.root, list(image.manifests)
    for _ in range(depth):
        inner.append(root)
        root = index([entry(root, of)])
    return Image(root, tuple(inner), image.blobs)


def pushed(world: World, *contents: Content) -> None:
    """Documents as they are, whatever they refer to; the last under the tag 1 too."""
    world.registry.push("app", Image(contents[-1], contents[:-1]), "1")


@pytest.mark.parametrize("of", [None, "linux/arm64"])
@pytest.mark.parametrize("depth", range(4))
async def test_nested_indexes_are_walked_three_deep(on_arm: World, depth: int, of: str | None) -> None:
    on_arm.registry.push("app", nested(depth, of), "1")
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["runs fits"]}
    assert len(on_arm.registry.log) == 1 + depth
    await on_arm.judge(pod("reg.example/app:1"))
    assert len(on_arm.registry.log) == 1 + depth


@pytest.mark.parametrize("leaf", ["linux/arm64", "linux/amd64"])
@pytest.mark.parametrize("depth", [4, 9])
async def test_deeper_nobody_knows(on_arm: World, depth: int, leaf: str) -> None:
    """The runtime goes on, so that it may run; and nothing is asked for that is not looked at."""
    on_arm.registry.push("app", nested(depth, leaf=leaf), "1")
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["uncertain image-unresolved"]}
    assert (brief(judgement), codes(judgement)) == ("warn undetermined", ["malformed"])
    assert len(on_arm.registry.log) == 4


async def test_within_a_nested_index_nothing_fits(on_arm: World) -> None:
    on_arm.registry.push("app", nested(2, leaf="linux/amd64"), "1")
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["fails no-matching-entry"]}
    assert len(on_arm.registry.log) == 3


async def test_of_many_nested_indexes_only_the_chosen_one_is_read(on_arm: World) -> None:
    """An index of 300: the runtime takes the first without a platform only where no entry fits."""
    inner = [index([entry(images.single("linux/arm64", text=str(n)).root, "linux/arm64")]) for n in range(300)]
    pushed(on_arm, *inner, index(entry(one) for one in inner))
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["runs fits"]}
    assert on_arm.paths() == ["GET app/manifests/1", f"GET app/manifests/{inner[0].digest}"]


async def test_a_child_that_stands_there_twice_is_asked_for_once(on_arm: World) -> None:
    inner = index([entry(images.single("linux/arm64").root, "linux/arm64")])
    pushed(on_arm, inner, index([entry(inner), entry(inner), entry(inner, "linux/s390x")]))
    judgement = await on_arm.judge(pod("reg.example/app:1", "reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["runs fits", "runs fits"]}
    assert on_arm.paths() == ["GET app/manifests/1", f"GET app/manifests/{inner.digest}"]


async def test_a_nested_index_that_is_not_there(on_arm: World) -> None:
    pushed(on_arm, index([entry(index([]))]))
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["uncertain image-unresolved"]}
    assert codes(judgement) == ["not-found"]


LINUX = [images.single("linux/arm64", text=str(number)).root for number in range(2)]
UNKNOWN = images.attested(images.multi("linux/amd64")).root.json["manifests"][-1]
ARTIFACT = images.artifact().root
WASM = images.single("wasip1/wasm").root


@pytest.mark.parametrize(
    ("entries", "outcome"),
    [
        ([entry(LINUX[0], "linux/arm64"), entry(LINUX[1], "linux/arm64")], "runs fits"),
        ([entry(LINUX[0], "linux/amd64"), entry(LINUX[0], "linux/arm64")], "runs fits"),
        ([UNKNOWN, entry(LINUX[0], "linux/arm64")], "runs fits"),
        ([UNKNOWN], "fails no-matching-entry"),
        ([entry(LINUX[0], "unknown/unknown")], "fails no-matching-entry"),
        ([entry(ARTIFACT, artifactType="application/x"), entry(LINUX[0], "linux/arm64")], "runs fits"),
        ([entry(WASM, "wasip1/wasm")], "fails no-matching-entry"),
        ([entry(WASM, "wasip1/wasm"), entry(LINUX[0], "linux/arm64")], "runs fits"),
        ([], "fails no-matching-entry"),
    ],
    ids=["duplicate", "twice", "attested", "attestation", "unknown", "artifact", "wasm", "wasm-too", "empty"],
)
async def test_entries_decide_without_a_further_request(on_arm: World, entries: list[dict[str, object]], outcome: str):
    pushed(on_arm, index(entries))
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": [outcome]}
    assert on_arm.paths() == ["GET app/manifests/1"]


@pytest.mark.parametrize(
    ("image", "requests"),
    [
        (images.artifact(), 1),
        (images.single("wasip1/wasm"), 2),
        (images.single(None), 2),
        (images.single("linux/arm64", os=None, architecture=""), 2),
    ],
    ids=["artifact", "wasm", "no platform", "empty"],
)
async def test_a_root_that_names_no_platform_of_a_node(on_arm: World, image: Image, requests: int) -> None:
    on_arm.registry.push("app", image, "1")
    judgement = await on_arm.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {"arm": ["uncertain platform-unknown"]}
    assert len(on_arm.registry.log) == requests


def _many(number: int, right: int) -> tuple[Image, list[Content]]:
    """An image whose config says amd64, and so many manifests for arm64, of which one, by number, has that config."""
    image = images.single("linux/amd64")
    (config, layer) = image.blobs
    same = images.manifest(config, [layer], annotations={"the": "same config"})
    other = [images.single("linux/amd64", text=str(n)).root for n in range(number)]
    return image, [*other[:right], same, *other[right:]][:number]


@pytest.mark.parametrize(
    ("number", "right", "outcome"),
    [
        (256, 255, "runs fits-by-manifest-list"),
        (256, 256, "fails config-mismatch"),
        (257, 256, "uncertain image-unresolved"),
        (257, 3, "runs fits-by-manifest-list"),
    ],
)
async def test_a_list_is_searched_for_256_manifests(world: World, number: int, right: int, outcome: str) -> None:
    """moby looks at all of them. What podgate does not look at may well have the config: that is not known."""
    world.has(node("arm", "linux/arm64"))
    image, manifests = _many(number, right)
    world.registry.push("app", image)
    pushed(world, *manifests, index([entry(one, "linux/arm64") for one in manifests]))
    judgement = await world.judge(pod(f"reg.example/app:1@{image.digest}"))
    assert outcomes(judgement) == {"arm": [outcome]}
    assert len(world.registry.log) == 3 + min(number, 256, right + 1)
