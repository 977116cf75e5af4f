"""`podgate serve` with credentials of its own: lent to their namespaces, and nowhere to be read."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.admission.test_serve import Process, serve
from tests.support.apiserver import node
from tests.support.images import multi
from tests.support.programs import Script, answering, provider, provider_config, response
from tests.support.registry import Auth, Registry
from tests.support.serving import answered, changed

WORDS = {"file": "MARKED-file", "config": "MARKED-config", "plug": "MARKED-plug", "home": "MARKED-home"}


def auths(user: str) -> str:
    pair = base64.b64encode(f"{user}:{WORDS[user]}".encode()).decode()
    return json.dumps({"auths": {"reg.example": {"auth": pair}}})


class World:
    """A registry, where the image of each user is for another architecture, and the settings of a `serve` for it."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        registry.auth = Auth(users=WORDS, may_see={f"team/{user}": [user] for user in WORDS})
        for user in WORDS:
            registry.push(f"team/{user}", multi("linux/s390x"), "1")
        registry.serve_as("reg.example", folder / "hosts")
        (folder / "word").write_text(WORDS["file"])
        (folder / "config.json").write_text(auths("config"))
        (folder / ".docker").mkdir()
        (folder / ".docker" / "config.json").write_text(auths("home"))
        self.plugin = Script(folder, "plug", answering(response({"reg.example": f"plug:{WORDS['plug']}"})))
        (folder / "providers.yaml").write_text(json.dumps(provider_config(provider("plug", "reg.example"))))
        (folder / "nodes.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [node("amd-1")]}))
        registries = {
            "hostsDir": str(folder / "hosts"),
            "allowedAddresses": ["127.0.0.0/8"],
            "credentials": [
                {
                    "match": "reg.example",
                    "username": "file",
                    "passwordFile": str(folder / "word"),
                    "namespaces": ["files"],
                },
                {"dockerConfigFile": str(folder / "config.json"), "namespaces": ["configs"]},
            ],
            "credentialProviders": {
                "config": str(folder / "providers.yaml"),
                "binDir": str(folder),
                "namespaces": ["plugs"],
            },
        }
        self.settings = folder / "settings.yaml"
        self.settings.write_text(json.dumps({"registries": registries, "log": {"level": "debug"}}))


@pytest.fixture
def world(tmp_path: Path) -> Any:
    with Registry() as registry:
        yield World(tmp_path, registry)


async def reason(podgate: Process, namespace: str, user: str) -> str:
    """The reason of the decision about a pod with the image that one user may see."""
    spec = {"containers": [{"name": "app", "image": f"reg.example/team/{user}:1"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace}, "spec": spec}
    review = changed("CREATE-Pod", namespace=namespace, name="web", object=pod)
    answer = await answered(await podgate.port(), podgate.trust, json.dumps(review).encode())
    assert "MARKED" not in json.dumps(answer)
    return str(answer["auditAnnotations"]["reason"])


async def test_each_credential_is_lent_to_its_namespace_alone(tmp_path: Path, world: World):
    """And what lies in the home of the process is nobody's."""
    arguments = ("--nodes", str(tmp_path / "nodes.json"), "--config", str(world.settings))
    async with serve(tmp_path, *arguments, DOCKER_CONFIG=str(tmp_path / ".docker")) as podgate:
        await podgate.ready()
        namespaces = {"file": "files", "config": "configs", "plug": "plugs", "home": "homes"}
        seen = {
            (user, namespace): await reason(podgate, namespace, user)
            for namespace in (*namespaces.values(), "default")
            for user in WORDS
        }
        lent = {(user, namespace) for user, namespace in namespaces.items() if user != "home"}
        assert {pair for pair, why in seen.items() if why == "mismatch"} == lent
        assert {why for pair, why in seen.items() if pair not in lent} == {"undetermined"}
        _, metrics = await podgate.health("/metrics")
        assert 'podgate_credential_provider_runs_total{provider="plug",result="ok"} 4.0' in metrics
        assert len(world.plugin.runs) == 4  # one for each image of its namespace
    assert podgate.lines
    assert "MARKED" not in metrics + "".join(podgate.lines)


async def test_a_plugin_that_is_not_there_stops_the_start(tmp_path: Path, world: World):
    world.plugin.path.unlink()
    arguments = ("--nodes", str(tmp_path / "nodes.json"), "--config", str(world.settings))
    async with serve(tmp_path, *arguments) as podgate:
        assert await podgate.exit_code() == 2
    assert "registries.credentialProviders.binDir: no program plug there" in podgate.lines[-1]
    assert "MARKED" not in "".join(podgate.lines)
