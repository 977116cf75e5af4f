"""Pods by who wants them: what is counted, under whom, and as what it is judged."""

from typing import Any

import pytest

from tests.support.fleet import (
    APP,
    deployment,
    job_template,
    named,
    owned,
    pods_of,
    replica_set,
    template,
)
from webhook.core.errors import MalformedObject
from webhook.core.fleet import Fleet, PodGroup, without_demands
from webhook.core.kinds import FurtherKind, Kinds

SIDECAR = {"name": "proxy", "image": "reg.example/mesh/proxy:3"}
OTHER = "reg.example/team/app:2.0"


def groups(*objects: dict[str, Any], kinds: Kinds | None = None, **options: bool) -> list[PodGroup]:
    fleet = Fleet(kinds) if kinds else Fleet()
    for one in objects:
        assert fleet.take(one)
    return list(fleet.groups(**options))


def told(found: list[PodGroup]) -> list[tuple[str, int, list[str]]]:
    return [(str(one.owner), one.replicas, [image.image for image in one.workload.images]) for one in found]


def test_pods_of_a_deployment_count_for_it_with_what_was_injected():
    web = deployment("web")
    first = replica_set(web)
    found = groups(web, first, *pods_of(first, 100, SIDECAR))
    assert told(found) == [("Deployment shop/web", 100, [APP, SIDECAR["image"]])]
    constraints = found[0].workload.constraints
    assert (constraints.node_name, found[0].workload.owner) == ("", None)  # anew, and passed over by nobody


def test_a_rollout_is_both_what_runs_and_what_is_to_run():
    web = deployment("web", OTHER)
    old = replica_set(web, APP)
    assert sorted(told(groups(web, old, *pods_of(old, 2, SIDECAR)))) == [
        ("Deployment shop/web", 0, [OTHER]),
        ("Deployment shop/web", 2, [APP, SIDECAR["image"]]),
    ]
    new = replica_set(web, revision=2)
    found = told(groups(web, old, new, *pods_of(old, 2), *pods_of(new, 1)))
    assert sorted(found) == [("Deployment shop/web", 1, [OTHER]), ("Deployment shop/web", 2, [APP])]


def test_a_template_that_admission_rewrites_is_not_judged_beside_its_pods():
    """A registry's mirror is put in by a webhook: what the template names may exist nowhere."""
    web = deployment("web")
    first = replica_set(web)
    pods = pods_of(first, 1)
    pods[0]["spec"]["containers"] = [{"name": "app", "image": "mirror.example/team/app:1.4"}]
    assert told(groups(web, first, *pods)) == [("Deployment shop/web", 1, ["mirror.example/team/app:1.4"])]
    keeper = {**named("apps/v1", "StatefulSet", "db"), "spec": {"template": template()}}
    keeper["status"] = {"updateRevision": "db-7"}
    made = pods_of(keeper, 1)
    made[0]["spec"]["containers"] = [{"name": "app", "image": "mirror.example/team/app:1.4"}]
    assert len(groups(keeper, *made)) == 2  # nothing says that the pod is of this template
    made[0]["metadata"]["labels"] = {"controller-revision-hash": "db-7"}
    assert told(groups(keeper, *made)) == [("StatefulSet shop/db", 1, ["mirror.example/team/app:1.4"])]


def test_new_demands_of_a_template_count_though_its_images_are_the_same():
    web = deployment("web", nodeSelector={"kubernetes.io/arch": "arm64"})
    old = replica_set(web, APP)
    found = groups(web, old, *pods_of(old, 2))
    assert sorted((one.replicas, dict(one.workload.constraints.node_selector)) for one in found) == [
        (0, {"kubernetes.io/arch": "arm64"}),
        (2, {}),
    ]


