"""Lists of a cluster: page by page, through expired tokens and missing permissions."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from tests.support.apiserver import ApiServer, Fault, api_server
from tests.support.fleet import deployment, named, pods_of, replica_set, template
from webhook.cluster.connection import Connection
from webhook.cluster.listing import PODS, WITH_TEMPLATES, list_all, list_fleet
from webhook.core.errors import ClusterUnavailable, MalformedObject
from webhook.core.kinds import FurtherKind

ROLLOUTS = FurtherKind("argoproj.io", "rollouts", ("spec", "template"))
"""A kind that the API server serves, without its name: the server says what it is."""


def connection_to(server: ApiServer) -> Connection:
    configuration = Configuration()
    configuration.host = server.url

    async def load(_: Configuration) -> None: ...

    return Connection(ApiClient(configuration), load)


def fill(server: ApiServer, count: int) -> None:
    web = deployment("web")
    server.put("deployments", web)
    server.put("replicasets", replica_set(web))
    for pod in pods_of(replica_set(web), count):
        server.put("pods", pod)


async def names(connection: Connection, namespace: str = "") -> list[str]:
    return [one["metadata"]["name"] async for one in list_all(connection, PODS, namespace)]


async def test_as_many_requests_as_pages_and_each_object_once():
    async with api_server() as server:
        fill(server, 1001)
        connection = connection_to(server)
        found = await names(connection)
        assert (len(found), len(set(found))) == (1001, 1001)
        assert (server.limits, server.count("list pods")) == ([500, 500, 500], 3)
        await connection.close()


async def test_a_list_that_expires_goes_on_by_the_servers_token():
    async with api_server() as server:
        fill(server, 600)
        server.compact_between_pages = server.goes_on = True
        connection = connection_to(server)
        found = await names(connection)
        assert (len(found), len(set(found))) == (600, 600)
        assert server.count("list pods") == 3  # the second page was refused once
        server.goes_on = False
        with pytest.raises(ClusterUnavailable, match="too old") as caught:
            await names(connection)
        assert caught.value.status == 410
        await connection.close()


async def test_a_busy_server_is_asked_again_when_it_says_so():
    async with api_server() as server:
        fill(server, 3)
        busy = Fault(429, "too many requests", {"Retry-After": "0"})
        server.fail("list pods", busy, busy)
        connection = connection_to(server)
        assert len(await names(connection)) == 3
        server.fail("list pods", *[busy] * 10)
        with pytest.raises(ClusterUnavailable, match="too many requests"):
            await names(connection)
        assert server.count("list pods") == 3 + 6
        server.faults.clear()
        server.fail("list pods", Fault(503, "shutting down"))  # who does not say when is not waited for
        with pytest.raises(ClusterUnavailable, match="shutting down"):
            await names(connection)
        await connection.close()


async def test_items_of_lists_are_told_what_they_are_and_namespaces_are_kept_apart():
    async with api_server() as server:
        fill(server, 1)
        elsewhere = {**named("v1", "Pod", "other", "bank"), "spec": template()["spec"]}
        for field in ("apiVersion", "kind"):
            del elsewhere[field]  # as in a list of an API server
        server.put("pods", elsewhere)
        connection = connection_to(server)
        found = [one async for one in list_all(connection, PODS, "bank")]
        assert [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in found] == [("v1", "Pod", "other")]
        await connection.close()


async def test_what_may_not_be_listed_is_said_and_the_rest_goes_on():
    async with api_server() as server:
        fill(server, 2)
        server.put("rollouts", {**named("argoproj.io/v1", "Rollout", "canary"), "spec": {"template": template()}})
        server.forbidden = {"list daemonsets"}
        server.fail("list jobs", Fault(500, "etcd is away"))
        taken: list[str] = []

        def take(obj: Mapping[str, Any], _: str) -> None:
            taken.append(obj["kind"])

        connection = connection_to(server)
        unserved = [FurtherKind("nobody.example", "things", ("spec",)), dataclasses.replace(ROLLOUTS, resource="none")]
        problems = await list_fleet(connection, take, (), [ROLLOUTS, *unserved])
        assert taken == ["Pod", "Pod", "ReplicaSet", "Deployment", "Rollout"]
        assert [problem.partition(" ")[0] for problem in problems] == ["kind", "kind", "daemonsets", "jobs"]
        assert "things.nobody.example: its API group is not served" in problems[0]
        assert "serves none in v1" in problems[1]
        assert "is forbidden" in problems[2]
        assert "etcd is away" in problems[3]
        assert server.count("list") == 1 + len(WITH_TEMPLATES) + 1
        await connection.close()


async def test_pods_that_may_not_be_listed_somewhere_and_a_server_that_is_away():
    async with api_server() as server:
        server.forbidden = {"list pods"}
        connection = connection_to(server)
        problems = await list_fleet(connection, lambda *_: None, ("shop", "bank"), [])
        assert [problem.partition(" are")[0] for problem in problems] == [
            "pods in the namespace shop",
            "pods in the namespace bank",
        ]
        server.fail("list pods", Fault(503, "shutting down"))
        with pytest.raises(ClusterUnavailable, match="shutting down"):
            await list_fleet(connection, lambda *_: None, (), [])
        await connection.close()


async def test_an_answer_that_is_no_list_is_not_taken_for_an_empty_one():
    async with api_server() as server:
        fill(server, 2)
        server.fail("list jobs", Fault(200, "log in first"))
        connection = connection_to(server)
        (problem,) = await list_fleet(connection, lambda *_: None, (), [])
        assert problem.startswith("jobs are not known: ")
        assert problem.endswith(" with something that is no list")
        server.fail("list pods", Fault(200, "log in first"))
        with pytest.raises(ClusterUnavailable, match="no list"):
            await list_fleet(connection, lambda *_: None, (), [])
        await connection.close()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"items": None}, ""),
        ({"items": []}, ""),
        ({"kind": "RolloutsOfArgo"}, ""),  # a CustomResourceDefinition names its lists as it likes
        ({"kind": None}, "with something that is no object"),
        ({"kind": "Status"}, "with something that is no object"),
        ({"apiVersion": "v1"}, "with a list of something else"),
        ({"items": {}}, "with something that is no list"),
    ],
)
async def test_lists_of_a_further_kind_are_known_by_their_version(answer: dict[str, Any], problem: str):
    listed = {"apiVersion": "argoproj.io/v1", "kind": "RolloutList", "metadata": {}, "items": []}
    async with api_server() as server:
        server.fail("list rollouts", Fault(200, text=json.dumps(listed | answer)))
        connection = connection_to(server)
        problems = await list_fleet(connection, lambda *_: None, (), [ROLLOUTS])
        assert [one.startswith("rollouts are not known") and one.endswith(problem) for one in problems] == (
            [True] if problem else []
        )
        await connection.close()


async def test_of_many_objects_that_are_not_understood_five_are_named():
    async with api_server() as server:
        fill(server, 8)

        def take(obj: Mapping[str, Any], _: str) -> None:
            if obj["kind"] == "Pod":
                raise MalformedObject("is missing", "spec")

        connection = connection_to(server)
        problems = await list_fleet(connection, take, (), [])
        assert len(problems) == 6
        assert problems[0] == "Pod shop/web-1-0: spec: is missing"
        assert problems[-1] == "3 more pods were not understood"
        await connection.close()
