"""`podgate scan`: a cluster's workloads on today's nodes, and on nodes that are not there yet."""

import csv
import json
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.cli.conftest import kubeconfig
from tests.support.apiserver import ApiServer, Fault
from tests.support.command import ROOT, Podgate, Ran
from tests.support.fleet import PLURALS, deployment, job_template, named, owned, pods_of, replica_set, template
from tests.support.images import single
from tests.support.manifests import REGISTRY, node, write
from tests.support.registry import Auth, Registry
from tests.support.registry import Fault as RegistryFault

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "scan.schema.json").read_text()))
APP, BOTH, TOOL = f"{REGISTRY}/team/app:1.4", f"{REGISTRY}/team/app:2.0", f"{REGISTRY}/team/tool:1"
SIDECAR = {"name": "proxy", "image": TOOL}

Scan = Callable[..., Ran]


def document(ran: Ran) -> dict[str, Any]:
    """What `-o json` printed; it must be one document of the schema."""
    value: dict[str, Any] = json.loads(ran.out)
    SCHEMA.validate(value)
    return value


def put(cluster: ApiServer, *objects: dict[str, Any]) -> None:
    for one in objects:
        cluster.put(PLURALS[one["kind"]], one)


def a_shop(cluster: ApiServer) -> None:
    """web (3 pods, amd64 alone), api (2, both platforms, with an amd64 sidecar), a CronJob and a DaemonSet."""
    web, api = deployment("web"), deployment("api", BOTH, "bank")
    first, second = replica_set(web), replica_set(api)
    agent = {**named("apps/v1", "DaemonSet", "agent", "kube-system"), "spec": {"template": template(BOTH)}}
    cron = {**named("batch/v1", "CronJob", "nightly"), "spec": {"jobTemplate": job_template(BOTH)}}
    put(cluster, web, first, *pods_of(first, 3), api, second, *pods_of(second, 2, SIDECAR), agent, *pods_of(agent, 2))
    put(cluster, cron)


@pytest.fixture
def scan(podgate: Podgate, cluster: ApiServer, settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scan:
    """Runs `podgate scan` in a cluster of an amd64 and an arm64 node."""
    kubeconfig(monkeypatch, tmp_path / "config", cluster.url)
    cluster.put("nodes", node("amd-1", "amd64"))

    def run(*arguments: str | Path, **options: Any) -> Ran:
        return podgate("scan", "--config", settings, *arguments, **options)

    return run


def test_what_blocks_a_migration_by_replicas_and_owners(scan: Scan, cluster: ApiServer):
    a_shop(cluster)
    ran = scan("--target", "linux/arm64")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "Targets: linux/arm64",
        "",
        "Blocked by images that run nowhere where their workloads may land:",
        f"3 replicas  {APP}  has linux/amd64",
        "    linux/arm64: fails, no-matching-entry",
        "    3 Deployment shop/web (app)",
        f"2 replicas  {TOOL}  has linux/amd64",
        "    linux/arm64: fails, config-mismatch",
        "    2 Deployment bank/api (proxy)",
        "",
        "Namespaces ready:",
        "    bank         0 of 2 replicas (2 blocked)",
        "    kube-system  2 of 2 replicas",
        "    shop         0 of 3 replicas (3 blocked)",
        "",
        "ready: 2 of 7 replicas (5 blocked), 2 of 4 workloads (2 blocked)",
    ]
    assert not any(request.startswith("list nodes") for request in cluster.requests)


def test_todays_nodes(scan: Scan, cluster: ApiServer):
    """What runs on some is no reason to move it, and said all the same; a DaemonSet has to run on all."""
    a_shop(cluster)
    put(cluster, {**named("apps/v1", "DaemonSet", "logs"), "spec": {"template": template(APP)}})
    pinned = deployment("pinned", nodeSelector={"kubernetes.io/arch": "amd64"})
    put(cluster, pinned)
    found = document(scan("-o", "json"))
    states = {one["name"]: (one["state"], one["reason"]) for one in found["workloads"]}
    assert states == {
        "api": ("partial", "partial"),
        "agent": ("ready", "match"),
        "nightly": ("ready", "match"),
        "web": ("partial", "partial"),
        "logs": ("blocked", "mismatch"),
        "pinned": ("ready", "match"),
    }
    assert [(one["name"], one["nodes"], one["kind"]) for one in found["columns"]] == [
        ("linux/amd64", 1, "nodes"),
        ("linux/arm64", 1, "nodes"),
    ]
    app = next(one for one in found["images"] if one["image"] == APP)
    assert [(cell["column"], cell["outcome"]) for cell in app["outcomes"]] == [
        ("linux/amd64", "runs"),
        ("linux/arm64", "fails"),
    ]
    uses = {one["name"]: (one["replicas"], one["fails"], one["state"]) for one in app["uses"]}
    assert uses == {"logs": (0, True, "blocked"), "web": (3, True, "partial"), "pinned": (0, False, "ready")}
    assert (app["state"], app["replicasBlocked"]) == ("blocked", 3)


