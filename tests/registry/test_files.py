"""Credentials of the settings: files that change, and to whom they are lent."""

import json
import os
from pathlib import Path

import pytest

from tests.registry.conftest import Clock, reference
from webhook.core.errors import BadCredentials
from webhook.ports import Access
from webhook.registry.files import DockerConfigFile, Entry, FileCredentials, PasswordFile

APP = reference("reg.example/team/app:1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def password(folder: Path, match: str, user: str, word: str, *namespaces: str) -> PasswordFile:
    path = folder / f"{user}.word"
    path.write_text(word)
    return PasswordFile(path, namespaces or ("*",), f"credentials[{user}].passwordFile", match, user)


def docker(folder: Path, auths: dict[str, str], *namespaces: str) -> DockerConfigFile:
    path = folder / "config.json"
    entries = {key: dict(zip(("username", "password"), pair.split(":"), strict=True)) for key, pair in auths.items()}
    path.write_text(json.dumps({"auths": entries, "credsStore": "evil"}))
    return DockerConfigFile(path, namespaces or ("*",), "credentials[d].dockerConfigFile")


async def found(
    credentials: FileCredentials, namespace: str = "team", image: str = "reg.example/team/app"
) -> list[str]:
    looked_up = await credentials.lookup(reference(image), Access(namespace))
    return [f"{each.username}:{each.password}" for each in looked_up]


@pytest.mark.parametrize(
    ("match", "image", "fits"),
    [
        ("reg.example", "reg.example/a", True),
        ("*.reg.example/team", "a.reg.example/team/app", True),
        ("*.reg.example/team", "a.reg.example/other/app", False),
        ("*.reg.example/team", "reg.example/team/app", False),
        ("reg.example:5000", "reg.example:5000/a", True),
        ("reg.example", "reg.example:5000/a", False),
        ("https://index.docker.io/v1/", "nginx", True),
        ("docker.io/library", "nginx", True),
    ],
)
async def test_match_follows_the_keyrings_rules(tmp_path: Path, clock: Clock, match: str, image: str, fits: bool):
    credentials = FileCredentials([password(tmp_path, match, "u", "p")], clock)
    assert await found(credentials, image=image) == (["u:p"] if fits else [])


@pytest.mark.parametrize(
    ("content", "word"), [("p", "p"), ("p\n", "p"), ("p\r\n", "p"), (" p \n\n", " p "), ("a:b\nc", "a:b\nc")]
)
async def test_a_line_break_at_the_end_is_no_part_of_a_password(tmp_path: Path, clock: Clock, content: str, word: str):
    entry = password(tmp_path, "reg.example", "u", "")
    entry.path.write_bytes(content.encode())
    assert await found(FileCredentials([entry], clock)) == [f"u:{word}"]


async def test_all_entries_of_a_namespace_make_one_keyring(tmp_path: Path, clock: Clock):
    """The longer path first, wherever it stands; entries for one key in the order of the settings."""
    entries: list[Entry] = [
        password(tmp_path, "reg.example", "a", "1"),
        password(tmp_path, "reg.example/team", "b", "2", "team"),
        docker(tmp_path, {"reg.example": "c:3", "quay.io": "d:4"}, "te*", "ops"),
    ]
    credentials = FileCredentials(entries, clock)
    assert await found(credentials) == ["b:2", "a:1", "c:3"]
    assert await found(credentials, "tenant") == ["a:1", "c:3"]
    assert await found(credentials, "ops") == ["a:1", "c:3"]
    assert await found(credentials, "default") == ["a:1"]
    assert await found(credentials, "default", "quay.io/x") == []


async def test_the_source_is_the_setting(tmp_path: Path, clock: Clock):
    (one,) = await FileCredentials([password(tmp_path, "reg.example", "u", "p")], clock).lookup(APP, Access("x"))
    assert one.source == "credentials[u].passwordFile"


async def test_a_changed_file_is_read_again(tmp_path: Path, clock: Clock):
    entry = password(tmp_path, "reg.example", "u", "old")
    credentials = FileCredentials([entry], clock)
    assert await found(credentials) == ["u:old"]
    entry.path.write_text("new-word")
    assert await found(credentials) == ["u:old"]  # looked at once a second
    clock.now += 1
    assert await found(credentials) == ["u:new-word"]


async def test_a_secrets_volume_that_is_turned_over(tmp_path: Path, clock: Clock):
    """..data is a symbolic link that is replaced in one step: the file's name and path stay."""
    for number, word in enumerate(("first", "other")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "password").write_text(word)
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "password").symlink_to("..data/password")
    entry = PasswordFile(tmp_path / "password", ("*",), "w", "reg.example", "u")
    credentials = FileCredentials([entry], clock)
    assert await found(credentials) == ["u:first"]
    (tmp_path / "..new").symlink_to("..1")
    (tmp_path / "..new").rename(tmp_path / "..data")
    clock.now += 1
    assert await found(credentials) == ["u:other"]


async def test_a_bad_version_keeps_the_old_and_is_told_once(tmp_path: Path, clock: Clock, caplog):
    entry = docker(tmp_path, {"reg.example": "u:p"})
    credentials = FileCredentials([entry], clock)
    for content in (b'{"auths": MARKED', None):
        if content is None:
            entry.path.unlink()
        else:
            entry.path.write_bytes(content)
        for _ in range(3):
            clock.now += 1
            assert await found(credentials) == ["u:p"]
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    where = f"credentials stay as they were: credentials[d].dockerConfigFile: {entry.path}: "
    assert lines == [f"{where}it is not JSON", f"{where}cannot be read: No such file or directory"]
    assert "MARKED" not in caplog.text
    docker(tmp_path, {"reg.example": "u:back"})
    clock.now += 1
    assert await found(credentials) == ["u:back"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"x" * ((1 << 20) + 1)])
def test_a_password_file_must_be_good_at_start(tmp_path: Path, clock: Clock, content: bytes | None):
    entry = password(tmp_path, "reg.example", "u", "p")
    entry.path.unlink()
    if content is not None:
        entry.path.write_bytes(content)
    with pytest.raises(BadCredentials, match=r"^credentials\[u\]\.passwordFile: /.*u\.word: "):
        FileCredentials([entry], clock)


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"auths": {"reg.example": {"auth": "MARKED"}}}'])
def test_a_docker_configuration_must_be_good_at_start(tmp_path: Path, clock: Clock, content: bytes | None):
    entry: Entry = docker(tmp_path, {"reg.example": "u:p"})
    entry.path.unlink()
    if content is not None:
        entry.path.write_bytes(content)
    with pytest.raises(BadCredentials, match=r"^credentials\[d\]\.dockerConfigFile: /.*config\.json: ") as caught:
        FileCredentials([entry], clock)
    assert "MARKED" not in str(caught.value)


async def test_files_that_are_not_lent_are_not_looked_at(tmp_path: Path, clock: Clock):
    entry = password(tmp_path, "reg.example", "u", "p", "ops")
    credentials = FileCredentials([entry], clock)
    os.unlink(entry.path)  # noqa: PTH108  # of an asynchronous test
    clock.now += 10
    assert await found(credentials) == []
    assert credentials._looked_at == clock.now - 10
