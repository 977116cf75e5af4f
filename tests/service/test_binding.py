"""Bindings: one node, one pod, read from an API server; whatever is not known is warned of at most."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.test_reflector import connection_to
from tests.service.conftest import World, brief, node, pod
from tests.support import images
from tests.support.apiserver import ApiServer, Fault, api_server
from webhook.binding import BindingJudge
from webhook.cluster.connection import Connection
from webhook.cluster.files import FileCluster
from webhook.cluster.pods import PodReader
from webhook.core.binding import Binding
from webhook.core.decision import Decision, Judgement
from webhook.settings import parse_settings

APP = "reg.example/team/app:1"


@dataclass
class Bound:
    """A world with pods in an API server; `binds` asks the use case about a binding."""

    world: World
    server: ApiServer
    connection: Connection

    def has(self, made: dict[str, Any]) -> None:
        """Stores a pod."""
        self.server.put("pods", made)

    async def binds(
        self, to: str, uid: str = "p-1", mismatch: Decision = "deny", within: float | None = None
    ) -> Judgement:
        """The decision about binding team/web to a node."""
        cluster = FileCluster.from_documents(self.world.objects)
        judge = BindingJudge(self.world.build(), cluster, PodReader(self.connection), mismatch)
        deadline = None if within is None else asyncio.get_running_loop().time() + within
        return await judge.judge(Binding("team", "web", uid, to), deadline)


@pytest.fixture
async def bound(world: World) -> AsyncIterator[Bound]:
    world.registry.push("team/app", images.multi("linux/amd64"), "1")
    world.has(
        node("amd-1"),
        node("arm-1", "linux/arm64", labels={"pool": "arm"}, taints=["dedicated=arm:NoExecute"]),
        node("dark", ""),
        node("win-1", "windows/amd64:10.0.20348.1"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {}}},
    )
    async with api_server() as server:
        made = Bound(world, server, await connection_to(server))
        made.has(pod(APP, metadata={"uid": "p-1"}))
        yield made
        server.gate.set()
        await made.connection.close()


async def test_the_node_alone_decides(bound: Bound):
    assert brief(await bound.binds("amd-1")) == "allow match"
    denied = await bound.binds("arm-1")
    assert brief(denied) == "deny mismatch"
    [text] = denied.messages
    assert "cannot run on the node it is bound to" in text
    assert [str(one.node.name) for one in denied.nodes] == ["arm-1"]
    assert denied.workload.uid == "p-1"


async def test_warn_binds_it_and_has_something_to_say_on_the_pod(bound: Bound):
    warned = await bound.binds("arm-1", mismatch="warn")
    assert brief(warned) == "warn mismatch"
    assert warned.messages[0].startswith('podgate: Pod web: container "a": reg.example/team/app:1')
    assert warned.event.startswith('container "a": reg.example/team/app:1 (linux/amd64) fails on arm-1')


async def test_without_events_nothing_is_made_for_them(bound: Bound):
    bound.world.settings["events"] = False
    assert (await bound.binds("arm-1", mismatch="warn")).event == ""


async def test_what_the_pod_demands_of_nodes_does_not_matter_any_more(bound: Bound):
    """The scheduler has seen labels and taints that podgate may not have seen yet, or not any more."""
    bound.has(pod(APP, metadata={"uid": "p-1"}, nodeSelector={"kubernetes.io/arch": "amd64"}))
    assert brief(await bound.binds("arm-1")) == "deny mismatch"
    bound.has(pod(APP, metadata={"uid": "p-1"}, nodeSelector={"not": "there"}))
    assert brief(await bound.binds("amd-1")) == "allow match"


async def test_the_os_that_the_kubelet_looks_at_does(bound: Bound):
    bound.has(pod(APP, metadata={"uid": "p-1"}, os={"name": "windows"}))
    assert brief(await bound.binds("amd-1")) == "deny mismatch"


async def test_the_pod_is_read_as_it_is_now(bound: Bound):
    assert brief(await bound.binds("arm-1")) == "deny mismatch"
    bound.world.registry.push("team/app", images.multi("linux/arm64"), "2")
    bound.has(pod("reg.example/team/app:2", metadata={"uid": "p-1"}))
    assert brief(await bound.binds("arm-1")) == "allow match"


async def test_another_pod_of_that_name_is_never_judged(bound: Bound):
    judged = await bound.binds("arm-1", uid="p-0")
    assert brief(judged) == "warn undetermined"
    assert judged.messages == (
        "podgate: Pod web: not checked on the node arm-1 that it is bound to: another pod has that name by now",
    )
    assert bound.world.registry.log == []
    # and nothing is said to a pod that is not meant
    assert judged.event == ""


async def test_a_binding_that_names_no_uid_means_the_pod_of_that_name(bound: Bound):
    assert brief(await bound.binds("arm-1", uid="")) == "deny mismatch"


async def test_a_node_that_is_not_known(bound: Bound):
    judged = await bound.binds("new-1")
    assert brief(judged) == "warn undetermined"
    assert judged.messages == (
        "podgate: Pod web: not checked on the node new-1 that it is bound to: the node is not known",
    )
    assert bound.server.requests == []


async def test_a_node_that_does_not_say_what_it_is(bound: Bound):
    assert brief(await bound.binds("dark")) == "warn undetermined"


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (404, "there is no such pod"),
        (403, "podgate lacks the permission to get pods"),
        (500, "the pod could not be read"),
        (429, "the pod could not be read"),
        (0, "the pod could not be read"),
    ],
)
async def test_a_pod_that_is_not_to_be_had(bound: Bound, status: int, problem: str):
    bound.server.fail("get pods", *[Fault(status)] * 6)
    judged = await bound.binds("arm-1")
    assert brief(judged) == "warn undetermined"
    assert judged.messages[0].endswith(f": {problem}")
    assert bound.server.url not in judged.messages[0]


async def test_a_pod_without_its_form(bound: Bound):
    bound.has({**pod(APP, metadata={"uid": "p-1"}), "spec": {"containers": 7}})
    judged = await bound.binds("arm-1")
    assert brief(judged) == "warn undetermined"
    assert "spec.containers" in judged.messages[0]


async def test_an_api_server_that_stalls_ends_at_the_deadline(bound: Bound):
    bound.server.gate.clear()
    judged = await bound.binds("arm-1", within=0.05)
    assert brief(judged) == "warn undetermined"
    assert judged.messages[0].endswith(": the API server did not give the pod in time")
    assert judged.messages[0] == f"podgate: Pod web: {judged.event}"


async def test_an_image_that_is_not_to_be_had(bound: Bound):
    bound.has(pod("reg.example/team/none:1", metadata={"uid": "p-1"}))
    judged = await bound.binds("arm-1")
    assert brief(judged) == "warn undetermined"
    assert "not found in the registry" in judged.messages[0]
    assert judged.event != ""


async def test_a_daemon_sets_pod_is_refused_only_where_settings_say_so_twice(bound: Bound):
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "d-1", "controller": True}
    bound.has(pod(APP, metadata={"uid": "p-1", "ownerReferences": [owner]}))
    assert brief(await bound.binds("arm-1")) == "warn mismatch"
    bound.world.settings["decisions"] = {"daemonSetPods": "deny"}
    assert brief(await bound.binds("arm-1")) == "deny mismatch"


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("deny", "deny mismatch"),
        ("warn", "warn mismatch"),
        ("audit", "allow mismatch"),
        ("off", "allow skipped"),
    ],
)
async def test_modes_of_namespaces_count_as_everywhere(bound: Bound, mode: str, answer: str):
    bound.world.objects[-1]["metadata"]["labels"] = {"podgate.dev/mode": mode}
    judged = await bound.binds("arm-1")
    assert brief(judged) == answer
    assert bool(judged.event) is (mode == "warn")
    assert (bound.server.requests == []) is (mode == "off")


@pytest.mark.parametrize("mode", ["deny", "warn", "audit", "off"])
async def test_modes_count_too_where_nothing_is_known(bound: Bound, mode: str):
    bound.world.settings["mode"] = mode
    judged = await bound.binds("new-1")
    expected = {"audit": "allow undetermined", "off": "allow skipped"}.get(mode, "warn undetermined")
    assert brief(judged) == expected


@pytest.mark.parametrize("undetermined", ["allow", "deny"])
async def test_what_is_undetermined_is_silent_where_settings_want_that_and_never_denied(
    bound: Bound, undetermined: str
):
    bound.world.settings["decisions"] = {"undetermined": undetermined}
    judged = await bound.binds("new-1")
    assert judged.decision == ("allow" if undetermined == "allow" else "warn")
    assert bool(judged.messages) is (undetermined == "deny")


async def test_in_exempt_namespaces_no_pod_is_read(bound: Bound):
    bound.world.settings["exempt"] = {"namespaces": ["te*"]}
    assert brief(await bound.binds("arm-1")) == "allow skipped"
    assert bound.server.requests == []


async def test_a_pod_that_is_being_deleted_is_let_through(bound: Bound):
    bound.has(pod(APP, metadata={"uid": "p-1", "deletionTimestamp": "2026-01-01T00:00:00Z"}))
    assert brief(await bound.binds("arm-1")) == "allow skipped"


def test_bindings_are_not_judged_unless_settings_say_so():
    assert parse_settings({}).binding == "off"
