"""Settings that change while reviews are under way: real files, a real server, a registry on loopback."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import node, pod
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from tests.support.serving import Served, changed
from tests.support.volume import Volume
from webhook.app.generations import Around, Generations
from webhook.app.reload import Reload
from webhook.app.settings_file import INTERNAL, SettingsFile
from webhook.cluster.files import FileCluster
from webhook.observability.metrics import Metrics
from webhook.ports import Observation
from webhook.registry.options import Hooks

IMAGE = "reg.example/team/app:1"


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def decided(self, observation: Observation) -> None:
        self.seen.append(observation)


class Running:
    """A server over a file of settings; `settings` are its lines beside where the registry is."""

    def __init__(self, folder: Path, registry: Registry, environment: dict[str, str]) -> None:
        registry.serve_as("reg.example", folder / "hosts")
        self.folder = folder
        self.registry = registry
        self.metrics = Metrics()
        self.recorder = Recorder()
        self.told: list[str] = []
        self.followed: list[bool] = []
        self.volume = Volume(folder / "settings", "settings.yaml", self.text("mode: deny"))
        self.file = SettingsFile(str(self.volume.path), environment)
        settings = self.file.load()
        cluster = FileCluster.from_documents([node("amd-1")])
        around = Around(
            cluster, lambda: True, None, self.recorder, self.metrics.unreadable, Hooks(), lambda options: options
        )
        self.generations = Generations(settings, around)
        (folder / "tls").mkdir()
        self.served = Served(folder / "tls", margin=settings.deadline_margin)
        self.reload = Reload(self.generations, self.served.server, self.metrics, self.followed.append, self.told.append)

    def text(self, *lines: str, registries: str = "") -> str:
        where = f"hostsDir: {self.folder / 'hosts'}, allowedAddresses: [127.0.0.0/8]{registries and ', '}{registries}"
        return "\n".join([*lines, f"registries: {{{where}}}", ""])

    async def look(self, times: int = 2) -> None:
        """So many looks at the file, as they follow one another in time."""
        for _ in range(times):
            await self.file.look(self.reload.apply, self.reload.refused)

    async def change(self, *lines: str, registries: str = "") -> None:
        self.volume.turn(self.text(*lines, registries=registries))
        await self.look()

    async def ask(self, image: str = IMAGE, **fields: Any) -> dict[str, Any]:
        """The answer to a pod that can only land on linux/amd64."""
        namespace = fields.pop("namespace", "team")
        review = changed("CREATE-Pod", namespace=namespace, object=pod(image, **fields))
        return await self.served.post(review, "?timeout=20s")

    def shown(self, line: str) -> bool:
        return line in self.metrics.text().decode().splitlines()


@pytest.fixture
def environment() -> dict[str, str]:
    return {}


@pytest.fixture
async def running(tmp_path: Path, environment: dict[str, str]) -> AsyncIterator[Running]:
    with Registry() as registry:
        registry.push("team/app", build.single("linux/arm64"), "1")
        made = Running(tmp_path, registry, environment)
        made.served.port = await made.served.server.start(made.generations.review)
        try:
            yield made
        finally:
            await made.served.server.stop()
            await made.generations.aclose()
        assert made.served.errors == made.served.unread == 0


async def test_a_turned_volume_counts_from_the_next_review_on(running: Running):
    assert (await running.ask())["allowed"] is False
    await running.change("mode: warn")
    answer = await running.ask()
    assert (answer["allowed"], answer["auditAnnotations"]["decision"]) == (True, "warn")
    await running.change("mode: audit")
    assert "warnings" not in await running.ask()
    assert running.shown('podgate_settings_reloads_total{result="applied"} 2.0')
    assert running.shown("podgate_settings_last_reload_successful 1.0")


@pytest.mark.parametrize(
    ("lines", "image", "decision"),
    [
        (["decisions: {mismatch: warn}"], IMAGE, "warn"),
        (["exempt: {images: ['reg.example/*']}"], IMAGE, "allow"),
        (["exempt: {namespaces: [team]}"], IMAGE, "allow"),
        (["nodes: {declared: [{platform: linux/arm64}]}"], IMAGE, "warn"),
        (["mode: 'off'"], IMAGE, "allow"),
        (["decisions: {undetermined: deny}"], "reg.example/team/none:1", "deny"),
    ],
)
async def test_what_changes_at_run_time(running: Running, lines: list[str], image: str, decision: str):
    before = (await running.ask(image))["auditAnnotations"]["decision"]
    await running.change(*lines)
    after = (await running.ask(image))["auditAnnotations"]["decision"]
    assert (after, after == before) == (decision, False)


async def test_what_else_changes_at_run_time(running: Running, restored_logging: None):
    await running.change("deadlineMargin: 3s", "log: {level: error, format: text}", "nodes: {nodePools: false}")
    assert logging.getLogger("podgate").level == logging.ERROR
    assert running.served.server._options.margin == 3.0
    assert running.followed == [False]


@pytest.mark.parametrize("environment", [{"PODGATE_MODE": "warn"}])
async def test_the_environment_goes_on_overriding(running: Running):
    await running.change("mode: 'off'", "decisions: {mismatch: deny}")
    assert (await running.ask())["auditAnnotations"]["decision"] == "warn"


async def test_what_counts_from_the_next_start_on_stays_and_the_log_says_so(
    running: Running, caplog: pytest.LogCaptureFixture
):
    await running.change("mode: warn", "server: {port: 1234}", "kinds: [{group: a.example, resource: things}]")
    assert (await running.ask())["auditAnnotations"]["decision"] == "warn"
    assert running.generations.settings.server.port != 1234
    assert running.generations.settings.kinds == ()
    assert "from the next start on have changed: kinds, server" in caplog.text
    assert running.shown("podgate_settings_restart_needed 1.0")
    await running.change("mode: deny")
    assert running.shown("podgate_settings_restart_needed 0.0")


BAD = ["mode: loud", "modes: deny", "mode: [", "- a", "mode: deny\nmode: warn", "cache: {tagTTL: 9}", "\x00"]


@pytest.mark.parametrize("text", BAD)
async def test_a_bad_file_keeps_the_old_settings_and_is_told_once(
    running: Running, caplog: pytest.LogCaptureFixture, text: str
):
    running.volume.turn(text)
    await running.look(5)
    assert (await running.ask())["allowed"] is False
    assert [record.levelname for record in caplog.records if "stay as they were" in record.getMessage()] == ["ERROR"]
    assert len(running.told) == 1
    assert str(running.volume.path) in running.told[0]
    assert running.shown('podgate_settings_reloads_total{result="refused"} 1.0')
    assert running.shown("podgate_settings_last_reload_successful 0.0")
    running.volume.turn(f"{text} ")
    await running.look()
    assert len(running.told) == 2
    await running.change("mode: warn")
    assert (await running.ask())["auditAnnotations"]["decision"] == "warn"
    assert running.shown("podgate_settings_last_reload_successful 1.0")


async def test_back_to_what_it_was_is_good_again(running: Running):
    running.volume.turn("mode: loud")
    await running.look()
    await running.change("mode: deny")
    assert running.shown("podgate_settings_last_reload_successful 1.0")


async def test_a_removed_file_keeps_the_old_settings(running: Running):
    data = running.volume.path.parent / "..data"
    data.rename(data.with_name("..gone"))
    await running.look(4)
    assert (await running.ask())["allowed"] is False
    [told] = running.told
    assert told == f"{running.volume.path}: cannot be read: No such file or directory"
    data.with_name("..gone").rename(data)
    await running.look()
    assert running.shown("podgate_settings_last_reload_successful 1.0")


async def test_a_file_that_is_missing_for_a_moment_says_nothing(running: Running):
    data = running.volume.path.parent / "..data"
    data.rename(data.with_name("..gone"))
    await running.look(1)
    data.with_name("..gone").rename(data)
    await running.look(3)
    assert running.told == []
    assert 'result="refused"' not in running.metrics.text().decode()


async def test_half_of_a_file_that_is_being_written_is_not_read(running: Running):
    """Each beginning is good YAML with other settings in it: `mode: warn` without what exempts."""
    whole = running.text("mode: warn", "exempt: {images: ['reg.example/*']}")
    for end in range(0, len(whole) + 1, 7):
        running.volume.turn(whole[:end])
        await running.look(1)
    running.volume.turn(whole)
    await running.look()
    assert (await running.ask())["auditAnnotations"]["decision"] == "allow"
    assert running.shown('podgate_settings_reloads_total{result="applied"} 1.0')
    assert running.told == []


async def test_credentials_that_cannot_be_read_refuse_the_whole(running: Running):
    entry = "credentials: [{match: reg.example, username: ann, passwordFile: /nowhere, namespaces: ['*']}]"
    await running.change("mode: warn", registries=entry)
    assert (await running.ask())["allowed"] is False
    [told] = running.told
    assert told.startswith("registries.credentials[0].passwordFile: /nowhere: cannot be read")
    assert len(running.generations._open) == 1


async def test_an_error_of_podgates_own_is_told_without_its_text(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def fail(_: object) -> None:
        raise RuntimeError("hunter2")

    running.volume.turn(running.text("mode: warn"))
    for _ in range(2):
        await running.file.look(fail, running.reload.refused)
    assert running.told == [INTERNAL]
    await running.change("mode: audit")
    assert "warnings" not in await running.ask()


async def test_a_review_goes_on_with_the_settings_with_which_it_began(running: Running):
    running.registry.faults = [Fault(delay=0.5, times=1)]
    begun = asyncio.create_task(running.ask())
    while not running.registry.log:  # noqa: ASYNC110 - the registry is a thread of its own
        await asyncio.sleep(0.01)
    old = running.generations._current.registries
    await running.change("mode: warn", registries="requestTimeout: 3s")
    assert (await running.ask())["auditAnnotations"]["decision"] == "warn"
    assert not begun.done()
    assert running.generations._open == [old, running.generations._current.registries]
    assert (await begun)["allowed"] is False
    await until(lambda: running.generations._open == [running.generations._current.registries])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def test_reviews_are_answered_whole_during_a_hundred_changes(running: Running):
    """Each answer is that of one version or of the other; and each version has another client, which is closed."""
    running.registry.faults = [Fault(delay=0.002)]
    over = asyncio.Event()
    decisions: list[tuple[bool, str, int]] = []

    async def asking() -> None:
        while not over.is_set():
            answer = await running.ask()
            warned = len(answer.get("warnings", ()))
            decisions.append((answer["allowed"], answer["auditAnnotations"]["decision"], warned))

    askers = [asyncio.create_task(asking()) for _ in range(8)]
    for number in range(100):
        mode = ("deny", "warn")[number % 2]
        seconds = f"requestTimeout: {5 + number}s, deniedAddresses: [10.0.0.{number}/32]"
        await running.change(f"mode: {mode}", registries=seconds)
    over.set()
    await asyncio.gather(*askers)
    assert set(decisions) == {(False, "deny", 0), (True, "warn", 1)}
    assert running.shown('podgate_settings_reloads_total{result="applied"} 100.0')
    assert {each.judgement.reason for each in running.recorder.seen} == {"mismatch"}
    await until(lambda: running.generations._open == [running.generations._current.registries])


async def test_the_cache_lives_on_and_shows_nobody_what_another_has_seen(running: Running, tmp_path: Path):
    running.registry.auth = Auth(users={"bob": "bob-word"})
    (tmp_path / "word").write_text("bob-word")

    def lent(namespace: str, more: str = "") -> str:
        entry = f"match: reg.example, username: bob, passwordFile: {tmp_path / 'word'}, namespaces: [{namespace}]"
        return f"credentials: [{{{entry}}}]{more}"

    await running.change("mode: deny", registries=lent("ours"))
    assert (await running.ask(namespace="ours"))["allowed"] is False
    running.registry.log.clear()
    await running.change("mode: deny", registries=lent("ours", ", requestTimeout: 3s"))
    assert (await running.ask(namespace="ours"))["allowed"] is False
    assert running.registry.log == []
    await running.change("mode: deny", registries=lent("theirs"))
    answer = await running.ask(namespace="ours")
    assert (answer["allowed"], answer["auditAnnotations"]["reason"]) == (True, "undetermined")
    assert (await running.ask(namespace="theirs"))["allowed"] is False


async def test_what_is_not_about_registries_leaves_their_client_as_it_is(running: Running):
    await running.ask()
    before = running.generations._current.registries
    running.registry.log.clear()
    await running.change("mode: warn", "exempt: {images: [other.example/*]}")
    await running.ask()
    assert running.generations._current.registries is before
    assert running.registry.log == []
    assert running.generations.cached_bytes > 0


async def test_a_client_closed_before_its_reviews_have_ended(running: Running):
    """The process ends: what a stalled review needs is closed all the same."""
    running.registry.faults = [Fault(delay=30.0, times=1)]
    begun = asyncio.create_task(running.ask())
    while not running.registry.log:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    await running.change("mode: warn", registries="requestTimeout: 3s")
    await running.generations.aclose()
    answer = await begun
    assert (answer["allowed"], answer["auditAnnotations"]["reason"]) == (True, "undetermined")
