"""The hard cases, each against real HTTP servers on loopback: podgate is given files, and judged by what it says and by
what it asks for. The format is README.md's.

They run in this process, by the console script's own function; a handful also as a process of its own.
"""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cases import shorthand
from tests.cases.content import CaseError, Content, Json
from tests.cases.expected import Happened, differences, shown
from tests.cases.tables import runs
from tests.cases.world import World
from tests.support.command import Podgate, Ran, apart, finish

FOLDER: Final = Path(__file__).parent
APART: Final = (
    "adm-every-image-list",
    "auth-several-secrets-one-registry",
    "man-fallback-needs-same-config",
    "ref-hub-spellings",
    "reg-blob-redirect-authorization",
)
Run = Callable[..., Ran]


def load(file: Path) -> Iterator[tuple[str, Json]]:
    """The runs of a file."""
    for case in yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        yield from runs(case)


CASES: Final = [pair for file in sorted(FOLDER.glob("*.yaml")) for pair in load(file)]


class Dumper(yaml.SafeDumper):
    """Everything written out: a reader of manifests need not know anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write(folder: Path, case: Json, world: World) -> list[str | Path]:
    """The files of a case; returns the command line that reads them."""
    hosts = folder / "hosts"
    for host in world.registry:
        (hosts / host).mkdir(parents=True)
        (hosts / host / "hosts.toml").write_text(world.hosts_toml(host))
    # Each server of a case has an address of loopback for itself, and so none is another's own domain.
    realms = [{"registry": host, "realm": config["auth"]["realm"]} for host, config in world.config.items()
              if str(config["auth"].get("realm", "")).startswith("http://127.")]  # fmt: skip
    registries = {"hostsDir": str(hosts), "allowedAddresses": ["127.0.0.0/8"], "realms": realms}
    settings: Json = {"registries": registries}
    for key, value in world.fill(case.get("settings", {})).items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
    secrets = [shorthand.secret(name, value) for name, value in world.fill(case.get("secrets", {})).items()]
    objects = secrets + [world.fill(shorthand.manifest(short)) for short in case.get("objects", [])]
    nodes = {"apiVersion": "v1", "kind": "List", "items": [shorthand.node(short) for short in case.get("nodes", [])]}
    if "dockerConfig" in case:
        (folder / "docker" / "config.json").write_text(shorthand.secret_data(world.fill(case["dockerConfig"])))
    paths = [folder / name for name in ("objects.yaml", "nodes.yaml", "settings.yaml")]
    paths[0].write_text(yaml.dump_all(objects, Dumper=Dumper, sort_keys=False))
    paths[1].write_text(yaml.dump(nodes, Dumper=Dumper, sort_keys=False))
    paths[2].write_text(yaml.safe_dump(settings, sort_keys=False))
    return ["check", "-f", paths[0], "--nodes", paths[1], "--config", paths[2], "-o", "json"]


def secret_words(case: Json) -> set[str]:
    """Passwords (the longer ones), base64 pairs and the data of Secrets: nothing that may come out of podgate."""
    words: set[str] = set()
    to_do: list[Any] = [case.get("secrets", {}), case.get("dockerConfig", {})]
    while to_do:
        value = to_do.pop()
        for key, item in value.items() if isinstance(value, dict) else ():
            if key == "auths" and isinstance(item, dict):
                pairs = [entry for entry in item.values() if isinstance(entry, str)]
                words |= {base64.b64encode(pair.encode()).decode() for pair in pairs}
                words |= {pair.partition(":")[2] for pair in pairs}
            if key in ("auth", "password") and isinstance(item, str):
                words.add(item)
            to_do.append(item)
    for value in case.get("secrets", {}).values():
        words.add(base64.b64encode(shorthand.secret_data(value).encode()).decode())
    return {word for word in words if len(word) >= 8}


def differ(case: Json, folder: Path, run: Run) -> list[str]:
    """The differences of a case run in a folder, a line each."""
    with World(case.get("registry", {}), Content(case.get("content", {}))) as world:
        command = write(folder, case, world)
        start = time.monotonic()
        ran = run(*command)
        happened = Happened(ran, time.monotonic() - start, list(world.log))
        words = secret_words(world.fill({key: case.get(key, {}) for key in ("secrets", "dockerConfig")}))
        expect = world.fill(case["expect"])
        return [shown(one) for one in differences(case, expect, happened, words | set(world.tokens))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_user: None) -> Path:
    """A folder for a case, in which its docker configuration is the user's."""
    (tmp_path / "docker").mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_case(case: Json, folder: Path, podgate: Podgate):
    assert differ(case, folder, podgate) == [], case["because"]


