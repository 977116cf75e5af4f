"""The docker configuration of the command line: entries, and credential helpers as docker asks them."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.registry.conftest import reference
from tests.support.programs import Script, answering
from webhook.core.dockerconfig import read_docker_config
from webhook.core.errors import BadCredentials
from webhook.core.keyring import Credential
from webhook.ports import Access
from webhook.registry.helpers import DockerLogins

APP = reference("reg.example/team/app:1")
HUB = reference("nginx")
Make = Callable[..., DockerLogins]


class World:
    """A folder on the PATH, and what was noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.made: list[DockerLogins] = []
        self.environment = {"PATH": f"{folder}:/usr/bin", "HOME": "/home/ann"}

    def helper(self, name: str, body: str) -> Script:
        return Script(self.folder, f"docker-credential-{name}", body)

    def logins(self, **config: Any) -> DockerLogins:
        found = read_docker_config(json.dumps(config).encode(), "config.json")
        self.made.append(DockerLogins(found, "config.json", self.environment, self.notes.append))
        return self.made[-1]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    for each in made.made:
        await each.aclose()


def credential(server: str, username: str, secret: str) -> str:
    return answering(json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))


async def ask(logins: DockerLogins, image: Any = APP) -> list[Credential]:
    return list(await logins.lookup(image, Access("anywhere")))


async def test_entries_count_by_the_keyrings_rules(world: World):
    logins = world.logins(auths={"reg.example/team": {"auth": "dTpw"}, "*.example": {"username": "v", "password": "q"}})
    assert await ask(logins) == [Credential("u", "p", "config.json"), Credential("v", "q", "config.json")]
    assert await ask(logins, HUB) == []


async def test_tokens_count_too(world: World):
    entry = {"auth": "MDA6", "identitytoken": "I", "registrytoken": "R"}
    assert await ask(world.logins(auths={"reg.example": entry})) == [
        Credential("00", "", "config.json", identity_token="I", registry_token="R")
    ]


async def test_an_entry_that_says_nothing_is_none(world: World):
    """docker writes them beside a store: where it has logged in."""
    assert await ask(world.logins(auths={"reg.example": {}, "*.example": {"email": "a@b"}})) == []


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("nginx", "https://index.docker.io/v1/"),
        ("docker.io/team/app", "https://index.docker.io/v1/"),
        ("index.docker.io/team/app", "https://index.docker.io/v1/"),
        ("reg.example/team/app", "reg.example"),
        ("reg.example:5000/team/app", "reg.example:5000"),
    ],
)
async def test_which_server_a_helper_is_asked_for(world: World, image: str, server: str):
    """configfile/file.go, getAuthConfigKey."""
    script = world.helper("store", 'echo "$*" >> $asked\n' + credential(server, "u", "p"))
    logins = world.logins(credsStore="store")
    assert await ask(logins, reference(image)) == [Credential("u", "p", "docker-credential-store")]
    assert script.runs == [server, "get"]


async def test_the_servers_own_helper_comes_before_the_store(world: World):
    world.helper("own", credential("reg.example", "own", "p"))
    store = world.helper("store", credential("", "store", "p"))
    logins = world.logins(credsStore="store", credHelpers={"reg.example": "own", "quay.io": ""})
    assert [each.username for each in await ask(logins)] == ["own"]
    assert [each.username for each in await ask(logins, HUB)] == ["store"]
    assert await ask(logins, reference("quay.io/a/b")) == []  # "": the file alone
    assert len(store.runs) == 1


async def test_an_identity_token_of_a_helper(world: World):
    world.helper("store", credential("reg.example", "<token>", "I"))
    assert await ask(world.logins(credsStore="store")) == [
        Credential("", "", "docker-credential-store", identity_token="I")
    ]


async def test_a_helper_is_asked_once(world: World):
    script = world.helper("store", credential("", "u", "p"))
    logins = world.logins(credsStore="store")
    for _ in range(3):
        await ask(logins, reference("reg.example/a"))
        await ask(logins, reference("reg.example/b"))
    assert len(script.runs) == 1


NOTHING = ["echo 'credentials not found in native keychain'; exit 1\n", credential("reg.example", "", "")]


@pytest.mark.parametrize("body", NOTHING)
async def test_where_a_helper_has_nothing_the_file_does_not_count(world: World, body: str):
    """native_store.go, Get: what it says takes the place of the file's entry."""
    world.helper("store", body)
    assert await ask(world.logins(credsStore="store", auths={"reg.example": {"auth": "dTpw"}})) == []
    assert world.notes == []


FAILING = {
    "exit status 3": "echo MARKED; echo MARKED >&2; exit 3\n",
    "ended by signal 9": "kill -9 $$\n",
    "its answer is not the JSON of a credential": "echo MARKED\n",
    "writes more than 1 MiB": "/usr/bin/head -c 2000000 /dev/zero\n",
}


@pytest.mark.parametrize("why", FAILING)
async def test_where_a_helper_fails_the_file_counts(world: World, why: str):
    world.helper("store", FAILING[why])
    logins = world.logins(credsStore="store", auths={"reg.example": {"auth": "dTpw"}})
    assert [each.username for each in await ask(logins)] == ["u"]
    await ask(logins)
    assert world.notes == [f"docker-credential-store, for reg.example: {why}"]


async def test_a_helper_has_a_time(world: World, monkeypatch):
    monkeypatch.setattr("webhook.registry.helpers._SECONDS", 0.2)
    world.helper("store", "/bin/sleep 300\n")
    assert await ask(world.logins(credsStore="store")) == []
    assert world.notes == ["docker-credential-store, for reg.example: not done within 0.2 s"]


async def test_a_helper_that_is_not_there(world: World):
    assert await ask(world.logins(credsStore="missing")) == []
    assert world.notes == ["docker-credential-missing, for reg.example: there is no such program on the PATH"]


@pytest.mark.parametrize("path", [".", "", "relative"])
async def test_the_current_directory_is_not_on_the_path(world: World, monkeypatch, path: str):
    world.helper("here", credential("", "u", "p"))
    monkeypatch.chdir(world.folder)
    world.environment["PATH"] = path
    assert await ask(world.logins(credsStore="here")) == []


async def test_a_helpers_name_is_no_path(world: World):
    (world.folder / "docker-credential-x").mkdir()
    Script(world.folder, "evil", credential("", "u", "p"))
    assert await ask(world.logins(credsStore="x/../evil")) == []


async def test_a_helper_has_the_users_environment(world: World):
    script = world.helper("store", "echo $HOME >> $asked\n" + credential("", "u", "p"))
    await ask(world.logins(credsStore="store"))
    assert script.runs[1] == "/home/ann"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"auths": []}',
        '{"auths": {"a": {"auth": "MARKED"}}}',
        '{"auths": {"a": {"identitytoken": 1}}}',
        '{"credsStore": ["MARKED"]}',
        '{"credHelpers": {"a": 1}}',
        '{"credHelpers": ["MARKED"]}',
    ],
)
def test_a_malformed_configuration_is_not_quoted(text: str):
    with pytest.raises(BadCredentials) as caught:
        read_docker_config(text.encode(), "config.json")
    assert caught.value.path == "config.json"
    assert "MARKED" not in str(caught.value)


@pytest.mark.parametrize("text", ["null", "{}", '{"auths": null, "credHelpers": null, "psFormat": "x"}'])
def test_a_configuration_without_credentials(text: str):
    found = read_docker_config(text.encode(), "config.json")
    assert (found.logins, dict(found.helpers), found.store) == ((), {}, "")
