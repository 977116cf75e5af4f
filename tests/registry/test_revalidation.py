"""A tag whose time is up: one HEAD where nothing has moved, and GET where HEAD is of no use.

Issue: `a tag whose time is up 1 HEAD when nothing moved (GET where the registry does not answer HEAD properly or gives
no digest)`. The requests are read from the server's log.
"""

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()


def methods(registry: Registry) -> list[str]:
    return [asked.method for asked in registry.log if asked.path != "/token"]


async def outdated(images: RegistryImages, registry: Registry, setting: Setting, *users: str) -> str:
    """Has a tag looked up, and its time go by; its digest."""
    found = await images.resolve(TAGGED, access(*users))
    setting.clock.now += 61
    registry.log.clear()
    return found.root.digest


async def test_a_tag_that_has_not_moved_costs_one_head(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    digest = await outdated(images, registry, setting)
    for _ in range(2):  # the second is within its time again
        found = await images.resolve(TAGGED, ANYBODY)
        assert (found.root.digest, found.stale) == (digest, False)
    (asked,) = registry.log
    assert (asked.method, asked.path) == ("HEAD", "/v2/team/app/manifests/1")
    for kind in (build.OCI_INDEX, build.OCI_MANIFEST, build.DOCKER_LIST, build.DOCKER_MANIFEST):
        assert kind in asked.headers["accept"]


async def test_a_tag_that_has_moved_is_fetched(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await outdated(images, registry, setting)
    new = registry.push("team/app", build.multi("linux/arm64"), "1")
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest == new.digest
    assert methods(registry) == ["HEAD", "GET"]
    setting.clock.now += 61
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest == new.digest
    assert methods(registry) == ["HEAD", "GET", "HEAD"]  # HEAD was right: it is asked again


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="HEAD", status=405),
        Fault(method="HEAD", status=403),
        Fault(method="HEAD", status=404),
        Fault(method="HEAD", status=401),
        Fault(method="HEAD", status=501),
        Fault(method="HEAD", without=("Docker-Content-Digest",)),
        Fault(method="HEAD", headers=[("Docker-Content-Digest", "sha256:" + "0" * 64)]),
        Fault(method="HEAD", headers=[("Docker-Content-Digest", "sha512:" + "0" * 128)]),
        Fault(method="HEAD", redirect="ftp://blobs.example/x"),
        Fault(method="HEAD", redirect="http://169.254.1.1/x"),
    ],
)
async def test_where_head_is_no_use_get_is_asked_and_head_not_again(
    registry: Registry, images: RegistryImages, setting: Setting, fault: Fault
):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    digest = await outdated(images, registry, setting)
    registry.faults = [fault]
    for _ in range(3):
        assert (await images.resolve(TAGGED, ANYBODY)).root.digest == digest
        setting.clock.now += 61
    assert methods(registry) == ["HEAD", "GET", "GET", "GET"]
    setting.clock.now += 600
    await images.resolve(TAGGED, ANYBODY)
    assert methods(registry)[4:] == ["HEAD", "GET"]  # it may have learnt it meanwhile


@pytest.mark.parametrize("fault", [Fault(method="HEAD", close=True), Fault(method="HEAD", status=500)])
async def test_where_head_fails_its_retry_is_a_get(
    registry: Registry, images: RegistryImages, setting: Setting, fault: Fault
):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    digest = await outdated(images, registry, setting)
    registry.faults = [fault]
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.stale) == (digest, False)
    assert set(methods(registry)[:-1]) == {"HEAD"}
    assert methods(registry)[-1] == "GET"
    assert len(setting.pauses) == 1


async def test_the_hash_of_a_body_decides_what_a_tag_is(registry: Registry, images: RegistryImages, setting: Setting):
    """A HEAD's digest is taken only where a body has had it: one that names another leads to the body."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await outdated(images, registry, setting)
    new = registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.faults = [Fault(method="HEAD", headers=[("Docker-Content-Digest", "sha256:" + "f" * 64)])]
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest == new.digest


async def test_a_tag_that_is_gone_is_not_found(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await outdated(images, registry, setting)
    registry.names.clear()
    with pytest.raises(Exception, match="not-found"):
        await images.resolve(TAGGED, ANYBODY)


async def test_a_head_goes_through_the_login(registry: Registry, images: RegistryImages, setting: Setting):
    registry.auth = Auth(users={"ann": "word"})
    registry.push("team/app", build.multi("linux/amd64"), "1")
    digest = await outdated(images, registry, setting, "ann:word")
    assert (await images.resolve(TAGGED, access("ann:word"))).root.digest == digest
    assert methods(registry) == ["HEAD"]
    assert registry.log[0].authorization.startswith("Bearer ")


async def test_another_credential_is_not_answered_by_a_head(
    registry: Registry, images: RegistryImages, setting: Setting
):
    """What ann saw is no document of bob's until he has fetched it."""
    registry.auth = Auth(users={"ann": "word", "bob": "word"})
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await outdated(images, registry, setting, "ann:word")
    await images.resolve(TAGGED, access("bob:word"))
    assert methods(registry) == ["GET"]


async def test_an_index_without_a_document_is_fetched(registry: Registry, setting: Setting):
    """The cache may have lost the document and kept the tag: a HEAD would be one request too many."""
    images = setting.images(cache_bytes=48 << 10)
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await outdated(images, registry, setting)
    for number in range(20):
        image = registry.push("team/app", build.multi("linux/amd64", text=str(number)))
        await images.fetch(TAGGED, image.digest, "manifest", ANYBODY)
    registry.log.clear()
    await images.resolve(TAGGED, ANYBODY)
    assert methods(registry) == ["GET"]


async def test_each_mirror_is_asked_by_head(setting: Setting):
    with Registry() as mirror, Registry() as upstream:
        for one in (mirror, upstream):
            one.push("team/app", build.multi("linux/amd64"), "1")
        setting.serve("reg.example", mirror, upstream)
        images = setting.images()
        await outdated(images, mirror, setting)
        mirror.faults = [Fault(status=503)]
        assert not (await images.resolve(TAGGED, ANYBODY)).stale
        assert (methods(mirror), methods(upstream)) == (["HEAD"], ["HEAD"])
