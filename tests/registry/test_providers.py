"""Credential provider plugins: run as the kubelet runs them, and confined."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.registry.conftest import Clock, reference
from tests.support.programs import Script, answering, provider, provider_config, response
from webhook.core.errors import MalformedSettings, RegistryError
from webhook.core.keyring import Credential
from webhook.core.providerconfig import read_provider_config
from webhook.ports import Access
from webhook.registry.options import Hooks
from webhook.registry.providers import Plugins, PluginSettings

APP = reference("reg.example/team/app:1")
TEAM = Access("team")
Make = Callable[..., Plugins]


class Runs:
    """What the hooks were told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, str]] = []

    @property
    def hooks(self) -> Hooks:
        return Hooks(clock=self.clock, on_program=lambda name, result: self.told.append((name, result)))


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
async def make(tmp_path: Path, runs: Runs) -> AsyncIterator[Make]:
    made: list[Plugins] = []

    def plugins(*providers: dict[str, Any], namespaces: tuple[str, ...] = ("team",)) -> Plugins:
        found = read_provider_config(provider_config(*providers), "f")
        made.append(Plugins(PluginSettings(tmp_path, found, namespaces), runs.hooks))
        return made[-1]

    yield plugins
    for each in made:
        await each.aclose()


def pairs(found: Any) -> list[str]:
    return [f"{credential.username}:{credential.password}" for credential in found]


async def test_a_plugin_is_asked_for_an_image_and_answers(tmp_path: Path, make: Make, runs: Runs):
    script = Script(tmp_path, "ecr", answering(response({"*.example/team": "u:p", "other.example": "v:q"})))
    plugins = make(provider("ecr", "reg.example"))
    (found,) = await plugins.lookup(APP, TEAM)
    assert found == Credential("u", "p", "provider ecr")
    (question,) = script.runs
    assert json.loads(question)["image"] == "reg.example/team/app"  # neither tag nor digest
    assert runs.told == [("ecr", "ok")]


async def test_it_is_asked_only_for_what_it_is_for(tmp_path: Path, make: Make):
    script = Script(tmp_path, "ecr", answering(response({"*.example": "u:p"})))
    plugins = make(provider("ecr", "reg.example/team"))
    assert await plugins.lookup(reference("quay.io/team/app"), TEAM) == ()
    assert await plugins.lookup(reference("reg.example/other/app"), TEAM) == ()
    assert script.runs == []


async def test_other_namespaces_are_lent_nothing(tmp_path: Path, make: Make):
    script = Script(tmp_path, "ecr", answering(response({"reg.example": "u:p"})))
    plugins = make(provider("ecr", "reg.example"), namespaces=("team-*", "ops"))
    for outside in ("team", "ops-2", "", "default"):
        assert await plugins.lookup(APP, Access(outside)) == ()
    assert script.runs == []
    assert pairs(await plugins.lookup(APP, Access("team-a"))) == ["u:p"]
    assert await plugins.lookup(APP, Access("default")) == ()


async def test_several_plugins_make_one_keyring(tmp_path: Path, make: Make):
    """plugins.go, Lookup: the longer key first, whoever has it; for one key in the order of the configuration."""
    Script(tmp_path, "a", answering(response({"reg.example": "a:1"})))
    Script(tmp_path, "b", answering(response({"reg.example/team": "b:2", "reg.example": "b:3"})))
    plugins = make(provider("a", "reg.example"), provider("b", "reg.example"))
    assert pairs(await plugins.lookup(APP, TEAM)) == ["b:2", "a:1", "b:3"]


# how it is confined


async def test_it_has_its_own_environment_and_arguments_alone(tmp_path: Path, make: Make, monkeypatch):
    monkeypatch.setenv("LEAKED", "MARKED")
    script = Script(
        tmp_path, "ecr", '/usr/bin/env | /bin/grep -v "^_=\\|^PWD=\\|^SHLVL=" >> $asked; echo "$*" >> $asked\n'
    )
    plugins = make(provider("ecr", "reg.example", args=["a", "b c"], env=[{"name": "REGION", "value": "eu"}]))
    await plugins.lookup(APP, TEAM)
    assert script.runs[1:] == ["REGION=eu", "a b c"]  # a shell makes the three that are left out by itself


async def test_it_gets_five_seconds_and_its_children_end_with_it(tmp_path: Path, make: Make, runs: Runs, monkeypatch):
    monkeypatch.setattr("webhook.registry.providers._SECONDS", 0.3)
    script = Script(tmp_path, "slow", "/bin/sleep 300 &\necho $! >> $asked\n/bin/sleep 300\n")
    assert await make(provider("slow", "reg.example")).lookup(APP, TEAM) == ()
    child = int(script.runs[1])
    await gone(child)
    assert runs.told == [("slow", "failed")]


