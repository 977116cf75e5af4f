"""The real scheduler as a witness: it binds pods to podgate's candidate nodes, and to nothing else.

The nodes that podgate counts come from `podgate check` over what kubectl prints, and their number from the webhook too.
PODGATE_E2E_SEED draws other pods.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from random import Random
from typing import Any, NamedTuple

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.gobuild import say_on_stderr
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.scheduling import NODES, PASSING, RUNTIME_CLASS, demands, let_in, nodes, runtime_class
from tests.e2e.harness.verdicts import DENIED
from tests.e2e.harness.workloads import workload

Json = dict[str, Any]
Candidates = Mapping[str, frozenset[str]]
Aloud = Callable[[], AbstractContextManager[None]]

SEED = int(os.environ.get("PODGATE_E2E_SEED", "37"))
PODS = 340
FEWEST = 50
"""Pods bound, and pods left, below which nothing would be shown."""
SPREAD = 12
"""Demands for which every node is tried."""
NOWHERE = "Not/Valid"
"""An image that runs on no node, so that podgate says on how many it does not."""
SETTLED_SECONDS = 30.0
MODE = "podgate.dev/mode"

# What the scheduler says of nodes that it passes over: the reasons of its filters for affinity, taints and cordons.
_EXPECTED = re.compile(
    r"node\(s\) (didn't match Pod's node affinity/selector|had untolerated taint\(s\)|were unschedulable"
    r"|didn't satisfy plugin\(s\) \[NodeAffinity\])"
)


class Outcome(NamedTuple):
    """What became of a pod: the node that it is bound to (empty: none), else why the scheduler leaves it."""

    node: str
    message: str


@pytest.fixture(scope="module")
def unlike(cluster: Cluster, podgate: Podgate) -> Iterator[None]:
    """The twelve nodes are all that there are, and podgate knows them."""
    with nodes(cluster):
        probe = pod("probe", NOWHERE, tolerations=[{"operator": "Exists"}])

        def known() -> bool:
            return counted(cluster, "default", [probe]) == {"probe": len(NODES)}

        wait_until("podgate to know the twelve nodes, and no others", known, 30)
        yield


@pytest.fixture(scope="module")
def space(cluster: Cluster, unlike: None) -> Iterator[str]:
    """A namespace whose objects are admitted whatever their image."""
    with cluster.namespace("witness", {MODE: "off"}) as namespace:

        def admitted() -> bool:
            words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
            return cluster.kubectl(*words, stdin=pod("probe", NOWHERE)).code == 0

        wait_until("the mode", admitted, 30)
        yield namespace


def generated() -> list[Json]:
    """The pods, always the same ones."""
    random = Random(SEED)
    return [pod(f"p-{number:03}", NOWHERE, **demands(random)) for number in range(PODS)]


def items(objects: list[Json]) -> Json:
    """What kubectl takes as one file."""
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def candidates(cluster: Cluster, podgate: Podgate, objects: list[Json]) -> Candidates:
    """The candidate nodes of objects: what `podgate check` has of them, with the nodes as kubectl prints them."""
    file = podgate.folder / "nodes.json"
    file.write_text(cluster.must("get", "nodes", "-o", "json"))
    code, document, complaints = podgate.check("--nodes", file, stdin=items([runtime_class(), *objects]))
    foreign = [one for one in document["objects"] if one["nodes"] and not any(node["name"] for node in one["nodes"])]
    noted = re.fullmatch(r"podgate: none of the nodes takes (\d+) objects?; .*\n", complaints)
    assert (code, complaints == "" or noted is not None) == (1, True)
    assert (int(noted[1]) if noted else 0) == len(foreign)
    found = {one["name"]: frozenset(node["name"] for node in one["nodes"] if node["name"])
             for one in document["objects"]}  # fmt: skip
    assert len(found) == len(objects)
    return found


def counted(cluster: Cluster, namespace: str, pods: list[Json]) -> dict[str, int]:
    """How many candidate nodes the webhook finds for pods that run nowhere, by what it says of them."""
    words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    result = cluster.kubectl(*words, stdin=items(pods))
    said = " ".join(result.stderr.split())
    found = dict.fromkeys(re.findall(r"podgate: Pod (\S+) was not checked: no node,", said), 0)
    for name, text in re.findall(rf"{DENIED}Pod (\S+) cannot run on (.*?)\. ", said):
        if "platform" in text:  # nodes that it asks for, and that are not there
            found[name] = 0
        elif text == "the only node it may be scheduled to":
            found[name] = 1
        else:
            number = re.fullmatch(r"any of the (\d+) nodes it may be scheduled to", text)
            assert number, text
            found[name] = int(number[1])
    return found


def outcomes(cluster: Cluster, namespace: str, label: str = "") -> dict[str, Outcome | None]:
    """What the scheduler has done with each pod; None: nothing yet."""
    words = ("-n", namespace, *(("-l", label) if label else ()))
    found: dict[str, Outcome | None] = {}
    for one in cluster.get("pods", *words)["items"]:
        node = one["spec"].get("nodeName", "")
        left = [condition.get("message", "") for condition in one.get("status", {}).get("conditions", [])
                if (condition["type"], condition["status"]) == ("PodScheduled", "False")]  # fmt: skip
        found[one["metadata"]["name"]] = Outcome(node, "".join(left)) if node or left else None
    return found


def settled(
    cluster: Cluster, namespace: str, right: Callable[[Mapping[str, Outcome | None]], bool], label: str = ""
) -> dict[str, Outcome]:
    """The outcomes once all are known and as expected, or at the end of a deadline, for the caller to complain of."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        found = outcomes(cluster, namespace, label)
        known = {name: outcome for name, outcome in found.items() if outcome is not None}
        if (len(known) == len(found) and right(found)) or time.monotonic() > deadline:
            assert len(known) == len(found), f"the scheduler has not looked at {found.keys() - known.keys()}"
            return known
        time.sleep(0.2)