def test_registries_and_the_api_server_are_asked_as_little_as_can_be(
    scan: Scan, cluster: ApiServer, registry: Registry
):
    a_shop(cluster)
    for name in ("one", "two", "three"):
        put(cluster, deployment(name, namespace=name))
    assert scan().code == 0
    # An index takes one request, a single manifest its config beside. Where that does not fit, an index in the same pod
    # may say all the same that it is for the node: its entry is looked into.
    assert sorted(asked.path.rpartition("/")[0] for asked in registry.log) == [
        "/v2/team/app/manifests",
        "/v2/team/app/manifests",
        "/v2/team/app/manifests",
        "/v2/team/tool/blobs",
        "/v2/team/tool/manifests",
    ]
    kinds = ("pods", "replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs")
    lists = [request for request in cluster.requests if request.startswith("list")]
    assert sorted(lists) == sorted(f"list {kind}" for kind in (*kinds, "replicationcontrollers", "nodes", "namespaces"))
    asked = len(registry.log)
    assert scan("--target", "linux/arm64").code == 0
    assert len(registry.log) == asked  # all of it was kept
    assert scan("--cache-ttl", "0").code == 0
    assert {asked.method for asked in registry.log[asked:]} <= {"GET", "HEAD"}
    assert len(registry.log) == asked + 3  # the three tags


def test_namespaces_of_choice(scan: Scan, cluster: ApiServer):
    a_shop(cluster)
    found = document(scan("-n", "shop", "-n", "kube-system", "-o", "json"))
    assert {one["name"] for one in found["namespaces"]} == {"shop", "kube-system"}
    assert (scan("-n", "shop", "-A").code, scan("-n", "").code) == (2, 2)


def test_a_namespace_that_is_not_there_is_no_empty_one(scan: Scan, cluster: ApiServer):
    a_shop(cluster)
    cluster.put("namespaces", {"metadata": {"name": "new"}})
    ran = scan("-n", "new", "-n", "shop", "--fail-on", "unknown", "-o", "json")
    assert (ran.code, ran.err, document(ran)["problems"]) == (1, "", [])
    assert not cluster.count("get namespaces /shop")  # something is in it
    ran = scan("-n", "new")
    assert (ran.code, ran.err) == (0, "podgate: there are no workloads in the namespace new\n")
    for name, told in (("shpo", "there is no namespace shpo"), ("Shop", "there is no namespace Shop: it is no name")):
        ran = scan("-n", "shop", "-n", name, "--fail-on", "blocked", "-o", "json")
        assert (ran.code, ran.err, document(ran)["problems"]) == (2, f"podgate: {told}\n", [told])
    cluster.forbidden = {"get namespaces"}
    ran = scan("-n", "new")
    assert ran.code == 2
    assert ran.err.startswith("podgate: whether there is a namespace new is not known: ")
    assert "is forbidden" in ran.err


def test_what_has_the_labels_of_choice(scan: Scan, cluster: ApiServer):
    """Each object by its own labels, as for kubectl; whose pods have them is known of those without them too."""
    a_shop(cluster)
    labels = {"team": "pay"}
    for plural in ("pods", "replicasets", "deployments"):
        for one in cluster.all(plural):
            if one["metadata"]["namespace"] == "bank" and plural != "deployments":
                cluster.put(plural, {**one, "metadata": {**one["metadata"], "labels": labels}})
    lone = deployment("lone", BOTH)  # its pods, if any, have other labels
    put(cluster, {**lone, "metadata": {**lone["metadata"], "labels": labels}})
    ran = scan("-l", "team=pay", "--target", "linux/arm64", "-o", "json")
    assert {(one["name"], one["replicas"], one["state"]) for one in document(ran)["workloads"]} == {
        ("api", 2, "blocked"),
        ("lone", 3, "ready"),
    }
    told = "no pods with these labels of Deployment shop/lone: replicas are those that they ask for"
    assert (ran.code, ran.err) == (0, f"podgate: {told}\n")
    ran = scan("-l", "team=pya", "--fail-on", "blocked")
    assert (ran.code, ran.err) == (2, "podgate: there are no workloads with the labels team=pya\n")
    ran = scan("-l", "=pay")
    assert (ran.code, ran.out) == (2, "")
    assert "400: unable to parse requirement" in ran.err
    assert [scan("-l", "").code, scan("-l", "a=b", "-f", "-").code] == [2, 2]


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("blocked", 1), ("partial", 1), ("unknown", 1)])
def test_exit_codes(scan: Scan, cluster: ApiServer, fail_on: str, code: int):
    a_shop(cluster)
    assert scan("--target", "linux/arm64", "--fail-on", fail_on).code == code
    assert scan("-n", "kube-system", "--target", "linux/arm64", "--fail-on", fail_on).code == 0