async def test_what_it_leaves_behind_ends_with_it_too(tmp_path: Path, make: Make):
    body = "/bin/sleep 300 > /dev/null &\necho $! >> $asked\n" + answering(response({"reg.example": "u:p"}))
    script = Script(tmp_path, "ecr", body)
    assert pairs(await make(provider("ecr", "reg.example")).lookup(APP, TEAM)) == ["u:p"]
    await gone(int(script.runs[1]))


async def test_an_end_ends_what_is_running(tmp_path: Path, make: Make):
    script = Script(tmp_path, "slow", "echo $$ >> $asked\n/bin/sleep 300\n")
    plugins = make(provider("slow", "reg.example"))
    asking = asyncio.ensure_future(plugins.lookup(APP, TEAM))
    while len(script.runs) < 2:  # it has not begun yet  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await plugins.aclose()
    with pytest.raises(RegistryError, match="closed"):
        await asking
    await gone(int(script.runs[1]))


async def gone(pid: int) -> None:
    """Waits until a process has ended."""
    until = time.monotonic() + 10
    while goes_on(pid):
        assert time.monotonic() < until, f"process {pid} goes on"
        await asyncio.sleep(0.01)


def goes_on(pid: int) -> bool:
    """Whoever adopts orphans may leave it a zombie, which is an end too."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


FAILING = {
    "exit status": "echo MARKED >&2; exit 3\n",
    "a signal": "kill -9 $$\n",
    "nothing": "",
    "no JSON": answering("MARKED"),
    "too much": "/bin/head -c 2000000 /dev/zero\n",
    "another version": answering(response({"reg.example": "u:MARKED"}, apiVersion="v1")),
    "no cacheKeyType": answering(response({"reg.example": "u:MARKED"}, "")),
}


@pytest.mark.parametrize("body", FAILING.values(), ids=FAILING)
async def test_what_fails_has_no_credentials(tmp_path: Path, make: Make, runs: Runs, caplog, body: str):
    """plugin.go, provideWithCoordinates: an error is logged and that is all. It is not run again at once."""
    script = Script(tmp_path, "ecr", body)
    Script(tmp_path, "good", answering(response({"reg.example": "u:p"})))
    plugins = make(provider("ecr", "reg.example"), provider("good", "reg.example"))
    assert pairs(await plugins.lookup(APP, TEAM)) == ["u:p"]
    assert pairs(await plugins.lookup(APP, TEAM)) == ["u:p"]
    assert len(script.runs) == 1
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith("credential provider ecr, for reg.example/team/app: ")
    assert "MARKED" not in caplog.text
    assert sorted(runs.told) == [("ecr", "failed"), ("good", "ok")]
    script.write(answering(response({"reg.example": "back:again"})))
    runs.clock.now += 10.1
    assert pairs(await plugins.lookup(APP, TEAM)) == ["back:again", "u:p"]


async def test_a_program_that_cannot_be_started_any_more(tmp_path: Path, make: Make, runs: Runs):
    script = Script(tmp_path, "ecr", "")
    plugins = make(provider("ecr", "reg.example"))
    script.path.unlink()
    assert await plugins.lookup(APP, TEAM) == ()
    assert runs.told == [("ecr", "failed")]


@pytest.mark.parametrize("kind", ["missing", "not executable", "a directory"])
def test_a_plugin_must_be_a_program_at_start(tmp_path: Path, kind: str):
    if kind == "a directory":
        (tmp_path / "ecr").mkdir()
    elif kind == "not executable":
        Script(tmp_path, "ecr", "").path.chmod(0o644)
    found = read_provider_config(provider_config(provider("ecr", "reg.example")), "f")
    with pytest.raises(MalformedSettings, match=r"^credentialProviders\.binDir: no program ecr there"):
        Plugins(PluginSettings(tmp_path, found, ("*",)), Hooks())


# how long an answer counts, and for what


@pytest.mark.parametrize(
    ("kind", "same"),
    [
        ("Image", {"reg.example/team/app": 1, "reg.example/team/other": 2, "reg.example:5000/a": 3}),
        ("Registry", {"reg.example/team/app": 1, "reg.example/team/other": 1, "reg.example:5000/a": 2}),
        ("Global", {"reg.example/team/app": 1, "reg.example/team/other": 1, "reg.example:5000/a": 1}),
    ],
)
async def test_for_what_an_answer_counts(tmp_path: Path, make: Make, kind: str, same: dict[str, int]):
    script = Script(tmp_path, "ecr", answering(response({"reg.example": "u:p"}, kind)))
    plugins = make(provider("ecr", "reg.example", "reg.example:5000"))
    for image, expected in same.items():
        await plugins.lookup(reference(image), TEAM)
        assert len(script.runs) == expected


@pytest.mark.parametrize(
    ("default", "own", "good_for"),
    [("10m", None, 600), ("10m", "1m", 60), ("1m", "10m", 600), ("10m", "0s", 0), ("0s", None, 0), ("1m", "-1s", 0)],
)
async def test_how_long_an_answer_counts(
    tmp_path, make: Make, runs: Runs, default: str, own: str | None, good_for: int
):
    more = {} if own is None else {"cacheDuration": own}
    script = Script(tmp_path, "ecr", answering(response({"reg.example": "u:p"}, **more)))
    plugins = make(provider("ecr", "reg.example", defaultCacheDuration=default))
    await plugins.lookup(APP, TEAM)
    runs.clock.now += max(good_for - 1, 0)
    await plugins.lookup(APP, TEAM)
    assert len(script.runs) == (1 if good_for else 2)
    runs.clock.now += 2
    await plugins.lookup(APP, TEAM)
    assert len(script.runs) == (2 if good_for else 3)


async def test_that_it_has_nothing_is_an_answer_too(tmp_path: Path, make: Make):
    script = Script(tmp_path, "ecr", answering(response(None)))
    plugins = make(provider("ecr", "reg.example"))
    assert await plugins.lookup(APP, TEAM) == ()
    assert await plugins.lookup(APP, TEAM) == ()
    assert len(script.runs) == 1


async def test_askers_for_one_image_share_a_run(tmp_path: Path, make: Make):
    body = "/bin/sleep 0.2\n" + answering(response({"reg.example": "u:p"}, cacheDuration="0s"))
    script = Script(tmp_path, "ecr", body)
    plugins = make(provider("ecr", "reg.example"))
    found = await asyncio.gather(*(plugins.lookup(APP, TEAM) for _ in range(20)))
    assert [pairs(each) for each in found] == [["u:p"]] * 20
    assert len(script.runs) == 1


async def test_two_run_at_a_time(tmp_path: Path, make: Make):
    """And who waited for his turn takes what came for another image meanwhile."""
    (tmp_path / "now").mkdir()
    count = f"> {tmp_path}/now/$$; echo n=$(/bin/ls {tmp_path}/now | /usr/bin/wc -l) >> $asked\n"
    body = f"{count}/bin/sleep 0.2\n/bin/rm {tmp_path}/now/$$\n"
    script = Script(tmp_path, "ecr", body + answering(response({"reg.example": "u:p"}, "Image")))
    other = Script(tmp_path, "acr", "/bin/sleep 0.2\n" + answering(response({"acr.example": "u:p"}, "Registry")))
    plugins = make(provider("ecr", "reg.example"), provider("acr", "acr.example"))
    await asyncio.gather(*(plugins.lookup(reference(f"reg.example/{n}"), TEAM) for n in range(5)))
    most = max(int(line.removeprefix("n=")) for line in script.runs if line.startswith("n="))
    assert most <= 2
    await asyncio.gather(*(plugins.lookup(reference(f"acr.example/{n}"), TEAM) for n in range(6)))
    assert len(other.runs) <= 2


async def test_who_has_no_time_does_not_wait_and_the_run_goes_on(tmp_path: Path, make: Make):
    script = Script(tmp_path, "ecr", "/bin/sleep 0.3\n" + answering(response({"reg.example": "u:p"})))
    plugins = make(provider("ecr", "reg.example"))
    soon = asyncio.get_running_loop().time() + 0.05
    with pytest.raises(RegistryError, match="timeout"):
        await plugins.lookup(APP, Access("team", (), soon))
    assert pairs(await plugins.lookup(APP, TEAM)) == ["u:p"]
    assert len(script.runs) == 1


async def test_what_is_kept_is_bounded(tmp_path: Path, make: Make, monkeypatch):
    monkeypatch.setattr("webhook.registry.providers._MOST_KEPT", 3)
    Script(tmp_path, "ecr", answering(response({"reg.example": "u:p"})))
    plugins = make(provider("ecr", "reg.example"))
    for number in range(5):
        await plugins.lookup(reference(f"reg.example/{number}"), TEAM)
    assert len(plugins._plugins[0]._kept) == 3
