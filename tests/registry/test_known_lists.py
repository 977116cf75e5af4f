"""Lists that the process happens to know: for whom, for how long, and that no request is made for them.

The design, section 2: "A list that the process happens to know, and that this credential may read, turns `fails` into
`uncertain` (config-contradicted), never into `runs`: replicas and restarts must not change a verdict."
"""

import json

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.images import Image
from tests.support.registry import Auth, Registry
from webhook.cluster.files import FileCluster
from webhook.core.decision import Judgement
from webhook.core.node import ARCH_LABEL, OS_LABEL
from webhook.core.platform import Platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node
from webhook.core.workload import parse_workload
from webhook.ports import Access
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge, Request
from webhook.settings import Settings

ARM = Node(
    "arm-1", Platform("linux", "arm64"), Runtime.parse("containerd://2.1.4"), {OS_LABEL: "linux", ARCH_LABEL: "arm64"}
)
MISLABELLED = build.mislabelled("linux/arm64", "linux/amd64")
PINNED = f"reg.example/team/app@{MISLABELLED.manifests[0].digest}"
TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()


@pytest.fixture
def listed(registry: Registry) -> Image:
    """reg.example/team/app:1 is a list that is right over a manifest whose config is wrong."""
    return registry.push("team/app", MISLABELLED, "1")


async def judged(images: RegistryImages, *texts: str, secrets: Access = ANYBODY) -> Judgement:
    """A pod of some images on the one arm64 node; with the pull secrets of an access."""
    cluster = FileCluster(admitted=False)
    cluster.add_node(ARM)
    for secret in secrets.secrets:
        data = {".dockerconfigjson": secret.data.decode()}
        name = {"name": secret.name, "namespace": "default"}
        cluster.add(
            {"apiVersion": "v1", "kind": "Secret", "metadata": name, "type": secret.type, "stringData": data}, "default"
        )
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "containers": [{"name": f"c{number}", "image": text} for number, text in enumerate(texts)],
            "imagePullSecrets": [{"name": secret.name} for secret in secrets.secrets],
        },
    }
    workload = parse_workload(pod)
    assert workload is not None
    return await Judge(Settings(), images, cluster).judge(Request(workload))


def first(judgement: Judgement) -> str:
    outcome = judgement.nodes[0].outcomes[0]
    return f"{outcome.verdict} {outcome.why}"


async def test_a_known_list_turns_fails_into_uncertain_without_a_request(
    registry: Registry, images: RegistryImages, listed: Image
):
    assert first(await judged(images, PINNED)) == "fails config-mismatch"
    await images.resolve(TAGGED, ANYBODY)
    registry.log.clear()
    judgement = await judged(images, PINNED)
    assert first(judgement) == "uncertain config-contradicted"
    assert (judgement.decision, judgement.reason) == ("warn", "undetermined")
    assert "mislabelled" in judgement.messages[0]
    assert registry.log == []


async def test_a_list_that_the_request_leads_to_still_makes_it_run(images: RegistryImages, listed: Image):
    await images.resolve(TAGGED, ANYBODY)
    tagged = PINNED.replace("@", ":1@")
    assert first(await judged(images, tagged)) == "runs fits-by-manifest-list"
    assert first(await judged(images, PINNED, "reg.example/team/app:1")) == "runs fits-by-manifest-list"


async def test_a_known_list_is_not_consulted_where_the_config_fits(images: RegistryImages, registry: Registry):
    right = build.listed([("linux/s390x", build.single("linux/arm64"))])
    registry.push("team/app", right, "1")
    await images.resolve(TAGGED, ANYBODY)
    assert first(await judged(images, f"reg.example/team/app@{right.manifests[0].digest}")) == "runs fits"


async def test_a_list_that_names_another_platform_for_it_changes_nothing(images: RegistryImages, registry: Registry):
    wrong = build.mislabelled("linux/s390x", "linux/amd64")
    registry.push("team/app", wrong, "1")
    await images.resolve(TAGGED, ANYBODY)
    assert first(await judged(images, f"reg.example/team/app@{wrong.manifests[0].digest}")) == "fails config-mismatch"


