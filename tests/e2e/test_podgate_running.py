"""podgate as a process: as it is delivered, its absence, and its end."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import (
    NAME,
    Podgate,
    pod,
    podgate_settings,
    point_at,
    wait_until_called,
)
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import DENIED, WEBHOOK, Verdict, annotations, verdict
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
MODE = "podgate.dev/mode"


@pytest.fixture(scope="module")
def bad(registry: Registry) -> dict[str, Any]:
    """A pod that is denied where podgate is asked."""
    registry.push("running/app", images.multi("linux/amd64"), "1.0")
    return pod("web", f"{registry.host}/running/app:1.0", **ARM)


@pytest.fixture
def another(cluster: Cluster, podgate: Podgate, tmp_path: Path) -> Iterator[Podgate]:
    """A second podgate, not started yet. Whatever the API server calls by the end, it calls the first one again."""
    second = Podgate(cluster, tmp_path / "second", podgate_settings())
    try:
        yield second
    finally:
        second.kill()
        point_at(cluster, podgate.port, podgate.ca)
        wait_until_called(cluster)


def create(cluster: Cluster, namespace: str, obj: Any, *more: str) -> Verdict:
    return verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", *more, stdin=obj))


def test_a_first_install_only_warns_and_a_label_turns_denials_on(
    cluster: Cluster, podgate: Podgate, tmp_path: Path, bad: dict[str, Any]
):
    delivered = yaml.safe_load(cluster.get("configmap", NAME, "-n", NAME)["data"]["settings.yaml"])
    del delivered["certificate"]  # test_self_managed is about that
    second = Podgate(cluster, tmp_path, {**podgate_settings(), "mode": "deny", **delivered})
    second.start()
    try:
        point_at(cluster, second.port, second.ca)
        wait_until_called(cluster)
        with cluster.namespace("first") as namespace, cluster.namespace("strict", {MODE: "deny"}) as strict:
            wait_until("the change", lambda: create(cluster, namespace, bad, "--dry-run=server").decision == "warn", 30)
            assert create(cluster, strict, bad).decision == "deny"
            assert create(cluster, namespace, bad).decision == "warn"
            assert annotations(cluster, namespace, "web") == ("warn", "mismatch")
    finally:
        second.kill()
        point_at(cluster, podgate.port, podgate.ca)
        wait_until_called(cluster)


def test_the_deployment_of_the_manifests_passes_pod_security_and_is_scheduled(cluster: Cluster):
    pods = ("get", "pods", "-n", NAME, "-l", f"app.kubernetes.io/name={NAME}", "-o")
    wait_until("both replicas", lambda: len(cluster.must(*pods, "name").split()) == 2, 30)
    nodes = ("jsonpath={.items[*].spec.nodeName}",)
    wait_until("both to be bound", lambda: len(cluster.must(*pods, *nodes).split()) == 2, 30)


def test_without_podgate_a_cluster_works_as_before_and_with_it_again(
    cluster: Cluster, another: Podgate, bad: dict[str, Any]
):
    another.start()
    point_at(cluster, another.port, another.ca)
    wait_until_called(cluster)
    with cluster.namespace("alone") as namespace:
        assert create(cluster, namespace, bad).decision == "deny"
        another.kill()
        open_count = cluster.metric("apiserver_admission_webhook_fail_open_count", {"name": WEBHOOK})
        assert create(cluster, namespace, bad) == Verdict("allow")
        assert cluster.metric("apiserver_admission_webhook_fail_open_count", {"name": WEBHOOK}) > open_count
        assert cluster.node_of("web", namespace) == "arm-1"
        another.start()

        def denied() -> bool:
            return create(cluster, namespace, {**bad, "metadata": {"name": "x"}}, "--dry-run=server").decision == "deny"

        wait_until("podgate to be called again", denied, 30)
        assert annotations(cluster, namespace, "x") == ("deny", "mismatch")


class Stream:
    """Threads that create pods by dry run until it is left: how many were `denied`, and what was said of `others`."""

    EACH = 25
    """Pods of one kubectl."""

    def __init__(self, cluster: Cluster, namespace: str, bad: dict[str, Any], threads: int = 2) -> None:
        pods = [{**bad, "metadata": {"name": f"web-{number}"}} for number in range(self.EACH)]
        self._list = {"apiVersion": "v1", "kind": "List", "items": pods}
        self._words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
        self._cluster = cluster
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.denied = 0
        self.others: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            result = self._cluster.kubectl(*self._words, stdin=self._list)
            denied = result.stderr.count(DENIED)
            self.denied += denied
            if denied != self.EACH or result.stdout:
                self.others.append(f"{result.stdout}\n{result.stderr}")


def test_a_podgate_that_is_replaced_loses_no_request(
    cluster: Cluster, podgate: Podgate, another: Podgate, bad: dict[str, Any]
):
    another.start()
    point_at(cluster, another.port, another.ca)
    wait_until_called(cluster)
    with cluster.namespace("stream") as namespace, Stream(cluster, namespace, bad) as stream:
        wait_until("the stream", lambda: len(another.decided(namespace)) > Stream.EACH, 30)
        another.ask_to_end()
        wait_until("it to say that it is not ready", lambda: not another.ready(), 30)
        asked = len(another.decided(namespace))
        wait_until("it to serve on nevertheless", lambda: len(another.decided(namespace)) > asked + Stream.EACH, 30)
        # What the endpoints' controller does in a cluster, once readiness fails: further calls go to another replica.
        point_at(cluster, podgate.port, podgate.ca)
        (process,) = another.processes
        wait_until("it to end by itself", lambda: not process.running(), 30)
        taken_over = len(podgate.decided(namespace))
        wait_until("the other to go on", lambda: len(podgate.decided(namespace)) > taken_over, 30)
    assert stream.others == []
    assert stream.denied > 2 * Stream.EACH
    assert another.stop() == 0
    assert len(another.decided(namespace)) + len(podgate.decided(namespace)) == stream.denied
    # What its log complains of is the image of the probe, which is nowhere.
    problems = [line for line in another.log_lines() if line["level"] in ("warning", "error")]
    assert [line for line in problems if line["logger"] != "podgate.registry"] == []
