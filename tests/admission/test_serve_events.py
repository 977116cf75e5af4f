"""`podgate serve` as a process: the Events that it writes, and the bindings that it judges."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.admission.test_serve import Process, kubeconfig, serve
from tests.cluster.test_reflector import until
from tests.support.apiserver import ApiServer, api_server, node
from tests.support.serving import answered, changed

NOT_VALID = "Not/Valid"
"""An image that no kubelet pulls: it fails on every node, and no registry is asked."""


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("nodes", node("amd-1"))
        running.put("namespaces", {"metadata": {"name": "rec"}})
        yield running


def review(recorded: str, name: str, **fields: Any) -> dict[str, Any]:
    """A recorded review of a pod with an image that fails."""
    made = changed(recorded, name=name, namespace="rec", **fields)
    metadata = made["request"]["object"]["metadata"]
    metadata |= {"name": name, "namespace": "rec", "uid": f"uid-of-{name}"}
    metadata.pop("ownerReferences", None)  # a Job's, to which all pods would be one
    for container in made["request"]["object"].get("spec", {}).get("containers", ()):
        container["image"] = NOT_VALID
    return made


async def ask(podgate: Process, port: int, made: dict[str, Any]) -> dict[str, Any]:
    return await answered(port, podgate.trust, json.dumps(made).encode(), "?timeout=10s")


async def end(podgate: Process) -> None:
    podgate.process.send_signal(signal.SIGTERM)
    assert await podgate.exit_code() == 0
    assert not [line for line in podgate.log if line["level"] in ("error", "critical")]


async def test_a_warning_becomes_an_event_and_a_dry_run_none(tmp_path: Path, api: ApiServer):
    async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url), PODGATE_MODE="warn") as podgate:
        port = await podgate.port()
        await podgate.ready()
        for made in (review("CREATE-Pod", "dry", dryRun=True), review("CREATE-Pod", "web")):
            assert (await ask(podgate, port, made))["auditAnnotations"]["decision"] == "warn"
        await until(lambda: api.all("events"))
        await end(podgate)
    [written] = api.all("events")
    assert written["involvedObject"]["uid"] == "uid-of-web"
    assert written["reason"] == "PlatformMismatch"
    assert NOT_VALID in written["message"]
    # a binding is not judged unless settings say so, and no pod is read
    assert not [request for request in api.requests if "pods" in request]


async def test_answers_come_while_the_api_server_takes_no_event(tmp_path: Path, api: ApiServer):
    async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url), PODGATE_MODE="warn") as podgate:
        port = await podgate.port()
        await podgate.ready()
        api.gate.clear()
        reviews = [review("CREATE-Pod", f"web-{number}") for number in range(50)]
        answers = await asyncio.gather(*(ask(podgate, port, made) for made in reviews))
        assert {each["auditAnnotations"]["decision"] for each in answers} == {"warn"}
        assert api.all("events") == []
        api.gate.set()
        await until(lambda: api.count("create events") == 50)
        await end(podgate)


async def test_without_events_none_is_written(tmp_path: Path, api: ApiServer):
    environment = {"KUBECONFIG": kubeconfig(tmp_path, api.url), "PODGATE_MODE": "warn", "PODGATE_EVENTS": "false"}
    async with serve(tmp_path, **environment) as podgate:
        answer = await ask(podgate, await podgate.port(), review("CREATE-Pod", "web"))
        assert answer["auditAnnotations"]["decision"] == "warn"
        await end(podgate)
    assert api.count("create") == 0


async def test_a_right_that_is_missing_is_told_and_counted(tmp_path: Path, api: ApiServer):
    api.forbidden.add("create events")
    async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url), PODGATE_MODE="warn") as podgate:
        port = await podgate.port()
        await podgate.ready()
        for number in range(3):
            await ask(podgate, port, review("CREATE-Pod", f"web-{number}"))
        assert "forbidden" in (await podgate.said("Events cannot be written"))["message"]
        await until(lambda: api.count("create events") == 3)
        metrics = (await podgate.health("/metrics"))[1]
        assert "podgate_events_total" in metrics
        assert "podgate_events_waiting 0.0" in metrics
        assert 1 <= float(metrics.partition("\npodgate_tasks ")[2].split()[0]) <= 100
        await end(podgate)
    assert len([line for line in podgate.log if "Events cannot" in line["message"]]) == 1


@pytest.mark.parametrize(("binding", "allowed"), [("warn", True), ("deny", False)])
async def test_a_binding_is_judged_where_settings_say_so(tmp_path: Path, api: ApiServer, binding: str, allowed: bool):
    stored = review("CREATE-Pod", "web")["request"]["object"]
    api.put("pods", {"apiVersion": "v1", "kind": "Pod", **stored})
    made = review("CREATE-Binding-binding", "web")
    made["request"]["object"]["target"]["name"] = "amd-1"
    async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url), PODGATE_BINDING=binding) as podgate:
        port = await podgate.port()
        await podgate.ready()
        answer = await ask(podgate, port, made)
        assert answer["allowed"] is allowed
        assert answer["auditAnnotations"]["reason"] == "mismatch"
        kinds = [line for line in (await podgate.health("/metrics"))[1].splitlines() if 'kind="Binding"' in line]
        assert len(kinds) == 1
        await end(podgate)
    assert api.count("get pods rec/web") == 1
    told = [(each["involvedObject"]["kind"], each["involvedObject"]["uid"]) for each in api.all("events")]
    assert told == ([("Pod", "uid-of-web")] if allowed else [])


async def test_without_a_cluster_bindings_are_let_through_and_that_is_said(tmp_path: Path):
    nodes = tmp_path / "nodes.json"
    nodes.write_text(json.dumps(node("amd-1")))
    async with serve(tmp_path, "--nodes", str(nodes), PODGATE_BINDING="deny", PODGATE_MODE="warn") as podgate:
        port = await podgate.port()
        assert (await podgate.said("bindings are let through"))["level"] == "warning"
        answer = await ask(podgate, port, review("CREATE-Binding-binding", "web"))
        assert (answer["allowed"], answer["auditAnnotations"]["reason"]) == (True, "skipped")
        # warnings there are, Events there are none, and nothing goes wrong for that
        assert (await ask(podgate, port, review("CREATE-Pod", "web")))["auditAnnotations"]["decision"] == "warn"
        await end(podgate)
