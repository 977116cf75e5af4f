"""Certificates that podgate makes itself, and replicas that come and go: under load, and not one review is lost.

The real API server calls two replicas through a balancer, with failurePolicy Fail. What installs them is the real
`kubectl apply -k`, and what they may do is what manifests/rbac.yaml allows.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.e2e.harness.balancer import Balancer
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.components import Components
from tests.e2e.harness.controlplane import ControlPlane
from tests.e2e.harness.load import Load
from tests.e2e.harness.podgate import NAME, Podgate, install, pod, wait_until_called
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.replicas import Replicas, write_overlay

CONFIGURATION = ("validatingwebhookconfiguration", NAME)
SECRET = "podgate-tls-self"
BAD = pod("web", "Not/Valid")
"""No kubelet pulls it, and no registry is asked."""

BRIEF = {"lifetime": "24s", "caLifetime": "75s", "seenFor": "8s"}
"""A serving certificate is renewed after 16 s, an authority after 50 s."""


@pytest.fixture(scope="module")
def cluster(components: Components, tmp_path_factory: pytest.TempPathFactory, watch: Any) -> Iterator[Cluster]:
    """A control plane of this module's own, with two nodes, in which podgate has never been."""
    control_plane = ControlPlane(components, tmp_path_factory.mktemp("self-managed"))
    watch(lambda: control_plane.processes)
    control_plane.start()
    try:
        cluster = Cluster(components, control_plane)
        cluster.add_node("amd-1", "linux/amd64")
        cluster.add_node("arm-1", "linux/arm64")
        cluster.must("create", "namespace", "loaded")
        yield cluster
    finally:
        control_plane.stop()


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    with Balancer() as running:
        yield running


@pytest.fixture
def overlay(balancer: Balancer, tmp_path: Path) -> Path:
    """manifests/ for this machine."""
    return write_overlay(tmp_path, balancer.port)


@pytest.fixture
def replicas(cluster: Cluster, balancer: Balancer, overlay: Path, tmp_path: Path, watch: Any) -> Iterator[Replicas]:
    """podgate newly installed, without a process; in the end nothing is left."""
    install(cluster, overlay)
    made = Replicas(cluster, tmp_path / "replicas", balancer, watch)
    try:
        yield made
    finally:
        made.kill()
        cluster.must("delete", "-k", overlay, "--wait")


def bundle(cluster: Cluster) -> list[x509.Certificate]:
    """The authorities that the API server trusts."""
    (webhook,) = cluster.get(*CONFIGURATION)["webhooks"]
    text = base64.b64decode(webhook["clientConfig"].get("caBundle", ""))
    return x509.load_pem_x509_certificates(text) if text else []


def secret(cluster: Cluster) -> dict[str, bytes]:
    """What podgate's Secret holds."""
    data = cluster.get("secret", SECRET, "-n", NAME).get("data", {})
    return {key: base64.b64decode(value) for key, value in data.items()}


def leaf(cluster: Cluster) -> x509.Certificate:
    return x509.load_pem_x509_certificate(secret(cluster)["tls.crt"])


def shown(replica: Podgate) -> float:
    """The end of its certificate, by its metric."""
    (line,) = (each for each in replica.metrics().splitlines() if each.startswith("podgate_certificate_expiry"))
    return float(line.split()[-1])


def loaded(replicas: Sequence[Podgate], count: int) -> Callable[[], bool]:
    """Whether each has loaded that many certificates."""
    return lambda: all(
        sum("certificate was loaded" in line["message"] for line in each.log_lines()) >= count for each in replicas
    )


def test_from_nothing_to_a_denial_and_back(cluster: Cluster, replicas: Replicas):
    assert bundle(cluster) == []
    assert secret(cluster) == {}
    before = cluster.get(*CONFIGURATION)
    replicas.start()
    (authority,) = bundle(cluster)
    certificate = leaf(cluster)
    certificate.verify_directly_issued_by(authority)
    assert {shown(each) for each in replicas.all} == {certificate.not_valid_after_utc.timestamp()}
    result = cluster.kubectl("create", "-n", "loaded", "-f", "-", stdin=BAD)
    assert (result.code, "denied the request" in result.stderr) == (1, True)
    assert replicas.complaints() == []
    # Of the configuration podgate has written the bundle, and nothing else.
    after = cluster.get(*CONFIGURATION)
    after["webhooks"][0]["clientConfig"].pop("caBundle")
    assert after["webhooks"] == before["webhooks"]
    managed = cluster.must("get", *CONFIGURATION, "-o", "json", "--show-managed-fields")
    (own,) = (each for each in json.loads(managed)["metadata"]["managedFields"] if each["manager"] == "podgate")
    fields = own["fieldsV1"]["f:webhooks"]
    assert fields == {'k:{"name":"validate.podgate.dev"}': {"f:clientConfig": {"f:caBundle": {}}}}
    # What it does when there is nothing to do: it reads.
    version = cluster.get("secret", SECRET, "-n", NAME)["metadata"]["resourceVersion"]
    time.sleep(7)
    assert cluster.get("secret", SECRET, "-n", NAME)["metadata"]["resourceVersion"] == version


