"""The chart in a real cluster, by the real helm: install, upgrade, rollback, uninstall, and podgate with its rights."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.harness.cluster import Cluster, Result
from tests.e2e.harness.components import Components
from tests.e2e.harness.controlplane import HOST, ControlPlane
from tests.e2e.harness.helm import CHART, Helm
from tests.e2e.harness.podgate import (
    ROOT,
    Names,
    Podgate,
    lead_here,
    pod,
    podgate_settings,
    wait_for_node,
    wait_until_called,
)
from tests.e2e.harness.processes import Process, bare_environment, wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, verdict
from tests.support import images

NAMESPACE = "guard"
RELEASE = "gate"
FULL = f"{RELEASE}-podgate"
NAMES = Names(NAMESPACE, FULL, FULL, FULL)
NO_CHECK = {"check": {"enabled": False}}
PEM = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"

PASSING = {"events", "events.events.k8s.io", "leases.coordination.k8s.io"}
"""Kinds of which the control plane makes objects at any time; the chart's Lease is looked at by its name."""


@pytest.fixture(scope="module")
def cluster(components: Components, tmp_path_factory: pytest.TempPathFactory, watch) -> Iterator[Cluster]:
    """A control plane of this module's own, in which nothing has been installed yet."""
    control_plane = ControlPlane(components, tmp_path_factory.mktemp("chart"))
    watch(lambda: control_plane.processes)
    control_plane.start()
    try:
        cluster = Cluster(components, control_plane)
        cluster.must("create", "namespace", NAMESPACE)
        cluster.must("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        yield cluster
    finally:
        control_plane.stop()


@pytest.fixture(scope="module")
def helm(components: Components, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The real helm, as the cluster's administrator."""
    return Helm(components.helm, tmp_path_factory.mktemp("helm"), cluster.control_plane.kubeconfigs["admin"])


@pytest.fixture
def untouched(cluster: Cluster, helm: Helm) -> Iterator[None]:
    """Whatever the test installs it has to take away again, to the last object."""
    wait_until("other tests' namespaces to be gone", lambda: not ending(cluster), 30)
    before = everything(cluster)
    yield
    helm("uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found", "--wait")
    wait_until("all to be as before", lambda: _Difference(everything(cluster) ^ before), 30)
    assert cluster.kubectl("get", "lease", f"{FULL}-tls-self", "-n", NAMESPACE).code == 1


def ending(cluster: Cluster) -> list[str]:
    """Namespaces that are being deleted."""
    namespaces = cluster.get("namespaces")["items"]
    return [one["metadata"]["name"] for one in namespaces if "deletionTimestamp" in one["metadata"]]


class _Difference(frozenset[tuple[str, str, str]]):
    """Objects that came or went; true where there are none, so that what is waited for is shown in full."""

    def __bool__(self) -> bool:
        return not len(self)


def everything(cluster: Cluster) -> set[tuple[str, str, str]]:
    """All objects of all kinds: kind, namespace, name."""
    kinds = set(cluster.must("api-resources", "--verbs=list", "-o", "name").split()) - PASSING
    items = cluster.get(",".join(sorted(kinds)), "-A", "--ignore-not-found")["items"]
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in items}


def install(helm: Helm, values: dict[str, Any], verb: str = "install") -> str:
    return helm.must(verb, RELEASE, CHART, "-n", NAMESPACE, "--timeout", "60s", values=values)


def configuration(cluster: Cluster) -> Any:
    """The one webhook of the chart's configuration, as it is stored."""
    (webhook,) = cluster.get("validatingwebhookconfiguration", FULL)["webhooks"]
    return webhook


def as_podgate(cluster: Cluster, *arguments: str, stdin: Any = None) -> str:
    """A kubectl with the token of the ServiceAccount that the chart made."""
    kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, FULL)
    return cluster.must(*arguments, "-n", NAMESPACE, stdin=stdin, kubeconfig=kubeconfig)


