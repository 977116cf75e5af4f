"""`podgate serve` as a process: its settings change, for better and for worse, and its reviews are traced."""

import json
import signal
from pathlib import Path

import pytest

from tests.admission.test_serve import NODES, Process, kubeconfig, serve
from tests.admission.test_serve_events import NOT_VALID, api, ask, review
from tests.cluster.test_reflector import until
from tests.support.apiserver import ApiServer
from tests.support.otlp import Collector
from tests.support.volume import Volume

__all__ = ["api"]  # pytest looks for fixtures here


async def decision(podgate: Process, port: int) -> str:
    return str((await ask(podgate, port, review("CREATE-Pod", "web")))["auditAnnotations"]["decision"])


async def test_a_config_map_that_changes(tmp_path: Path, api: ApiServer):
    volume = Volume(tmp_path / "settings", "settings.yaml", "mode: deny\n")
    own = {"POD_NAME": "podgate-1", "POD_NAMESPACE": "podgate", "POD_UID": "own-uid"}
    arguments = ("--config", str(volume.path))
    async with serve(tmp_path, *arguments, KUBECONFIG=kubeconfig(tmp_path, api.url), **own) as podgate:
        port = await podgate.port()
        await podgate.ready()
        assert await decision(podgate, port) == "deny"
        volume.turn("mode: deny\nserver: {port: 1}\nmode: warn")
        assert "line 3: 'mode' stands twice" in (await podgate.said("the settings stay as they were"))["message"]
        assert await decision(podgate, port) == "deny"
        assert "podgate_settings_last_reload_successful 0.0" in (await podgate.health("/metrics"))[1]
        await until(lambda: api.all("events"))
        volume.turn("mode: warn\nserver: {maxBodyBytes: 2Mi}\nevents: false")
        await podgate.said("changed: mode, events")
        await podgate.said("from the next start on have changed: server")
        assert await decision(podgate, port) == "warn"
        assert (await podgate.health("/readyz"))[0] == 200
        assert "podgate_settings_last_reload_successful 1.0" in (await podgate.health("/metrics"))[1]
        podgate.process.send_signal(signal.SIGTERM)
        assert await podgate.exit_code() == 0
    [event] = api.all("events")
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "podgate",
        "name": "podgate-1",
        "uid": "own-uid",
    }
    assert (event["reason"], event["metadata"]["namespace"]) == ("SettingsRefused", "podgate")
    assert event["message"].startswith("the settings stay as they were: ")


@pytest.mark.parametrize("cluster", [True, False])
async def test_reviews_are_traced_to_the_last_one(tmp_path: Path, api: ApiServer, cluster: bool):
    nodes = tmp_path / "nodes.json"
    nodes.write_text(json.dumps(NODES))
    arguments = () if cluster else ("--nodes", str(nodes))
    environment = {"KUBECONFIG": kubeconfig(tmp_path, api.url)} if cluster else {}
    with Collector() as collector:
        async with serve(tmp_path, *arguments, PODGATE_TRACES_ENDPOINT=collector.url, **environment) as podgate:
            port = await podgate.port()
            await podgate.ready()
            assert await decision(podgate, port) == "deny"
            podgate.process.send_signal(signal.SIGTERM)
            assert await podgate.exit_code() == 0
        assert not [line for line in podgate.log if line["level"] in ("error", "critical")]
        [span] = collector.spans
        assert (span.name, span.attributes["podgate.decision"]) == ("review", "deny")
        assert NOT_VALID.encode() not in b"".join(collector.raw)
