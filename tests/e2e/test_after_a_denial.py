"""What a denial leaves behind where controllers make pods, and that the commands of docs/after-a-denial.md mend it.

Objects come in without pods while their namespace's mode is off. Then it denies, and they are to have pods.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import WEBHOOK, verdict
from tests.e2e.harness.workloads import KINDS, workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

MODE = "podgate.dev/mode"
PAGE = (Path(__file__).parents[2] / "docs" / "after-a-denial.md").read_text()
ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
GAP_SECONDS = 4.0
"""Pauses double: after one of so many seconds the next is twice as long, and longer than WITHIN_SECONDS."""
WITHIN_SECONDS = 5.0
SCALED = ("Deployment", "ReplicaSet", "StatefulSet")


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, podgate: Podgate, registry: Registry) -> Iterator[str]:
    """A namespace that denies, with an object of each kind whose pods have been denied for some time."""
    registry.push("denied/app", images.multi("linux/amd64"), "1")
    image = f"{registry.host}/denied/app:1"
    with cluster.namespace("denied", {MODE: "off"}) as name:
        for kind in SCALED:
            unborn = workload(kind, kind.lower(), image, **ARM)
            unborn["spec"]["replicas"] = 0
            cluster.must("create", "-n", name, "-f", "-", stdin=unborn)
        job = workload("Job", "job", image, **ARM)
        job["spec"]["suspend"] = True
        cluster.must("create", "-n", name, "-f", "-", stdin=job)
        denies(cluster, name, image, "deny")
        for kind in SCALED:
            cluster.must("scale", kind.lower(), kind.lower(), "-n", name, "--replicas=1")
        cluster.must("patch", "job", "job", "-n", name, "--patch", '{"spec": {"suspend": false}}')

        def paused() -> bool:
            return all(longest_pause(podgate, name, kind) >= GAP_SECONDS for kind in (*SCALED, "Job"))

        wait_until("long pauses", paused, 60)
        yield name


def denies(cluster: Cluster, namespace: str, image: str, mode: str) -> None:
    """Sets the namespace's mode, and waits until podgate has heard of it."""
    cluster.must("label", "namespace", namespace, f"{MODE}={mode}", "--overwrite")
    wanted = "deny" if mode == "deny" else "allow"
    words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    tried = pod("tried", image, **ARM)
    wait_until("the mode", lambda: verdict(cluster.kubectl(*words, stdin=tried)).decision == wanted, 30)


def longest_pause(podgate: Podgate, namespace: str, kind: str) -> float:
    """Seconds between two denials of a pod of the object of a kind; its pods begin with its name."""
    prefix = f"{kind.lower()}-"
    times = [
        datetime.fromisoformat(line["time"]).timestamp()
        for line in podgate.decided(namespace)
        if line["kind"] == "Pod" and line["decision"] == "deny" and str(line["object"]).startswith(prefix)
    ]
    return max((after - before for before, after in pairwise(times)), default=0.0)


def status(cluster: Cluster, namespace: str, kind: str) -> Any:
    return cluster.get(KINDS[kind][1], kind.lower(), "-n", namespace)["status"]


def owners_of_pods(cluster: Cluster, namespace: str) -> set[str]:
    """Names of pods, less what controllers put behind."""
    return {item["metadata"]["name"].partition("-")[0] for item in cluster.get("pods", "-n", namespace)["items"]}


def command(kind: str, namespace: str) -> Sequence[str]:
    """The words behind kubectl of the page's command for a kind."""
    (row,) = re.findall(rf"^\| {kind}\b[^|]*\|[^|]*\| `kubectl -n team-a ([^`]*)` \|$", PAGE, re.MULTILINE)
    text = re.sub(r'"\$\(date \+%s\)"', "1790000000", row)
    text = re.sub(rf"({kind.lower()}) \w+", r"\1 \1", text)
    return ["-n", namespace, *shlex.split(text)]


def test_what_is_left(cluster: Cluster, namespace: str):
    assert owners_of_pods(cluster, namespace) == set()
    conditions = {each["type"]: each for each in status(cluster, namespace, "Deployment")["conditions"]}
    assert conditions["ReplicaFailure"]["reason"] == "FailedCreate"
    assert WEBHOOK in conditions["ReplicaFailure"]["message"]
    job = status(cluster, namespace, "Job")
    assert not job.get("active")
    assert not job.get("failed")
    assert not [each for each in job.get("conditions", ()) if each["status"] == "True"]
    words = "get events --field-selector reason=FailedCreate -o wide"
    told = [line for line in cluster.must(*words.split(), "-n", namespace).splitlines() if WEBHOOK in line]
    assert {word for line in told for word in re.findall(r"(\w+)/\w+", line)} >= {"replicaset", "statefulset", "job"}


def test_the_commands_make_them_try_at_once(cluster: Cluster, podgate: Podgate, registry: Registry, namespace: str):
    denies(cluster, namespace, f"{registry.host}/denied/app:1", "off")
    for kind in (*SCALED, "Job"):
        cluster.must(*command(kind, namespace))
    everything = {kind.lower() for kind in (*SCALED, "Job")}
    wait_until("their pods", lambda: owners_of_pods(cluster, namespace) >= everything, WITHIN_SECONDS)