def test_install_upgrade_rollback_and_uninstall_leave_what_podgate_wrote_and_then_nothing(
    cluster: Cluster, helm: Helm, untouched
):
    notes = install(helm, NO_CHECK)
    assert f"runs as {FULL} in namespace {NAMESPACE}, in mode warn" in notes
    assert "--set settings.mode=deny" in notes
    assert "\n  podgate scan\n" in notes
    assert "caBundle" not in configuration(cluster)["clientConfig"]
    # What podgate does in this mode, with the rights that it has been given.
    secret = cluster.get("secret", f"{FULL}-tls-self", "-n", NAMESPACE)
    as_podgate(cluster, "replace", "-f", "-", stdin={**secret, "data": {"tls.crt": "YQ==", "tls.key": "Yg=="}})
    lease = cluster.get("lease", f"{FULL}-tls-self", "-n", NAMESPACE)
    as_podgate(cluster, "replace", "-f", "-", stdin={**lease, "spec": {"holderIdentity": "a"}})
    bundle = base64.b64encode(PEM.encode()).decode()
    patch = json.dumps([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}])
    as_podgate(cluster, "patch", "validatingwebhookconfiguration", FULL, "--type=json", "-p", patch)

    def kept() -> None:
        assert configuration(cluster)["clientConfig"]["caBundle"] == bundle
        assert cluster.get("secret", f"{FULL}-tls-self", "-n", NAMESPACE)["data"]["tls.key"] == "Yg=="
        assert cluster.get("lease", f"{FULL}-tls-self", "-n", NAMESPACE)["spec"]["holderIdentity"] == "a"

    changed = {"replicaCount": 3, "settings": {"mode": "deny"}, "webhook": {"timeoutSeconds": 7}}
    install(helm, {**NO_CHECK, **changed}, "upgrade")
    kept()
    assert state(cluster) == (3, "deny", 7)
    # What the notes say: the one value changes, and those that were given stay.
    words = ("--reset-then-reuse-values", "--set", "settings.mode=audit")
    assert " ".join(words[:2]) in notes
    helm.must("upgrade", RELEASE, CHART, "-n", NAMESPACE, *words)
    kept()
    assert state(cluster) == (3, "audit", 7)
    helm.must("rollback", RELEASE, "1", "-n", NAMESPACE)
    kept()
    assert state(cluster) == (2, "warn", 10)
    helm.must("uninstall", RELEASE, "-n", NAMESPACE, "--wait")


def state(cluster: Cluster) -> tuple[int, str, int]:
    """Replicas, mode, and the webhook's timeout."""
    settings = yaml.safe_load(cluster.get("configmap", FULL, "-n", NAMESPACE)["data"]["settings.yaml"])
    replicas = cluster.get("deployment", FULL, "-n", NAMESPACE)["spec"]["replicas"]
    return replicas, settings["mode"], configuration(cluster)["timeoutSeconds"]


def test_the_pods_pass_pod_security_and_both_come(cluster: Cluster, helm: Helm, untouched):
    install(helm, NO_CHECK)
    words = ("get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=webhook", "-o", "name")
    wait_until("both replicas", lambda: len(cluster.must(*words).split()) == 2, 30)


CAN = {
    "get secrets/any -n team": {"cluster"},
    "get secrets/any -n listed": {"cluster", "namespaces"},
    "list secrets -n listed": set(),
    "watch secrets -n listed": set(),
    f"get secrets/{FULL}-tls-self -n {NAMESPACE}": {"cluster", "namespaces", "none"},
    f"update secrets/{FULL}-tls-self -n {NAMESPACE}": {"cluster", "namespaces", "none"},
    f"update secrets/other -n {NAMESPACE}": set(),
    f"create secrets -n {NAMESPACE}": set(),
    f"update leases.coordination.k8s.io/{FULL}-tls-self -n {NAMESPACE}": {"cluster", "namespaces", "none"},
    f"update leases.coordination.k8s.io/other -n {NAMESPACE}": set(),
    f"patch validatingwebhookconfigurations.admissionregistration.k8s.io/{FULL}": {"cluster", "namespaces", "none"},
    "patch validatingwebhookconfigurations.admissionregistration.k8s.io/other": set(),
    f"update validatingwebhookconfigurations.admissionregistration.k8s.io/{FULL}": set(),
    f"delete validatingwebhookconfigurations.admissionregistration.k8s.io/{FULL}": set(),
    "list nodes": {"cluster", "namespaces", "none"},
    "get nodes": set(),
    "get namespaces": {"cluster", "namespaces", "none"},
    "get pods -n team": set(),
    "create pods -n team": set(),
    "create events -n team": {"cluster", "namespaces", "none"},
    "update events -n team": set(),
    "get serviceaccounts -n team": {"cluster", "namespaces", "none"},
    "list serviceaccounts -n team": set(),
}
"""What podgate may, by the scopes of rbac.pullSecrets in which it may."""