def disagreements(
    pods: list[Json], expected: Candidates, free: Candidates, found: Mapping[str, Outcome]
) -> Iterator[str]:
    """Where the scheduler and podgate differ, in both directions, with the pod and the node, a line each.

    free: of the candidates those that take pods now.
    """
    for one in pods:
        name = one["metadata"]["name"]
        node, message = found[name]
        if node and node not in expected[name]:
            yield f"{name} is bound to {node}, which is none of {sorted(expected[name])}: {one['spec']}"
        elif not node and free[name]:
            yield f"{name} is left ({message}), though {sorted(free[name])} should take it: {one['spec']}"


def differences(
    objects: Iterable[tuple[str, Json]], expected: Mapping[str, list[str]], taken: Mapping[str, list[str]]
) -> Iterator[str]:
    """Where other nodes were taken than all candidates, a line each."""
    for name, spec in objects:
        if taken[name] != expected[name]:
            yield f"{name} took {taken[name]}, and its candidates are {expected[name]}: {spec}"


def agreed(lines: Iterable[str]) -> None:
    """Fails with the disagreements, if there are any, in full."""
    wrong = list(lines)
    assert not wrong, "\n".join(["podgate and the scheduler disagree:", *wrong])


def left_for_another_reason(found: Mapping[str, Outcome]) -> list[str]:
    """Messages of pods that are left for something else than affinity, taints or a cordon."""
    return [message for node, message in found.values() if not node and not only_expected(message)]


def only_expected(message: str) -> bool:
    # `0/12 nodes are available: 3 node(s) ..., 9 node(s) .... preemption: ...`
    reasons = re.findall(r"(?:available: |, )\d+ (.*?)(?=, \d|\. )", message.partition("preemption:")[0])
    return bool(reasons) and all(_EXPECTED.match(reason) for reason in reasons)


def test_the_scheduler_binds_to_candidates_and_leaves_what_has_none(
    cluster: Cluster, podgate: Podgate, space: str, aloud: Aloud
):
    let_in(cluster, passing=False)
    pods = generated()
    expected = candidates(cluster, podgate, pods)
    with cluster.namespace("judged") as judged:
        assert counted(cluster, judged, pods) == {name: len(nodes) for name, nodes in expected.items()}
    cluster.must("create", "-n", space, "-f", "-", stdin=items(pods))
    # Two of the nodes take nothing for now, which podgate overlooks on purpose.
    now = {name: nodes - set(PASSING) for name, nodes in expected.items()}

    def all_placed(wanted: Candidates) -> Callable[[Mapping[str, Outcome | None]], bool]:
        return lambda found: all(one is not None and (one.node or not wanted[name]) for name, one in found.items())

    first = settled(cluster, space, all_placed(now))
    agreed(disagreements(pods, expected, now, first))
    assert left_for_another_reason(first) == []
    waiting = [name for name, nodes in expected.items() if nodes and not first[name].node]
    assert waiting, "no pod waits for the nodes that take nothing: the generator does not try them"
    let_in(cluster, passing=True)
    last = settled(cluster, space, all_placed(expected))
    bound = sum(1 for node, _ in last.values() if node)
    with aloud():
        say_on_stderr(f"the scheduler as a witness, seed {SEED}: {len(pods)} pods over {len(NODES)} nodes:"
                      f" {bound} bound, {len(waiting)} of them only when cordon and pressure had gone,"
                      f" {len(pods) - bound} left; {len(set(expected.values()))} sets of candidates")  # fmt: skip
    agreed(disagreements(pods, expected, expected, last))
    assert left_for_another_reason(last) == []
    assert min(bound, len(pods) - bound) >= FEWEST
    assert {outcome.node for outcome in last.values()} - {""} == set(NODES)


