"""The cache folder of the command line: what a second run asks for, and to whom what is kept is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.registry.conftest import Clock, Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import PullSecret
from webhook.core.wording import NOT_KEPT
from webhook.ports import Access
from webhook.registry.addresses import AddressPolicy
from webhook.registry.kept import STALE_SECONDS, Keeping, KeptImages, default_folder

TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()


class Runs:
    """Runs of the command line with one cache folder."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting = setting
        self.folder = folder
        self.notes: list[str] = []
        self.wall = Clock()
        self.max_bytes = 1 << 20

    @asynccontextmanager
    async def run(self, ttl: float = 0.0, *, offline: bool = False, **options: object) -> AsyncIterator[KeptImages]:
        images = self.setting.images(lend_lists=False, **options)
        keeping = Keeping(self.folder, ttl, self.max_bytes, self.wall)
        async with KeptImages(None if offline else images, images._options, keeping, self.notes.append) as kept:
            yield kept

    @property
    def files(self) -> list[Path]:
        """What is kept, without the key."""
        return sorted(path for path in (self.folder / "images").iterdir() if path.name != "key")


@pytest.fixture
def runs(setting: Setting, tmp_path: Path) -> Runs:
    return Runs(setting, tmp_path / "cache")


async def look(images: KeptImages, access: Access = ANYBODY) -> tuple[str, ...]:
    """An image as a verdict needs it: root and config of a single manifest."""
    image = await images.resolve(TAGGED, access)
    config = await images.fetch(TAGGED, image.root.manifest.config.digest, "config", access)
    assert config.config_platform is not None
    return image.root.digest, config.config_platform.architecture


async def test_the_next_run_asks_for_tags_alone_and_within_their_time_for_nothing(runs: Runs, registry: Registry):
    first = registry.push("team/app", build.single("linux/amd64"), "1")
    for ttl, asked in ((0.0, 2), (0.0, 1), (60.0, 0), (0.0, 1)):
        before = len(registry.log)
        async with runs.run(ttl=ttl) as images:
            assert await look(images) == (first.digest, "amd64")
            assert await look(images) == (first.digest, "amd64")
        assert len(registry.log) - before == asked
    moved = registry.push("team/app", build.single("linux/arm64"), "1")
    runs.wall.now += 61
    async with runs.run(ttl=60.0) as images:
        assert await look(images) == (moved.digest, "arm64")
    assert runs.notes == []


async def test_offline_nothing_is_asked_and_an_old_tag_says_so(runs: Runs, registry: Registry):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    async with runs.run() as images:
        await look(images)
    asked = len(registry.log)
    for days, stale in ((0, False), (1, False), (2, True), (-1, True)):
        runs.wall.now = 1000.0 + days * STALE_SECONDS
        async with runs.run(offline=True) as images:
            assert await look(images) == (image.digest, "amd64")
            assert (await images.resolve(TAGGED, ANYBODY)).stale is stale
            assert (await images.resolve(reference(f"{TAGGED}@{image.digest}"), ANYBODY)).stale is False
            assert await images.known_lists(TAGGED, image.digest, ANYBODY) == ()
            for absent in ("reg.example/team/app:2", f"reg.example/other@{image.digest}"):
                with pytest.raises(RegistryError) as raised:
                    await images.resolve(reference(absent), ANYBODY)
                assert (raised.value.code, raised.value.told) == ("unavailable", NOT_KEPT)
    assert len(registry.log) == asked


async def test_offline_without_a_folder_makes_none(runs: Runs):
    async with runs.run(offline=True) as images:
        with pytest.raises(RegistryError, match="unavailable"):
            await look(images)
    assert not runs.folder.exists()
    (note,) = runs.notes
    assert note.endswith(" is not there: no image is known then; a run with it that is not offline makes it")