def test_a_bundle_that_is_lost_comes_back(cluster: Cluster, replicas: Replicas):
    replicas.start()
    before = bundle(cluster)
    remove = json.dumps([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}])
    cluster.must("patch", *CONFIGURATION, "--type=json", "-p", remove)
    wait_until("the bundle", lambda: bundle(cluster) == before, 30)
    nonsense = json.dumps([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "bm9uc2Vuc2U="}])
    cluster.must("patch", *CONFIGURATION, "--type=json", "-p", nonsense)
    wait_until("the bundle", lambda: bundle_or_none(cluster) == before, 30)
    wait_until_called(cluster)


def bundle_or_none(cluster: Cluster) -> list[x509.Certificate]:
    try:
        return bundle(cluster)
    except ValueError:
        return []


def test_renewals_of_certificate_and_authority_lose_no_review(cluster: Cluster, replicas: Replicas):
    replicas.start(**BRIEF)
    first = bundle(cluster)
    with Load(cluster, "loaded", BAD) as load:
        wait_until("an authority to follow the first", lambda: bundle(cluster)[0] != first[0], 90)
        assert bundle(cluster)[1:] == first
        newest = bundle(cluster)[0]
        wait_until("a certificate of it", lambda: leaf(cluster).issuer == newest.subject, 60)
        counts = [sum("was loaded" in line["message"] for line in each.log_lines()) for each in replicas.all]
        wait_until("it to be served", loaded(replicas.all, max(counts) + 1), 60)
    assert load.others == []
    assert load.denied > 1000
    assert min(counts) >= 3
    assert replicas.complaints() == []


def test_a_secret_that_is_emptied_is_a_renewal_that_loses_no_review(cluster: Cluster, replicas: Replicas):
    """By the delivered settings: 30 seconds pass between the patch of the bundle and the new certificate."""
    replicas.start()
    first = leaf(cluster)
    with Load(cluster, "loaded", BAD) as load:
        cluster.must("patch", "secret", SECRET, "-n", NAME, "--type=merge", "-p", '{"data": null}')
        wait_until("another authority", lambda: len(bundle(cluster)) == 2, 30)
        begun = time.monotonic()
        wait_until("another certificate", lambda: "tls.crt" in secret(cluster) and leaf(cluster) != first, 60)
        assert time.monotonic() - begun > 25
        wait_until("it to be loaded", loaded(replicas.all, 2), 30)
        load.wait_for_more(100)
    assert load.others == []
    assert load.denied > 500


def test_applied_again_under_load_the_bundle_stays_and_no_review_is_lost(
    cluster: Cluster, replicas: Replicas, overlay: Path
):
    replicas.start()
    before, held = bundle(cluster), secret(cluster)
    with Load(cluster, "loaded", BAD) as load:
        for _ in range(3):
            install(cluster, overlay)
            assert bundle(cluster) == before
            load.wait_for_more(100)
    assert secret(cluster) == held
    assert load.others == []
    assert replicas.complaints() == []


def test_a_rolling_restart_loses_no_review(cluster: Cluster, replicas: Replicas):
    """As a Deployment does it: one more, then one less. What is stopping says first that it is not ready."""
    replicas.start()
    old = list(replicas.running)
    with Load(cluster, "loaded", BAD) as load:
        for each in old:
            replicas.launch()
            replicas.wait_ready(60)
            replicas.end(each)
        load.wait_for_more(100)
    assert load.others == []
    assert load.denied > 500
    answered = sum(len(each.decided("loaded")) for each in replicas.all)
    assert answered >= load.denied
    assert replicas.complaints() == []


RIGHTS = [
    ("role", f"{NAME}-certificates", "secrets", "update", f"Secret {SECRET} cannot be written"),
    ("clusterrole", NAME, "validatingwebhookconfigurations", "get", "webhook configuration"),
    ("clusterrole", NAME, "validatingwebhookconfigurations", "patch", "caBundle cannot be written"),
]


@pytest.mark.parametrize(("kind", "name", "resource", "verb", "told"), RIGHTS, ids=lambda value: value.split()[0])
def test_a_right_that_is_taken_away_is_named_in_the_log(
    cluster: Cluster, replicas: Replicas, overlay: Path, kind: str, name: str, resource: str, verb: str, told: str
):
    where = ("-n", NAME) if kind == "role" else ()
    rules = [
        {**rule, "verbs": [each for each in rule["verbs"] if (each, rule["resources"]) != (verb, [resource])]}
        for rule in cluster.get(kind, name, *where)["rules"]
    ]
    cluster.must("patch", kind, name, *where, "--type=json", "-p",
                 json.dumps([{"op": "replace", "path": "/rules", "value": rules}]))  # fmt: skip
    replica = replicas.launch()

    def is_told() -> bool:
        return any(told in line["message"] and "forbidden" in line["message"] for line in replica.log_lines())

    wait_until("a word about it in the log", is_told, 30)
    assert bundle(cluster) == []
    install(cluster, overlay)
    wait_until("the certificate that the API server trusts", lambda: bundle(cluster) and replica.ready(), 60)
    wait_until_called(cluster)