def test_pods_that_keep_apart_fill_all_candidates_and_no_other_node(
    cluster: Cluster, podgate: Podgate, space: str, aloud: Aloud
):
    let_in(cluster, passing=True)
    pods = generated()
    found = candidates(cluster, podgate, pods)
    chosen = varied(pods, found)
    expected = {one["metadata"]["name"]: sorted(found[one["metadata"]["name"]]) for one in chosen}
    copies = [apart(one, number, copy) for number, one in enumerate(chosen) for copy in range(len(NODES))]
    cluster.must("create", "-n", space, "-f", "-", stdin=items(copies))
    last = settled(cluster, space, lambda outcomes: taken(outcomes, expected) == expected, "apart")
    with aloud():
        say_on_stderr(f"{SPREAD} demands, each with a pod for each of {len(NODES)} nodes:"
                      f" {sorted(map(len, expected.values()))} candidates, each taken by one")  # fmt: skip
    agreed(differences(((one["metadata"]["name"], one["spec"]) for one in chosen), expected, taken(last, expected)))


def varied(pods: list[Json], found: Candidates) -> list[Json]:
    """Some of the pods, no two with the same candidates, and none with less than two of them."""
    kinds: dict[frozenset[str], Json] = {}
    for one in pods:
        if len(found[one["metadata"]["name"]]) > 1:
            kinds.setdefault(found[one["metadata"]["name"]], one)
    return Random(SEED).sample(sorted(kinds.values(), key=str), SPREAD)


def taken(outcomes: Mapping[str, Outcome | None], names: Iterable[str]) -> dict[str, list[str]]:
    """The nodes of the pods that have a name followed by one part more, in order."""
    nodes: dict[str, list[str]] = {name: [] for name in names}
    for name, outcome in outcomes.items():
        if outcome is not None and outcome.node:
            nodes[name.rpartition("-")[0]].append(outcome.node)
    return {name: sorted(found) for name, found in nodes.items()}


def apart(like: Json, number: int, copy: int) -> Json:
    """A pod that a node takes only one of: it wants a port of the node."""
    ports = [{"containerPort": 80, "hostPort": 30000 + number}]
    container = {**like["spec"]["containers"][0], "ports": ports}
    metadata = {"name": f"{like['metadata']['name']}-{copy}", "labels": {"apart": "yes"}}
    return {**like, "metadata": metadata, "spec": {**like["spec"], "containers": [container]}}


def test_daemon_sets_get_a_pod_on_every_candidate_and_on_no_other_node(
    cluster: Cluster, podgate: Podgate, space: str, aloud: Aloud
):
    pods = generated()
    specs = [one["spec"] for one in varied(pods, candidates(cluster, podgate, pods))]
    sets = [workload("DaemonSet", f"d-{number:02}", NOWHERE, **spec) for number, spec in enumerate(specs)]
    # Its controller looks at the template, and only its pods get what the RuntimeClass adds.
    sets.append(workload("DaemonSet", f"d-{RUNTIME_CLASS}", NOWHERE, runtimeClassName=RUNTIME_CLASS))
    expected = {name: sorted(nodes) for name, nodes in candidates(cluster, podgate, sets).items()}
    cluster.must("create", "-n", space, "-f", "-", stdin=items(sets))

    def complete() -> bool:
        states = [one["status"] for one in cluster.get("daemonsets", "-n", space)["items"]]
        return all(
            state.get("observedGeneration") and state["currentNumberScheduled"] == state["desiredNumberScheduled"]
            for state in states
        )

    wait_until("the controller to have made all pods", complete, SETTLED_SECONDS)

    last = settled(cluster, space, lambda outcomes: taken(outcomes, expected) == expected, "app")
    with aloud():
        say_on_stderr(f"{len(sets)} DaemonSets: {sorted(map(len, expected.values()))} candidates, a pod on each")
    named = ((one["metadata"]["name"], one["spec"]["template"]["spec"]) for one in sets)
    agreed(differences(named, expected, taken(last, expected)))