@pytest.mark.parametrize("scope", ["cluster", "namespaces", "none"])
def test_rights_are_the_least_for_each_scope_of_pull_secrets(cluster: Cluster, helm: Helm, scope: str):
    with cluster.namespace("listed") as listed:
        namespaces = [listed] if scope == "namespaces" else []
        install(helm, {**NO_CHECK, "rbac": {"pullSecrets": {"scope": scope, "namespaces": namespaces}}})
        try:
            found = allowed(cluster, (right.replace("-n listed", f"-n {listed}") for right in CAN))
            may = {right for right, scopes in CAN.items() if scope in scopes}
            assert found == {right.replace("-n listed", f"-n {listed}") for right in may}
        finally:
            helm.must("uninstall", RELEASE, "-n", NAMESPACE, "--wait")


def allowed(cluster: Cluster, rights: Iterable[str]) -> set[str]:
    """Those of some rights that podgate has, as the API server's authorizer sees it."""
    asked = sorted(rights)
    head = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    everything_asked = {"apiVersion": "v1", "kind": "List", "items": [{**head, "spec": review(each)} for each in asked]}
    form = 'jsonpath={.status.allowed}{"\\n"}'
    answers = cluster.must("create", "-f", "-", "-o", form, stdin=everything_asked).split()
    return {right for right, answer in zip(asked, answers, strict=True) if answer == "true"}


def review(right: str) -> dict[str, Any]:
    """What is asked for, by `verb resource[.group][/name] [-n namespace]`, of podgate's ServiceAccount."""
    verb, what, *rest = right.split()
    plural, _, name = what.partition("/")
    resource, _, group = plural.partition(".")
    attributes = {
        "verb": verb,
        "resource": resource,
        "group": group,
        "name": name,
        "namespace": rest[1] if rest else "",
    }
    return {"user": f"system:serviceaccount:{NAMESPACE}:{FULL}", "resourceAttributes": attributes}


NO_PODS = {"replicaCount": 0}
"""A process beside the cluster is the one replica."""


@pytest.fixture
def served(
    request: pytest.FixtureRequest, cluster: Cluster, helm: Helm, untouched, tmp_path: Path
) -> Iterator[tuple[Podgate, dict[str, Any]]]:
    """podgate with the settings and the ServiceAccount of an installed chart, called by its configuration; the values.

    The Service leads to this machine, and nothing else of the chart is changed.
    """
    certificates: dict[str, Any] = {"mode": request.param}
    if request.param == "existingSecret":
        authority = cluster.control_plane.authority.file.read_text()
        certificates["existingSecret"] = {"name": "of-the-tests", "caBundle": authority}
    values = {**NO_CHECK, **NO_PODS, "certificates": certificates, "settings": {"mode": "deny"}}
    install(helm, values)
    settings = yaml.safe_load(cluster.get("configmap", FULL, "-n", NAMESPACE)["data"]["settings.yaml"])
    allowed = podgate_settings()["registries"]
    podgate = Podgate(cluster, tmp_path, {**settings, "registries": {**settings["registries"], **allowed}}, NAMES)
    try:
        podgate.start()
        lead_here(cluster, NAMES)
        values = {**values, "service": {"port": podgate.port}}
        install(helm, values, "upgrade")
        wait_until_called(cluster, NAMES)
        yield podgate, values
    finally:
        podgate.kill()


@pytest.mark.parametrize("served", ["existingSecret", "selfManaged"], indirect=True)
def test_podgate_works_with_the_rights_and_the_configuration_of_the_chart(
    cluster: Cluster, helm: Helm, registry: Registry, served: tuple[Podgate, dict[str, Any]]
):
    podgate, _ = served
    nodes = {"amd-1": "linux/amd64", "arm-1": "linux/arm64"}
    for name, platform in nodes.items():
        cluster.add_node(name, platform)
    try:
        for name in nodes:
            wait_for_node(cluster, name)
        registry.push("chart/app", images.multi("linux/amd64"), "1.0")
        image = f"{registry.host}/chart/app:1.0"
        bad = pod("web", image, nodeSelector={"kubernetes.io/arch": "arm64"})
        with cluster.namespace("judged") as namespace:
            assert create(cluster, namespace, bad).decision == "deny"
            assert create(cluster, namespace, pod("web", image)).decision == "warn"
            wait_until("the Event", lambda: 'podgate_events_total{result="written"} 1.0' in podgate.metrics(), 30)
        try_a_denial(cluster, helm.must("get", "notes", RELEASE, "-n", NAMESPACE))
        # The configuration keeps podgate from being asked about its own namespace and the cluster's.
        for exempt in (NAMESPACE, "kube-system"):
            result = cluster.kubectl("create", "--dry-run=server", "-n", exempt, "-f", "-", stdin=bad)
            assert "podgate" not in result.stderr.replace("podgate-e2e", "")
        assert podgate.decided(NAMESPACE) == podgate.decided("kube-system") == []
        assert [line for line in podgate.log_lines() if "forbidden" in json.dumps(line).lower()] == []
    finally:
        for name in nodes:
            cluster.remove_node(name)