async def test_only_entries_that_name_the_manifest_itself_count_so_that_nothing_is_asked_for(
    images: RegistryImages, registry: Registry
):
    inner = build.single("linux/amd64")
    twin = Image(build.manifest(inner.blobs[0], inner.blobs[1:], annotations={"twin": "yes"}), (), inner.blobs)
    both = build.listed([("linux/arm64", twin), ("linux/amd64", inner)])
    registry.push("team/app", both, "1")
    await images.resolve(TAGGED, ANYBODY)
    assert first(await judged(images, f"reg.example/team/app@{inner.digest}")) == "fails config-mismatch"
    assert not registry.asked(f"*{twin.digest}")
    # moby would look into the twin, and so does a request that leads to the list
    assert first(await judged(images, f"reg.example/team/app:1@{inner.digest}")) == "runs fits-by-manifest-list"


async def test_a_list_of_another_repository_is_not_this_images(images: RegistryImages, registry: Registry):
    registry.push("team/app", MISLABELLED)
    registry.push("mallory/app", MISLABELLED, "1")
    await images.resolve(reference("reg.example/mallory/app:1"), ANYBODY)
    assert first(await judged(images, PINNED)) == "fails config-mismatch"


async def test_a_nested_list_that_was_fetched_is_known_too(images: RegistryImages, registry: Registry, listed: Image):
    await images.fetch(TAGGED, listed.digest, "manifest", ANYBODY)
    assert first(await judged(images, PINNED)) == "uncertain config-contradicted"


async def test_what_another_credential_saw_is_not_known(images: RegistryImages, registry: Registry, listed: Image):
    registry.auth = Auth(users={"ann": "MARKED-1", "eve": "MARKED-2"})
    ann, eve = access("ann:MARKED-1"), access("eve:MARKED-2")
    await images.resolve(TAGGED, ann)
    assert first(await judged(images, PINNED, secrets=eve)) == "fails config-mismatch"
    assert first(await judged(images, PINNED, secrets=ann)) == "uncertain config-contradicted"
    pinned = reference(PINNED)
    assert await images.known_lists(pinned, pinned.digest, eve) == ()
    assert await images.known_lists(pinned, pinned.digest, ANYBODY) == ()
    # who has both credentials has seen what either has
    assert len(await images.known_lists(pinned, pinned.digest, access("eve:MARKED-2", "ann:MARKED-1"))) == 1


async def test_what_everybody_is_shown_is_known_to_all_once(images: RegistryImages, listed: Image):
    ann = access("ann:MARKED-1")
    await images.resolve(TAGGED, ann)
    pinned = reference(PINNED)
    assert [one.digest for one in await images.known_lists(pinned, pinned.digest, ANYBODY)] == [listed.digest]
    assert [one.digest for one in await images.known_lists(pinned, pinned.digest, ann)] == [listed.digest]


async def test_a_list_is_known_as_long_as_it_is_in_the_cache(setting: Setting, registry: Registry, listed: Image):
    images = setting.images(cache_bytes=96_000)
    await images.resolve(TAGGED, ANYBODY)
    assert first(await judged(images, PINNED)) == "uncertain config-contradicted"
    for number in range(60):
        registry.push("team/app", build.multi("linux/amd64", text=str(number)), f"v{number}")
        await images.resolve(reference(f"reg.example/team/app:v{number}"), ANYBODY)
    assert first(await judged(images, PINNED)) == "fails config-mismatch"
    assert not images._cache.shelves._shelves.keys() - {("open", "reg.example", "team/app")}
    shelf = images._cache.shelves._shelves["open", "reg.example", "team/app"]
    assert all(images._cache.documents.peek(key) is not None for key in shelf)


async def test_of_many_lists_the_newest_count(images: RegistryImages, registry: Registry, listed: Image):
    for number in range(30):
        root = build.document(build.OCI_INDEX, {**listed.root.json, "annotations": {"n": str(number)}})
        registry.push("team/app", Image(root), f"v{number}")
        await images.resolve(reference(f"reg.example/team/app:v{number}"), ANYBODY)
    pinned = reference(PINNED)
    numbers = [
        json.loads(one.body)["annotations"]["n"] for one in await images.known_lists(pinned, pinned.digest, ANYBODY)
    ]
    assert numbers == [str(number) for number in range(29, 13, -1)]


async def test_lists_need_not_be_lent(setting: Setting, registry: Registry, listed: Image):
    """`podgate check` judges many objects in one process, side by side: none may change what another is told."""
    images = setting.images(lend_lists=False)
    await images.resolve(TAGGED, ANYBODY)
    assert first(await judged(images, PINNED)) == "fails config-mismatch"