@pytest.mark.parametrize("name", APART)
def test_case_as_a_process(name: str, folder: Path):
    def run(*command: str | Path) -> Ran:
        return finish(apart(command))

    assert differ(dict(CASES)[name], folder, run) == []


def test_ids_are_there_once():
    names = [name for name, _ in CASES]
    assert len(names) == len(set(names)) >= 95


# A check that cannot fail is none: what is expected wrongly is found.


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"objects": {"app": "match"}}, "app.reason: wanted"),
        ({"objects": {"app": {"decision": "allow"}}}, "app.decision: wanted"),
        ({"objects": {"app": {"images": {"app": {"platforms": ["linux/amd64"]}}}}}, "app.images.app.platforms"),
        ({"objects": {"app": {"images": {"app": {"error": "denied"}}}}}, "app.images.app.error.code"),
        ({"objects": {"app": {"images": {"sidecar": {"error": None}}}}}, "app.images.sidecar: wanted listed"),
        ({"objects": {"app": {"nodes": {"n1": "runs fits"}}}}, "app.nodes.n1: wanted runs fits"),
        ({"objects": {"app": {"candidates": ["n2"]}}}, "app.nodes: wanted"),
        ({"objects": {"app": {"notCandidates": ["n1"]}}}, "app.nodes: wanted without n1"),
        ({"objects": {"app": {"message": "nothing like it"}}}, "app.messages: wanted"),
        ({"objects": {"app": {"present": False}}}, "app: wanted not there"),
        ({"objects": {"other": "match"}}, "other: wanted among the objects"),
        ({"exit": 1}, "exit: wanted 1"),
        ({"stderr": "no such words"}, "stderr: wanted"),
        ({"requests": [{"host": "reg.example", "count": "never"}]}, "requests[1]: wanted host=reg.example: never"),
        ({"requests": [{"host": "reg.example", "path": "/v3/*"}]}, "requests[1]"),
        ({"requests": [{"host": "reg.example", "users": ["ann:word"]}]}, "requests[1]"),
        ({"requests": [{"host": "reg.example", "accept": ["x/y"]}]}, "requests[1]"),
        ({"requests": [{"host": "reg.example", "query": {"scope": "x"}}]}, "requests[1]"),
    ],
)
def test_what_is_expected_wrongly_is_found(change: Json, found: str, folder: Path, podgate: Podgate):
    refused: Json = {"repositories": {"app": {"tags": {}}}}
    case = {
        "registry": {"reg.example": refused},
        "nodes": [{"name": "n1", "platform": "linux/arm64"}],
        "objects": [{"name": "app", "image": "reg.example/app:1"}],
        "expect": {"objects": {"app": {"reason": "undetermined"}}, **change},
    }
    lines = differ(case, folder, podgate)
    assert [line for line in lines if line.startswith(found)], lines


@pytest.mark.parametrize(
    "wrong",
    [
        {"expect": {"object": {}}},
        {"expect": {"objects": {"app": {"outcome": "x"}}}},
        {"expect": {"objects": {"app": {"nodes": {"n1": "works"}}}}},
        {"expect": {"objects": {"app": "fine"}}},
        {"expect": {"objects": {"app": {"images": {"app": {"error": "broken"}}}}}},
        {"expect": {"requests": [{"hostname": "x"}]}},
        {"registry": {"reg.example": {"repos": {}}}},
        {"registry": {"reg.example": {"behave": [{"state": 1}]}}},
        {
            "content": {"A": {"index": ["linux/amd64"], "kind": 1}},
            "registry": {"r": {"repositories": {"a": {"also": ["A"]}}}},
        },
        {"nodes": [{"name": "n1", "arch": "amd64"}]},
    ],
)
def test_a_case_that_is_written_wrongly_is_refused(wrong: Json, folder: Path, podgate: Podgate):
    case = {
        "registry": {"reg.example": {}},
        "nodes": [{"name": "n1", "platform": "linux/arm64"}],
        "objects": [{"name": "app", "image": "reg.example/app:1"}],
        "expect": {"objects": {"app": "undetermined"}},
        **wrong,
    }
    with pytest.raises(CaseError):
        differ(case, folder, podgate)


@pytest.mark.parametrize("wrong", [{}, {"id": "x", "area": "y", "because": "z"}, {"id": "x", "surprise": 1}])
def test_a_case_without_what_it_must_have_is_refused(wrong: Json):
    with pytest.raises(CaseError):
        list(runs(wrong))