def try_a_denial(cluster: Cluster, notes: str) -> None:
    """Does what the notes say, as they say it."""
    paragraph = notes.split("\n\n")[2].replace("|\n", "|")
    create_it, label_it, try_it, delete_it = (line.strip() for line in paragraph.splitlines())
    shell(cluster, f"{create_it} && {label_it}", expected=0)
    account = ("get", "serviceaccount", "default", "-n", "podgate-try")
    wait_until("the namespace's ServiceAccount", lambda: cluster.kubectl(*account).code == 0, 30)
    denied = verdict(Result(1, "", shell(cluster, try_it, expected=1)))
    assert denied.decision == "deny"
    assert "Not/Valid" in denied.text
    shell(cluster, delete_it, expected=0)


def shell(cluster: Cluster, text: str, expected: int) -> str:
    """Runs a line of a shell's; what it says on standard error."""
    done = subprocess.run(
        ["sh", "-c", text], env=cluster.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == expected, done.stderr
    return done.stderr


def create(cluster: Cluster, namespace: str, obj: Any) -> Verdict:
    return verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=obj))


def ready(cluster: Cluster, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What the check's Job runs, with the token of its ServiceAccount, here where the Service's name means nothing."""
    spec = cluster.get("job", f"{FULL}-check", "-n", NAMESPACE)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, spec["serviceAccountName"])
    environment = bare_environment(folder / "check", KUBECONFIG=str(kubeconfig), PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "webhook", *container["args"], *more]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def wait_for_the_check(cluster: Cluster) -> None:
    words = ("get", "job", f"{FULL}-check", "-n", NAMESPACE)
    wait_until("the check's Job", lambda: cluster.kubectl(*words).code == 0, 30)


def end_the_check(cluster: Cluster, phase: str) -> None:
    """Says of the Job's pod what a kubelet would."""
    words = ("pods", "-n", NAMESPACE, "-l", f"batch.kubernetes.io/job-name={FULL}-check")
    (name,) = wait_until("the check's pod", lambda: cluster.must("get", *words, "-o", "name").split(), 30)
    patch = json.dumps({"status": {"phase": phase}})
    cluster.must("patch", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)


def ended(helm_process: Process) -> int:
    wait_until("helm to end", lambda: not helm_process.running(), 60)
    return helm_process.stop()


@pytest.mark.parametrize("served", ["selfManaged"], indirect=True)
def test_the_check_after_an_upgrade_and_as_a_test_calls_the_webhook(
    cluster: Cluster, helm: Helm, served: tuple[Podgate, dict[str, Any]], tmp_path: Path
):
    podgate, values = served
    values = {**values, "check": {"timeoutSeconds": 2}}
    for verb in ("upgrade", "test"):
        arguments = [verb, RELEASE, *([CHART] if verb == "upgrade" else []), "-n", NAMESPACE]
        running = helm.begin(*arguments, values=values if verb == "upgrade" else None)
        wait_for_the_check(cluster)
        done = ready(cluster, tmp_path, "--address", f"{HOST}:{podgate.port}")
        assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr
        assert running.running()
        end_the_check(cluster, "Succeeded")
        assert ended(running) == 0, running.tail()
        assert cluster.kubectl("get", "job", f"{FULL}-check", "-n", NAMESPACE).code == 1
    # Nobody answers: Helm calls the upgrade failed, and of the Job nothing is left.
    podgate.kill()
    running = helm.begin("upgrade", RELEASE, CHART, "-n", NAMESPACE, values=values)
    wait_for_the_check(cluster)
    done = ready(cluster, tmp_path, "--address", f"{HOST}:{podgate.port}")
    assert done.returncode == 1
    assert "not ready after 2 s: webhook validate.podgate.dev: " in done.stderr
    end_the_check(cluster, "Failed")
    assert ended(running) != 0
    assert "failed" in running.tail()
