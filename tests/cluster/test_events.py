"""Events: written for warnings alone, after a while, once; dropped and counted, and never in the way."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.test_reflector import connection_to, until
from tests.support.apiserver import ApiServer, Fault, api_server
from webhook.cluster import events
from webhook.cluster.connection import Connection
from webhook.cluster.events import QUEUE, TEXTS, WINDOW, EventWriter, event
from webhook.core.decision import Judgement
from webhook.core.notice import Notice, Regarding
from webhook.core.workload import PodConstraints, Workload
from webhook.ports import Observation

POD = Workload("v1", "Pod", "team", "web", "p-1", (), PodConstraints())
OWNED = replace(POD, owner=("apps/v1", "ReplicaSet", "web-5d9"), owner_uid="r-1")


def warning(workload: Workload = OWNED, text: str = "fails on arm-1", **more: Any) -> Observation:
    """A warning about an object."""
    fields = {"dry_run": False, "binding": False} | more
    judgement = Judgement(workload, more.pop("decision", "warn"), more.pop("reason", "partial"), "warn", event=text)
    return Observation(judgement, "u", fields["dry_run"], 0.01, binding=fields["binding"])


class Writing:
    """A writer, what it has counted, and the API server that it writes to."""

    def __init__(self, server: ApiServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.results: Counter[str] = Counter()
        self.writer = EventWriter(connection, self._count, hold_seconds=0.0, pause_seconds=0.0)
        self.writer.start()

    def _count(self, result: str) -> None:
        self.results[result] += 1

    async def told(self, *observations: Observation) -> list[dict[str, Any]]:
        """All Events that there are, once these have been dealt with."""
        before = self.results.total()
        for observation in observations:
            self.writer.decided(observation)
        await until(lambda: self.results.total() >= before + len(observations))
        return self.server.all("events")


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        yield running


@pytest.fixture
async def writing(server: ApiServer) -> AsyncIterator[Writing]:
    made = Writing(server, await connection_to(server))
    yield made
    server.gate.set()
    await made.writer.close()
    await made.connection.close()


async def test_a_warning_about_a_pod_goes_to_its_controlling_owner(writing: Writing) -> None:
    before = int(time.time())
    [written] = await writing.told(warning())
    assert written["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "namespace": "team",
        "name": "web-5d9",
        "uid": "r-1",
    }
    assert written["metadata"]["name"].startswith("web-5d9.")
    assert (written["apiVersion"], written["kind"], written["metadata"]["namespace"]) == ("v1", "Event", "team")
    assert (written["type"], written["reason"], written["message"]) == (
        "Warning",
        "PlatformPartialMismatch",
        "fails on arm-1",
    )
    assert (written["source"], written["reportingComponent"], written["count"]) == (
        {"component": "podgate"},
        "podgate",
        1,
    )
    assert written["firstTimestamp"] == written["lastTimestamp"]
    stamps = {time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in range(before, int(time.time()) + 1)}
    assert written["firstTimestamp"] in stamps
    assert writing.results == {"written": 1}


async def test_a_pod_that_is_being_bound_is_told_of_itself(writing: Writing) -> None:
    [written] = await writing.told(warning(binding=True))
    about = written["involvedObject"]
    assert (about["kind"], about["name"], about["uid"]) == ("Pod", "web", "p-1")


@pytest.mark.parametrize(
    "silent",
    [
        warning(dry_run=True),
        warning(decision="allow"),
        warning(decision="deny"),
        warning(text=""),
        warning(replace(POD, uid="")),
        # what is no name must not become part of a path
        warning(replace(POD, namespace="../../pods")),
        warning(replace(POD, namespace="")),
    ],
)
async def test_nothing_is_written_for_anything_but_a_warning_that_was_meant(
    writing: Writing, silent: Observation
) -> None:
    writing.writer.decided(silent)
    await writing.told(warning(text="the next one"))
    assert writing.server.requests == ["create events team"]
    assert writing.results == {"written": 1}


async def test_a_thousand_pods_of_one_owner_in_one_trouble_are_one_event(writing: Writing) -> None:
    pods = [replace(OWNED, name=f"web-{number}", uid=f"p-{number}") for number in range(1000)]
    assert len(await writing.told(*map(warning, pods))) == 1
    assert writing.results == {"written": 1, "repeated": 999}
    assert writing.server.count("create events") == 1


async def test_ten_texts_about_one_object_for_one_reason_and_no_more(writing: Writing) -> None:
    told = [warning(text=f"fails on node-{number}") for number in range(TEXTS + 5)]
    assert len(await writing.told(*told)) == TEXTS
    assert writing.results == {"written": TEXTS, "repeated": 5}
    other = [warning(reason="mismatch"), warning(replace(OWNED, owner_uid="r-2"))]
    assert len(await writing.told(*other)) == TEXTS + 2


async def test_another_replica_that_was_first_is_no_fault(
    writing: Writing, server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    await writing.told(warning())
    second = Writing(server, await connection_to(server))
    assert len(await second.told(warning())) == 1
    assert second.results == {"repeated": 1}
    await second.writer.close()
    await second.connection.close()
    assert caplog.text == ""


async def test_after_its_window_a_text_is_said_again() -> None:
    said, notice = events._Said(), Notice(Regarding("v1", "Pod", "team", "web", "p-1"), "PlatformMismatch", "text")
    assert [said.is_new(notice, at) for at in (5.0, 5.0 + WINDOW - 1, 5.0 + WINDOW, 5.0 + WINDOW + 1)] == [
        True,
        False,
        True,
        False,
    ]


async def test_the_objects_that_are_remembered_are_bounded() -> None:
    said = events._Said()
    for number in range(10_000):
        about = Regarding("v1", "Pod", "team", "web", f"p-{number}")
        assert said.is_new(Notice(about, "PlatformMismatch", "text"), 0.0)
    assert len(said._texts) == 4096


async def test_ten_thousand_warnings_while_the_api_server_stalls(writing: Writing, server: ApiServer) -> None:
    """They neither wait nor pile up: a thousand are kept, the others dropped and counted."""
    server.gate.clear()
    writing.writer.decided(warning(replace(POD, uid="first")))
    await until(lambda: server.requests)
    for number in range(10_000):
        writing.writer.decided(warning(replace(POD, uid=f"p-{number}")))
    assert writing.writer._queue.qsize() == QUEUE
    assert writing.results == {"dropped": 10_000 - QUEUE}
    assert server.requests == ["create events team"]  # one at a time
    # what was dropped has not been said, and may be said again
    server.gate.set()
    await until(lambda: writing.results["written"] == QUEUE + 1)
    await writing.told(warning(replace(POD, uid="p-9999")))
    assert writing.results["written"] == QUEUE + 2


async def test_an_answer_does_not_wait_for_an_event(writing: Writing, server: ApiServer) -> None:
    server.gate.clear()
    writing.writer.decided(warning())  # returns, though nobody answers
    await asyncio.sleep(0.05)
    assert writing.results == {}


async def test_an_event_is_held_until_the_answer_has_gone(server: ApiServer) -> None:
    connection = await connection_to(server)
    counted: list[str] = []
    writer = EventWriter(connection, counted.append, hold_seconds=3600.0)
    writer.start()
    writer.decided(warning())
    await asyncio.sleep(0.05)
    assert server.requests == []
    # the end of the process does not wait for that
    await writer.close()
    assert counted == ["written"]
    await connection.close()


async def test_events_are_no_flood(server: ApiServer) -> None:
    """Whoever may create pods decides how many there are."""
    connection = await connection_to(server)
    counted: list[str] = []
    writer = EventWriter(connection, counted.append, hold_seconds=0.0, pause_seconds=3600.0)
    writer.start()
    for number in range(3):
        writer.decided(warning(replace(POD, uid=f"p-{number}")))
    await until(lambda: counted)
    await asyncio.sleep(0.05)
    assert counted == ["written"]
    # the end of the process waits for no pause either
    await writer.close()
    assert counted == ["written"] * 3
    await connection.close()


async def test_what_waits_at_the_end_is_dropped_where_nobody_takes_it(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LAST_SECONDS", 0.05)
    connection = await connection_to(server)
    counted: list[str] = []
    writer = EventWriter(connection, counted.append, hold_seconds=0.0, pause_seconds=0.0)
    server.gate.clear()
    writer.start()
    for number in range(5):
        writer.decided(warning(replace(POD, uid=f"p-{number}")))
    await writer.close()
    assert counted == ["dropped"] * 5
    server.gate.set()
    await connection.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(404, 'namespaces "team" not found'),
        Fault(403, "unable to create new content in namespace team because it is being terminated"),
    ],
)
async def test_a_namespace_that_is_gone_is_no_fault(
    writing: Writing, server: ApiServer, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level("INFO")
    server.fail("create events", fault)
    await writing.told(warning())
    assert writing.results == {"gone": 1}
    assert [record for record in caplog.records if record.name.startswith("webhook")] == []


@pytest.mark.parametrize("status", [403, 422, 429, 500, 0])
async def test_a_fault_is_counted_and_told_once(
    writing: Writing, server: ApiServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level("INFO")
    server.fail("create events", *[Fault(status)] * 3)
    await writing.told(*[warning(replace(POD, uid=f"p-{number}")) for number in range(3)])
    assert writing.results == {"failed": 3}
    assert caplog.text.count("Events cannot be written") == 1
    # it has not been said, so it may be said again
    assert len(await writing.told(warning(replace(POD, uid="p-0")))) == 1
    assert caplog.text.count("Events can be written again") == 1


async def test_a_bug_ends_nothing(
    writing: Writing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(events, "event", broken)
    await writing.told(warning())
    monkeypatch.undo()
    assert len(await writing.told(warning(text="another"))) == 1
    assert writing.results == {"failed": 1, "written": 1}
    assert "could not be written" in caplog.text


@pytest.mark.parametrize(
    ("name", "stem"),
    [("web", "web"), ("a" * 253, "a" * 200), ("a" * 199 + "." + "b" * 50, "a" * 199), ("Not/A Name", "podgate")],
)
def test_an_events_name_is_one_that_an_api_server_takes(name: str, stem: str) -> None:
    made = event(Notice(Regarding("v1", "Pod", "team", name, "p-1"), "PlatformMismatch", "text"), 0.0)
    beginning, _, mark = made["metadata"]["name"].rpartition(".")
    assert (beginning, len(mark)) == (stem, 16)
    assert made["firstTimestamp"] == "1970-01-01T00:00:00Z"