def test_a_survey_that_is_not_complete_says_so(scan: Scan, cluster: ApiServer):
    a_shop(cluster)
    cluster.forbidden = {"list daemonsets"}
    ran = scan("--target", "linux/arm64", "-o", "json")
    assert ran.code == 2
    assert re.fullmatch(r"podgate: daemonsets are not known: .* is forbidden: .*\n", ran.err)
    found = document(ran)
    assert found["problems"] == [ran.err.removeprefix("podgate: ").rstrip()]
    # The pods of a DaemonSet are there all the same, with whom they name as their owner.
    assert ("DaemonSet", "agent") in {(one["kind"], one["name"]) for one in found["workloads"]}
    cluster.fail("list pods", Fault(503, "shutting down"))
    ran = scan()
    assert (ran.code, ran.out) == (2, "")
    assert "shutting down" in ran.err


def test_what_is_not_known_is_no_blocker(scan: Scan, cluster: ApiServer):
    put(cluster, deployment("gone", f"{REGISTRY}/team/app:9"), deployment("odd", "Not/Valid"))
    nowhere = deployment("nowhere", BOTH, nodeSelector={"disk": "none"})
    put(cluster, nowhere, deployment("panes", BOTH, os={"name": "windows"}))
    ran = scan("--target", "linux/arm64")
    assert ran.out.splitlines()[2:-2] == [
        "Blocked by images that run nowhere where their workloads may land:",
        "0 replicas  Not/Valid  platforms not known",
        "    invalid-reference: the name of a repository must be in lower case",
        "    linux/arm64: fails, invalid-reference",
        "    0 Deployment shop/odd (app)",
        "",
        "Images that are not known to run:",
        f"0 replicas  {REGISTRY}/team/app:9  platforms not known",
        "    not-found: not found in the registry",
        "    linux/arm64: uncertain, image-unresolved",
        "    0 Deployment shop/gone (app)",
        "",
        "Workloads that nodes refuse, since they ask for another os:",
        "    0 Deployment shop/panes (mismatch)",
        "",
        "Workloads that may land on none of these nodes:",
        "    0 Deployment shop/nowhere (no-candidates)",
    ]


def test_what_asks_for_another_platform_is_not_ready_for_this_one(scan: Scan, cluster: ApiServer, settings: Path):
    """It runs where it is, and has to be looked at before those nodes go. Nodes that settings declare do not help."""
    declared = {"nodes": {"declared": [{"platform": "linux/amd64"}]}}
    settings.write_text(json.dumps({**json.loads(settings.read_text()), **declared}))
    put(cluster, deployment("pinned", nodeSelector={"kubernetes.io/arch": "amd64"}), deployment("free", BOTH))
    ran = scan("--target", "linux/arm64")
    assert ran.out.splitlines() == [
        "Targets: linux/arm64",
        "",
        "Workloads that may land on none of these nodes:",
        "    0 Deployment shop/pinned (asks for linux/amd64)",
        "",
        "ready: 0 of 0 replicas, 1 of 2 workloads (1 unknown)",
    ]


def test_one_image_of_two_owners_only_one_of_whom_may_pull_it(scan: Scan, cluster: ApiServer, registry: Registry):
    registry.auth = Auth(users={"reader": "secret"})
    config = {"auths": {REGISTRY: {"username": "reader", "password": "secret"}}}
    secret = {**named("v1", "Secret", "pull"), "type": "kubernetes.io/dockerconfigjson"}
    secret["stringData"] = {".dockerconfigjson": json.dumps(config)}
    cluster.put("secrets", secret)
    put(cluster, deployment("may", BOTH, imagePullSecrets=[{"name": "pull"}]), deployment("not", BOTH))
    found = document(scan("--target", "linux/arm64", "-o", "json"))
    rows = {
        tuple(use["name"] for use in one["uses"]): (
            one["state"],
            one["platforms"],
            one["error"] and one["error"]["code"],
        )
        for one in found["images"]
    }
    assert rows == {
        ("may",): ("ready", ["linux/amd64", "linux/arm64"], None),
        ("not",): ("unknown", [], "denied"),
    }
    assert "secret" not in json.dumps(found)