async def test_what_one_login_saw_no_other_is_shown(runs: Runs, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth(users={"ann": "MARKED-a", "bob": "MARKED-b"})
    ann, bob = access("ann:MARKED-a"), access("bob:MARKED-b")
    async with runs.run() as images:
        await look(images, ann)
    others = (bob, ANYBODY, access("ann:MARKED-old"), access("bob:MARKED-b", "ann:MARKED-a"))
    async with runs.run(offline=True) as images:
        for other in others:
            with pytest.raises(RegistryError) as raised:
                await look(images, other)
            assert raised.value.told == NOT_KEPT
        await look(images, ann)
        renamed = PullSecret("elsewhere", "other-name", ann.secrets[0].type, ann.secrets[0].data)
        await look(images, Access("elsewhere", (renamed,)))
    for path in (runs.folder / "images").iterdir():
        assert b"MARKED" not in path.read_bytes()
        assert not any(word in path.name for word in ("ann", "team", "reg.example"))
    before = len(registry.asked("/v2/*"))
    async with runs.run(ttl=60) as images:
        await look(images, bob)
    assert len(registry.asked("/v2/*")) > before


async def test_other_ways_to_a_registry_are_other_answers(runs: Runs, registry: Registry):
    """A tag behind another mirror may be another image, and a host that may not be asked is not answered for."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    async with runs.run() as images:
        await look(images)
    async with runs.run(offline=True, allowed_hosts=("other.example",)) as images:
        with pytest.raises(RegistryError, match="blocked-host"):
            await look(images)
    async with runs.run(offline=True, addresses=AddressPolicy()) as images:
        with pytest.raises(RegistryError, match="unavailable"):
            await look(images)
    with Registry() as other:
        runs.setting.serve("reg.example", other)
        moved = other.push("team/app", build.single("linux/arm64"), "1")
        async with runs.run(ttl=60) as images:
            assert await look(images) == (moved.digest, "arm64")


async def test_a_secret_that_cannot_be_read_stops_it_whatever_is_kept(runs: Runs, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1")
    async with runs.run() as images:
        await look(images)
        broken = PullSecret("default", "pull", "kubernetes.io/dockerconfigjson", b"{")
        with pytest.raises(BadCredentials, match="pull"):
            await look(images, Access("default", (broken,)))


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(status=404), Fault(status=401), Fault(close=True), Fault(body=b"x")]
)
async def test_failures_are_not_kept(runs: Runs, registry: Registry, fault: Fault):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults.append(fault)
    async with runs.run(ttl=60) as images:
        with pytest.raises((RegistryError, ValueError)):
            await look(images)
    registry.faults.clear()
    runs.setting.clock.now += 3600
    runs.wall.now += 61
    async with runs.run(ttl=60) as images:
        assert (await look(images))[1] == "amd64"


async def test_an_outage_is_no_reason_to_take_an_old_tag_for_todays(runs: Runs, registry: Registry):
    """Offline is said by the user; a run that was meant to ask says that it could not."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    async with runs.run() as images:
        await look(images)
    registry.faults.append(Fault(status=503))
    async with runs.run() as images:
        with pytest.raises(RegistryError, match="unavailable"):
            await look(images)


async def test_what_a_run_that_is_cut_off_found_is_there(runs: Runs, registry: Registry):
    """Each document is kept when it comes, not at the end."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    setting = runs.setting
    images = setting.images(lend_lists=False)
    kept = KeptImages(images, images._options, Keeping(runs.folder, 60, clock=runs.wall), runs.notes.append)
    await kept.resolve(TAGGED, ANYBODY)  # and here it is killed: nothing is closed
    before = len(registry.log)
    async with runs.run(ttl=60) as again:
        await look(again)
    assert [asked.path.split("/")[-2] for asked in registry.log[before:]] == ["blobs"]


async def test_it_is_bounded_and_what_was_not_read_for_longest_goes(runs: Runs, registry: Registry):
    runs.max_bytes = 200_000
    for number in range(12):
        root = build.manifest(build.config("linux/amd64"), annotations={"n": f"{number}{'x' * 20_000}"})
        registry.hold("team/app", "manifests", str(number), root)

    async def at_hand(*numbers: int) -> set[int]:
        before = len(registry.log)
        async with runs.run(ttl=1e6) as images:
            for number in numbers:
                await images.resolve(reference(f"reg.example/team/app:{number}"), ANYBODY)
        missing = {int(asked.path.rpartition("/")[2]) for asked in registry.log[before:]}
        return set(numbers) - missing

    for number in range(12):
        assert await at_hand(0, number) == ({0} if number else set())
        assert sum(path.stat().st_size for path in runs.files) <= 200_000
    assert 0 in await at_hand(0)
    assert await at_hand(1) == set()


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, Path("/c/podgate")),
        ({"XDG_CACHE_HOME": "c", "HOME": "/h"}, Path("/h/.cache/podgate")),
        ({"HOME": "/h"}, Path("/h/.cache/podgate")),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_the_default_folder(environment: dict[str, str], folder: Path | None):
    assert default_folder(environment) == folder


async def test_options_that_change_nothing_about_what_is_seen(runs: Runs, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1")
    async with runs.run() as images:
        await look(images)
    async with runs.run(offline=True, request_timeout=1.0, tag_ttl=1.0) as images:
        await look(images)