def test_the_pods_of_a_daemon_set_are_judged_by_its_template():
    """Each of them is pinned to its node, which says nothing of where others will go."""
    agent = {**named("apps/v1", "DaemonSet", "agent"), "spec": {"template": template(nodeSelector={"disk": "ssd"})}}
    pods = []
    for number, pod in enumerate(pods_of(agent, 3, SIDECAR)):
        field = {"key": "metadata.name", "operator": "In", "values": [f"node-{number}"]}
        terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        pod["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        pods.append(pod)
    found = groups(agent, *pods)
    assert told(found) == [("DaemonSet shop/agent", 3, [APP, SIDECAR["image"]])]
    workload = found[0].workload
    assert (workload.template, workload.every_node, workload.constraints.affinity) == (True, True, None)
    assert dict(workload.constraints.node_selector) == {"disk": "ssd"}


def test_a_node_that_a_template_names_stays():
    web = deployment("web", nodeName="node-9")
    first = replica_set(web)
    found = groups(web, first, *pods_of(first, 1, node="node-9"))
    assert [one.workload.constraints.node_name for one in found] == ["node-9"]


def test_what_has_no_pods_is_judged_where_it_will_make_some():
    cron = {**named("batch/v1", "CronJob", "nightly"), "spec": {"jobTemplate": job_template()}}
    done = {**named("batch/v1", "Job", "nightly-1"), "spec": job_template()["spec"]}
    alone = {**named("batch/v1", "Job", "import"), "spec": job_template(OTHER)["spec"]}
    over = {**named("batch/v1", "Job", "import-old"), "spec": job_template()["spec"]}
    over["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    web = deployment("web")
    found = groups(cron, owned(done, cron), alone, over, web, replica_set(web, OTHER))
    assert sorted(told(found)) == [
        ("CronJob shop/nightly", 0, [APP]),
        ("Deployment shop/web", 0, [APP]),
        ("Job shop/import", 0, [OTHER]),
    ]


def test_pods_that_have_ended_or_are_going_or_are_a_kubelets_own_do_not_count():
    web = deployment("web")
    first = replica_set(web)
    ended = [*pods_of(first, 2, phase="Succeeded"), *pods_of(first, 1, phase="Failed")]
    going = pods_of(first, 1)
    going[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    static = {**named("v1", "Pod", "apiserver"), "spec": template()["spec"]}
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    waiting = pods_of(first, 1, phase="Pending")
    leaving = deployment("leaving")  # it makes no more pods
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = groups(web, first, leaving, *ended, *going, static, *waiting)
    assert told(found) == [("Deployment shop/web", 1, [APP])]


def test_a_pod_of_nobodys_and_one_of_somebody_unknown():
    bare = {**named("v1", "Pod", "debug"), "spec": {**template()["spec"], "nodeName": "node-1"}}
    bare["spec"]["ephemeralContainers"] = [{"name": "shell", "image": "reg.example/team/tool:1"}]
    workflow = named("argoproj.io/v1alpha1", "Workflow", "build")
    step = owned({**named("v1", "Pod", "build-1"), "spec": template()["spec"]}, workflow)
    assert told(groups(bare, step)) == [("Pod shop/debug", 1, [APP]), ("Workflow shop/build", 1, [APP])]


def test_owners_that_own_one_another_end_somewhere():
    """References are anybody's word, and nothing gets out of sight by them."""
    one, other = deployment("one"), deployment("other", OTHER)
    owned(one, other), owned(other, one)
    assert told(groups(one, other, *pods_of(one, 1))) == [
        ("Deployment shop/one", 1, [APP]),
        ("Deployment shop/other", 0, [OTHER]),
    ]
    kinds = Kinds([FurtherKind("argoproj.io", "rollouts", ("spec", "template"))])
    ring = [{**named("argoproj.io/v1", "Rollout", name), "spec": {"template": template()}} for name in "abc"]
    for rollout, above in zip(ring, (*ring[1:], ring[0]), strict=True):
        owned(rollout, above)
    found = told(groups(*ring, *pods_of(ring[0], 2), kinds=kinds))
    assert found == [(f"Rollout shop/{name}", count, [APP]) for name, count in (("a", 2), ("b", 0), ("c", 0))]


def test_what_an_operator_hangs_on_its_own_deployment_stands_for_itself():
    """A Deployment makes no DaemonSet: this one goes to each node that it asks for, whoever is its owner."""
    operator = deployment("operator", OTHER)
    agent = {**named("apps/v1", "DaemonSet", "agent"), "spec": {"template": template(nodeSelector={"disk": "ssd"})}}
    idle = {**named("apps/v1", "DaemonSet", "idle"), "spec": {"template": template()}}
    owned(agent, operator), owned(idle, operator)
    found = groups(operator, agent, idle, *pods_of(agent, 2))
    assert sorted(told(found)) == [
        ("DaemonSet shop/agent", 2, [APP]),
        ("DaemonSet shop/idle", 0, [APP]),
        ("Deployment shop/operator", 0, [OTHER]),
    ]
    assert [one.workload.every_node for one in found] == [True, False, True]
    kinds = Kinds([FurtherKind("mesh.example", "gateways", ("spec", "template"), "Gateway")])
    gateway = {**named("mesh.example/v1", "Gateway", "edge"), "spec": {"template": template()}}
    found = groups(gateway, owned(agent, gateway), *pods_of(agent, 2), kinds=kinds)
    assert told(found) == [("Gateway shop/edge", 2, [APP])]
    assert found[0].workload.every_node  # of what makes the pods, not of who is above it


def test_a_further_kind_that_makes_replica_sets():
    kinds = Kinds([FurtherKind("argoproj.io", "rollouts", ("spec", "template"))])
    rollout = {**named("argoproj.io/v1alpha1", "Rollout", "web"), "spec": {"template": template()}}
    old = replica_set(rollout, OTHER)
    first = replica_set(rollout, revision=2)
    objects = rollout, old, first, *pods_of(first, 4)
    assert told(groups(*objects, kinds=kinds)) == [("Rollout shop/web", 4, [APP])]
    assert told(groups(*objects[1:], kinds=kinds)) == [("Rollout shop/web", 4, [APP])]  # not listed
    fleet = Fleet(Kinds([FurtherKind("example.com", "oxen", ("spec", "template"))]))
    ox = {**named("example.com/v1", "Ox", "one"), "spec": {"template": template()}}
    assert (fleet.take(ox), fleet.take(ox, "oxen")) == (False, True)  # the plural does not follow from the kind
    elsewhere = {**named("argoproj.io/v1alpha1", "Rollout", "ref"), "spec": {"workloadRef": {"name": "web"}}}
    assert groups(elsewhere, kinds=kinds) == []


def test_numbers_by_the_word_of_saved_objects():
    agent = {**named("apps/v1", "DaemonSet", "agent"), "spec": {"template": template()}}
    agent["status"] = {"desiredNumberScheduled": 7}
    cron = {**named("batch/v1", "CronJob", "nightly"), "spec": {"jobTemplate": job_template()}}
    alone = {**named("batch/v1", "Job", "import"), "spec": {**job_template()["spec"], "parallelism": 2}}
    silent = deployment("silent")
    del silent["spec"]["replicas"]
    found = groups(deployment("web"), agent, cron, alone, silent, by_word=True)
    assert [(one.owner.name, one.replicas) for one in found] == [
        ("web", 3),
        ("agent", 7),
        ("nightly", 0),
        ("import", 2),
        ("silent", 1),
    ]


def test_pods_that_are_there_count_and_the_word_of_those_whose_pods_are_not():
    """Whoever saves workloads may save a pod beside; and a rollout that has made none yet is beside the pods of the
    revision before."""
    bare = {**named("v1", "Pod", "debug"), "spec": template()["spec"]}
    rolled = deployment("rolled", "example.org/app:2")
    before = replica_set(rolled, APP)
    found = groups(deployment("web"), bare, rolled, before, *pods_of(before, 2), by_word=True)
    assert sorted((one.owner.name, one.replicas, one.by_word) for one in found) == [
        ("debug", 1, False),
        ("rolled", 0, False),
        ("rolled", 2, False),
        ("web", 3, True),
    ]


def test_pods_of_a_replica_set_that_nobody_saved_are_their_deployments():
    """As of `kubectl get deploy,pods`: they are counted once, and not by the Deployment's word beside."""
    web = deployment("web")
    first = replica_set(web)
    pods = pods_of(first, 3)
    for pod in pods:
        pod["metadata"]["labels"] = {"pod-template-hash": "1"}
    assert [(str(one.owner), one.replicas) for one in groups(*pods, web, by_word=True)] == [("Deployment shop/web", 3)]
    assert [(str(one.owner), one.replicas) for one in groups(*pods)] == [("Deployment shop/web", 3)]
    lone = pods_of(first, 1)
    lone[0]["metadata"]["labels"] = {"pod-template-hash": "web-1"}  # nobody's name would be left
    assert [str(one.owner) for one in groups(*lone)] == ["ReplicaSet shop/web-1"]


def test_who_made_pods_is_known_though_nobody_asked_for_it():
    """A DaemonSet's pods are pinned to their nodes: what it asks for itself is in its template alone."""
    demanded = [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]
    required = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": demanded}}}
    agent = {**named("apps/v1", "DaemonSet", "agent"), "spec": {"template": template(affinity=required)}}
    web, other = deployment("web"), deployment("other")
    first = replica_set(web)
    fleet = Fleet()
    for pod in (*pods_of(agent, 2), *pods_of(first, 1)):
        fleet.take(pod)
    fleet.take(web)
    for one in (agent, first, web, other):
        fleet.take_aside(one)
    found = {one.owner.name: one for one in fleet.groups(by_word=True)}
    assert {name: one.replicas for name, one in found.items()} == {"agent": 2, "web": 1}
    assert found["agent"].workload.constraints.affinity is not None


def test_objects_of_other_kinds_and_such_as_are_not_understood():
    fleet = Fleet()
    assert not fleet.take(named("v1", "ConfigMap", "settings"))
    with pytest.raises(MalformedObject, match=r"spec\.template"):
        fleet.take({**named("apps/v1", "Deployment", "web"), "spec": {}})
    assert (len(fleet), fleet.has_pods, list(fleet.groups())) == (0, False, [])


def test_without_demands_the_images_and_whose_secrets_they_are_pulled_with_stay():
    spec: dict[str, Any] = {
        "nodeSelector": {"a": "b"},
        "imagePullSecrets": [{"name": "mine"}],
        "os": {"name": "windows"},
    }
    bare = {**named("v1", "Pod", "debug"), "spec": template(**spec)["spec"]}
    free = without_demands(groups(bare)[0].workload)
    assert (free.constraints.pull_secrets, free.constraints.os_name) == (("mine",), "")
    assert not free.constraints.node_selector
    assert [image.image for image in free.images] == [APP]