def test_csv_is_a_table_that_no_spreadsheet_runs(podgate: Podgate, settings: Path, tmp_path: Path, registry: Registry):
    hostile = named("v1", "Pod", "=cmd|'/c calc'!A0")
    hostile["spec"] = {"containers": [{"name": "@sum", "image": APP}, {"name": '-1"\n,2', "image": APP}]}
    saved = write(tmp_path / "saved.yaml", hostile, {**named("v1", "Pod", "b"), "spec": template(BOTH)["spec"]})
    ran = podgate("scan", "--config", settings, "-f", saved, "--target", "linux/arm64", "-o", "csv")
    assert ran.code == 0
    rows = list(csv.DictReader(StringIO(ran.out, newline="")))
    assert [(row["image"], row["name"], row["linux/arm64"]) for row in rows] == [
        (APP, "'=cmd|'/c calc'!A0", "fails (no-matching-entry)"),
        (BOTH, "b", "runs (fits)"),
    ]
    assert rows[0]["containers"] == "'@sum -1\",2"
    assert rows[0]["state"] == "blocked"


def test_a_scan_against_nodes_of_a_file_and_offline(scan: Scan, cluster: ApiServer, registry: Registry, tmp_path: Path):
    a_shop(cluster)
    nodes = write(tmp_path / "nodes.yaml", node("s-1", "s390x"))
    found = document(scan("--nodes", nodes, "-o", "json"))
    assert {one["state"] for one in found["workloads"]} == {"blocked"}
    assert not cluster.count("list nodes")
    asked = len(registry.log)
    assert document(scan("--nodes", nodes, "--offline", "-o", "json")) == found
    assert len(registry.log) == asked
    empty = document(scan("--offline", "--cache-dir", tmp_path / "elsewhere", "-o", "json"))
    assert {one["state"] for one in empty["workloads"]} == {"unknown"}


def test_as_html_it_is_the_same_survey(scan: Scan, cluster: ApiServer):
    a_shop(cluster)
    ran = scan("--target", "linux/arm64", "-o", "html")
    assert ran.code == 0
    assert ran.out.lower().startswith("<!doctype html>")
    assert APP in re.sub("<[^>]*>", "", ran.out)


def test_a_run_that_takes_too_long(scan: Scan, cluster: ApiServer, registry: Registry):
    put(cluster, deployment("web"), deployment("api", BOTH), deployment("tool", TOOL))
    registry.push("team/tool", single("linux/arm64"), "2")
    registry.faults += [RegistryFault(at="*/1.4", delay=30), RegistryFault(at="*/team/tool/tags/list", delay=30)]
    ran = scan("--timeout", "1s", "--target", "linux/arm64", "--suggest", "-o", "json")
    assert (ran.code, ran.err.splitlines()) == (
        0,
        [
            f"podgate: no other tags are known of {TOOL}: timeout",
            "podgate: 1 image could not be looked up in time (--timeout)",
        ],
    )
    states = {one["name"]: one["state"] for one in document(ran)["workloads"]}
    assert states == {"web": "unknown", "api": "ready", "tool": "blocked"}


def test_a_cluster_that_cannot_be_listed_in_time_is_not_shown_in_part(scan: Scan, cluster: ApiServer):
    a_shop(cluster)
    cluster.gate.clear()
    ran = scan("--timeout", "300ms")
    told = "podgate: the cluster's objects could not be listed within --timeout\n"
    assert (ran.code, ran.out, ran.err) == (2, "", told)


def test_owned_things_are_never_passed_over(scan: Scan, cluster: ApiServer):
    """What the webhook leaves alone for its owner's sake has to be migrated too: an operator's StatefulSet."""
    database = named("db.example/v1", "Postgres", "orders")
    keeper = {**named("apps/v1", "StatefulSet", "orders-0"), "spec": {"template": template()}}
    put(cluster, owned(keeper, database), *pods_of(keeper, 1))
    found = document(scan("--target", "linux/arm64", "-o", "json"))
    assert [(one["kind"], one["name"], one["replicas"], one["state"]) for one in found["workloads"]] == [
        ("Postgres", "orders", 1, "blocked")
    ]


def test_kinds_that_settings_name(scan: Scan, cluster: ApiServer, settings: Path):
    """Listed in the version that the API server prefers; a kind that it does not serve leaves the scan incomplete."""
    kinds = [{"group": "argoproj.io", "resource": "rollouts"}, {"group": "nobody.example", "resource": "things"}]
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "kinds": kinds[:1]}))
    rollout = {**named("argoproj.io/v1", "Rollout", "web"), "spec": {"template": template()}}
    first, idle = replica_set(rollout), {**named("argoproj.io/v1", "Rollout", "idle"), "spec": {"template": template()}}
    put(cluster, rollout, first, *pods_of(first, 2), idle)
    ran = scan("--target", "linux/arm64", "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    assert [(one["kind"], one["name"], one["replicas"], one["state"]) for one in document(ran)["workloads"]] == [
        ("Rollout", "idle", 0, "blocked"),
        ("Rollout", "web", 2, "blocked"),
    ]
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "kinds": kinds}))
    ran = scan("--target", "linux/arm64")
    assert (ran.code, ran.err) == (2, "podgate: kind things.nobody.example: its API group is not served\n")
