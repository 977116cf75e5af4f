"""Tags of a repository: page by page, with the image's own credentials, within bounds, and nowhere else."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support.images import single
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.resolver import RegistryImages
from webhook.registry.tags import MOST_PAGES, TagList

APP = reference("reg.example/team/app:1")
LIST = "/v2/team/app/tags/list"
ANYBODY = access()


def fill(registry: Registry, count: int) -> list[str]:
    tags = [f"1.{number:04}" for number in range(count)]
    registry.push("team/app", single("linux/amd64"), *tags)
    return tags


async def failure(images: RegistryImages) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.tags(APP, ANYBODY)
    return caught.value


async def test_all_pages_once_however_many_ask(images: RegistryImages, registry: Registry):
    tags = fill(registry, 25)
    registry.tags_a_page = 10
    found = await asyncio.gather(*(images.tags(APP, ANYBODY) for _ in range(5)))
    assert {one.tags for one in found} == {tuple(tags)}
    assert found[0].whole
    assert [{key: value for key, value in asked.query.items() if key != "ns"} for asked in registry.log] == [
        {"n": ["1000"]},
        {"n": ["10"], "last": ["1.0009"]},
        {"n": ["10"], "last": ["1.0019"]},
    ]
    await images.tags(APP, ANYBODY)
    assert len(registry.asked(LIST)) == 3


async def test_no_more_pages_than_are_of_use(images: RegistryImages, registry: Registry):
    fill(registry, MOST_PAGES + 5)
    registry.tags_a_page = 1
    found = await images.tags(APP, ANYBODY)
    assert (len(found.tags), found.whole, len(registry.asked())) == (MOST_PAGES, False, MOST_PAGES)


@pytest.mark.parametrize(
    "link",
    [
        "<https://elsewhere.example/v2/team/app/tags/list?last=1.0009>; rel=next",
        "<//elsewhere.example/v2/team/app/tags/list?last=1.0009>; rel=next",
        "</v2/team/other/tags/list?last=1.0009>; rel=next",
        "</v2/team/app/../other/tags/list?last=1.0009>; rel=next",
        "<http://[bad/v2/team/app/tags/list>; rel=next",
        "</v2/team/app/tags/list?last=1.0009>; rel=prev",
        "nothing of a link",
        "<" * 60_000,  # read in one go: the time must not grow with the square of what a registry writes
    ],
    ids=lambda link: link[:60],
)
async def test_a_link_to_elsewhere_is_not_followed(images: RegistryImages, registry: Registry, link: str):
    tags = fill(registry, 10)
    registry.faults.append(Fault(at=LIST, headers=[("Link", link)]))
    found = await images.tags(APP, ANYBODY)
    assert (found.tags, found.whole) == (tuple(tags), False)
    assert [asked.path for asked in registry.log] == [LIST]


async def test_a_registry_that_turns_in_circles_is_left(images: RegistryImages, registry: Registry):
    fill(registry, 3)
    registry.faults.append(Fault(at=LIST, headers=[("Link", f"<{LIST}?n=1000>; rel=next")]))
    assert not (await images.tags(APP, ANYBODY)).whole
    assert len(registry.log) <= 2


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_a_private_repository(images: RegistryImages, registry: Registry, scheme: str):
    """By the pull secrets that its images are pulled with, and shown to nobody else."""
    tags = fill(registry, 3)
    registry.auth = Auth(scheme=scheme, users={"ann": "ann-word", "eve": "eve-word"})
    registry.auth.may_see["team/app"] = ["ann"]
    ann, eve = (access(f"{name}:{name}-word") for name in ("ann", "eve"))
    assert (await images.tags(APP, ann)).tags == tuple(tags)
    for other in (eve, ANYBODY):
        with pytest.raises(RegistryError) as caught:
            await images.tags(APP, other)
        assert caught.value.code in ("denied", "unauthorized")


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ('{"tags": null}', ()),
        (json.dumps({"tags": ["ok", 7, "", "-bad", "a/b", "x" * 129, None, "a\nb"]}), ("ok",)),
        ("[]", None),
        ("{}", None),
        ('{"tags": ', None),
        ("[" * 100_000, None),
    ],
)
async def test_what_comes_is_looked_at(
    images: RegistryImages, registry: Registry, body: str, tags: Sequence[str] | None
):
    fill(registry, 1)
    registry.faults.append(Fault(at=LIST, body=body.encode()))
    if tags is not None:
        assert (await images.tags(APP, ANYBODY)).tags == tags
    else:
        assert (await failure(images)).code == "malformed"


async def test_a_failure_is_one_for_all_who_ask(images: RegistryImages, registry: Registry):
    fill(registry, 1)
    registry.faults.append(Fault(at=LIST, status=405))
    first = await failure(images)
    assert (await failure(images)).code == first.code
    assert len(registry.log) == 1


async def test_who_waits_no_longer_leaves_the_list_to_the_others(images: RegistryImages, registry: Registry):
    tags = fill(registry, 3)
    registry.faults.append(Fault(at=LIST, delay=0.3))
    hurried = access(deadline=asyncio.get_running_loop().time() + 0.05)
    found, error = await asyncio.gather(images.tags(APP, ANYBODY), images.tags(APP, hurried), return_exceptions=True)
    assert isinstance(found, TagList)
    assert isinstance(error, RegistryError)
    assert (found.tags, error.code, len(registry.log)) == (tuple(tags), "timeout", 1)


async def test_hosts_that_may_not_be_asked(setting: Setting, registry: Registry):
    images = setting.images(allowed_hosts=("other.example",))
    assert (await failure(images)).code == "blocked-host"
    assert registry.log == []


async def test_a_mirror_is_told_whose_tags_are_meant(setting: Setting, registry: Registry):
    fill(registry, 12)
    registry.tags_a_page = 10
    with Registry() as server:
        setting.serve("reg.example", registry, server)
        found = await setting.images().tags(APP, ANYBODY)
        assert (len(found.tags), found.whole, server.log) == (12, True, [])
    assert [asked.query["ns"] for asked in registry.log] == [["reg.example"], ["reg.example"]]


async def test_a_registry_on_loopback_that_speaks_no_tls(setting: Setting, registry: Registry):
    """As for its images: https first, and http where that is not spoken."""
    tags = fill(registry, 12)
    registry.tags_a_page = 10
    found = await setting.images().tags(reference(f"{registry.address}/team/app:1"), ANYBODY)
    assert found.tags == tuple(tags)
