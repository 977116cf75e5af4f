"""What changes beside podgate while it works: its certificate's files, its settings, and an API server that is away.

Two replicas behind a balancer, with certificates that somebody else makes (components/certificate-files), and with
failurePolicy Fail: under load not one review is lost. test_self_managed has the rest: the certificates that podgate
makes itself, and replicas that come and go.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.harness.balancer import Balancer
from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.components import Components
from tests.e2e.harness.controlplane import ControlPlane
from tests.e2e.harness.gobuild import say_on_stderr
from tests.e2e.harness.load import Load
from tests.e2e.harness.podgate import NAME, Podgate, install, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.replicas import Replicas, write_overlay
from tests.e2e.harness.verdicts import DENIED
from tests.e2e.harness.workloads import workload
from tests.support import images

LOADED = "loaded"
"""The namespace of the load: its label says deny, whatever settings say."""
PLAIN = "plain"

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
AMD = {"nodeSelector": {"kubernetes.io/arch": "amd64"}}

FROZEN_SECONDS = 35
"""What podgate has read of a secret counts for 30 s without a question. The rest is time in which it asks in vain."""
GONE_SECONDS = 25

Aloud = Callable[[], AbstractContextManager[None]]
Answers = Mapping[str, tuple[bool, bool]]


@pytest.fixture(scope="module")
def cluster(components: Components, tmp_path_factory: pytest.TempPathFactory, watch: Any) -> Iterator[Cluster]:
    """A control plane of this module's own, whose API server may be stopped, with two nodes."""
    control_plane = ControlPlane(components, tmp_path_factory.mktemp("availability"))
    watch(lambda: control_plane.processes)
    control_plane.start()
    try:
        cluster = Cluster(components, control_plane)
        cluster.add_node("amd-1", "linux/amd64")
        cluster.add_node("arm-1", "linux/arm64")
        for name in (LOADED, PLAIN):
            cluster.must("create", "namespace", name)
        cluster.must("label", "namespace", LOADED, "podgate.dev/mode=deny")
        yield cluster
    finally:
        control_plane.stop()


@pytest.fixture
def replicas(cluster: Cluster, tmp_path: Path, watch: Any) -> Iterator[Replicas]:
    """Two that are ready and called, with certificates of the control plane's authority."""
    with Balancer() as balancer:
        authority = cluster.control_plane.authority.file.read_bytes()
        install(cluster, write_overlay(tmp_path, balancer.port, authority, ["certificate-files"]))
        made = Replicas(cluster, tmp_path / "replicas", balancer, watch)
        try:
            made.start(mode="files")
            yield made
        finally:
            made.kill()


@pytest.fixture(scope="module")
def image(registry: Registry) -> str:
    """An image for amd64 alone."""
    registry.push("availability/app", images.multi("linux/amd64"), "1.0")
    return f"{registry.host}/availability/app:1.0"


@pytest.fixture
def under_load(cluster: Cluster, image: str, aloud: Aloud) -> Callable[[], AbstractContextManager[Load]]:
    """Creates pods all the while that are denied; at the end none may have been lost."""

    @contextmanager
    def loaded() -> Iterator[Load]:
        with Load(cluster, LOADED, pod("web", image, **ARM)) as load:
            load.wait_for_more(100)
            yield load
            load.wait_for_more(100)
        with aloud():
            say_on_stderr(load.summary())
        assert load.others == []

    return loaded


def said(replica: Podgate, words: str) -> int:
    """How often its log has had these words."""
    return sum(words in line["message"] for line in replica.log_lines())


def trust(cluster: Cluster, ca: bytes, mark: str) -> None:
    """Changes the caBundle, and waits until the API server goes by it."""
    # What it goes by is seen of a change that comes with it: pods with this label are not judged any more.
    unmarked = {"matchExpressions": [{"key": "mark", "operator": "NotIn", "values": [mark]}]}
    operations = [
        {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": base64.b64encode(ca).decode()},
        {"op": "add", "path": "/webhooks/0/objectSelector", "value": unmarked},
    ]
    probe = pod("probe", "Not/Valid")
    probe["metadata"]["labels"] = {"mark": mark}
    path = f"/api/v1/namespaces/{LOADED}/pods?dryRun=All"
    assert cluster.call("POST", path, probe).json()["message"].startswith(DENIED)
    cluster.must("patch", "validatingwebhookconfiguration", NAME, "--type=json", "-p", json.dumps(operations))
    wait_until("the change to be seen", lambda: cluster.call("POST", path, probe).is_success, 30)


def test_certificates_and_an_authority_that_are_replaced_lose_no_review(
    cluster: Cluster, replicas: Replicas, under_load: Any, tmp_path: Path
):
    """By files, as a kubelet turns a Secret's volume; the authority by a bundle of both in between."""
    old, new = cluster.control_plane.authority, Authority(tmp_path / "new", "another authority")
    loaded, kept = "the serving certificate was loaded again", "the serving certificate stays as it was"
    asked = pod("web", "Not/Valid")
    with under_load() as load:
        for each in replicas.running:
            each.show_no_pair(old)
        wait_until("it to be refused", lambda: all(said(each, kept) for each in replicas.running), 30)
        for each in replicas.running:
            each.show_certificate(old)
        wait_until("a certificate to be loaded", lambda: all(said(each, loaded) for each in replicas.running), 30)
        trust(cluster, old.file.read_bytes() + new.file.read_bytes(), "both")
        load.wait_for_more(100)
        for each in replicas.running:
            each.show_certificate(new)
        wait_until("the next to be loaded", lambda: all(said(each, loaded) == 2 for each in replicas.running), 30)
        for each in replicas.running:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                each.ask(asked, LOADED)
            each.ca = new.file.read_bytes()
            assert not each.ask(asked, LOADED)["allowed"]
        trust(cluster, new.file.read_bytes(), "new")
        load.wait_for_more(100)
    assert [line for line in replicas.complaints() if kept not in line["message"]] == []
    assert all(each.decided(LOADED, "web") for each in replicas.running)


def reloads(replica: Podgate, result: str) -> float:
    """How often settings were applied, or refused, since its start."""
    head = f'podgate_settings_reloads_total{{result="{result}"}}'
    return sum(float(line.split()[-1]) for line in replica.metrics().splitlines() if line.startswith(head))


def show(replicas: Replicas, settings: Mapping[str, Any], result: str = "applied") -> None:
    """Shows all replicas these settings beside those that they began with, until each has applied or refused them."""
    wanted = {each.folder: reloads(each, result) + 1 for each in replicas.running}
    for each in replicas.running:
        each.show_settings({**each.settings, **settings})
    wait_until(result, lambda: all(reloads(each, result) == wanted[each.folder] for each in replicas.running), 30)


def test_settings_that_change_lose_no_review(cluster: Cluster, replicas: Replicas, under_load: Any, image: str):
    def verdict() -> str:
        answer = cluster.call("POST", f"/api/v1/namespaces/{PLAIN}/pods?dryRun=All", pod("web", image, **ARM))
        if not answer.is_success:
            assert answer.json()["message"].startswith(DENIED), answer.text
            return "deny"
        return "warn" if "Warning" in answer.headers else "allow"

    wait_until("a first denial", lambda: verdict() == "deny", 30)
    registries = replicas.running[0].settings["registries"]
    with under_load() as load:
        show(replicas, {"mode": "warn", "deadlineMargin": "2s", "log": {"level": "debug"}})
        assert [verdict() for _ in range(4)] == ["warn"] * 4
        # Another registry client, and a cache of another size.
        other = {**registries, "requestTimeout": "3s", "concurrencyPerHost": 8, "deniedAddresses": ["192.0.2.0/24"]}
        show(replicas, {"registries": other, "cache": {"maxBytes": "8Mi"}})
        load.wait_for_more(100)
        show(replicas, {"mode": "off", "registrys": {}}, "refused")
        assert [verdict() for _ in range(4)] == ["warn"] * 4
        for each in replicas.running:
            each.settings = {key: value for key, value in each.settings.items() if key != "registrys"}
        show(
            replicas, {"mode": "deny", "kinds": [{"group": "example.dev", "resource": "apps", "podTemplate": ".spec"}]}
        )
        assert [verdict() for _ in range(4)] == ["deny"] * 4
    expected = ("the settings stay as they were", "settings that count from the next start on have changed: kinds")
    complaints = [line["message"] for line in replicas.complaints()]
    assert [each for each in complaints if not each.startswith(expected)] == []
    assert len(complaints) == 2 * len(replicas.running)


@pytest.fixture
def private_image(cluster: Cluster, private_registry: Registry) -> str:
    """An image for amd64 alone that wants a login. PLAIN has the secret `pull` for it, which the default ServiceAccount
    names, and `unread`, which says the same."""
    private_registry.push("availability/private", images.multi("linux/amd64"), "1.0")
    content = private_registry.docker_config()
    for name in ("pull", "unread"):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
                  "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": content}}  # fmt: skip
        cluster.must("create", "-n", PLAIN, "-f", "-", stdin=secret)
    named = json.dumps({"imagePullSecrets": [{"name": "pull"}]})
    cluster.must("patch", "serviceaccount", "default", "-n", PLAIN, "-p", named)
    return f"{private_registry.host}/availability/private:1.0"


def test_an_api_server_that_is_away_for_a_minute(
    cluster: Cluster, replicas: Replicas, under_load: Any, image: str, private_image: str
):
    """At first it is there and says nothing, then there is none."""
    pull, unread = ({"imagePullSecrets": [{"name": name}]} for name in ("pull", "unread"))
    known = {
        "denied": pod("denied", image, **ARM),
        "allowed": pod("allowed", image, **AMD),
        "private": pod("private", private_image, **ARM, **pull),
        "template": workload("Deployment", "template", private_image, **ARM),
    }
    before = {"denied": (False, False), "allowed": (True, False), "private": (False, False), "template": (False, False)}
    assert all(answers(each, known) == before for each in replicas.running)
    asked = {**known, "unread": pod("unread", private_image, **ARM, **unread)}
    away, back = {**before, "unread": (True, True)}, {**before, "unread": (False, False)}
    rounds = 0
    begun = time.monotonic()
    cluster.control_plane.freeze_api_server()
    with ThreadPoolExecutor(len(replicas.running)) as threads:
        gone = False
        while (passed := time.monotonic() - begun) < FROZEN_SECONDS + GONE_SECONDS:
            if passed > FROZEN_SECONDS and not gone:
                cluster.control_plane.kill_api_server()
                gone = True
            for found in threads.map(lambda each: answers(each, asked), replicas.running):
                assert found == away, f"after {passed:.0f} s"
            assert all(each.ready() for each in replicas.running)
            rounds += 1
            time.sleep(0.5)
    assert gone
    assert rounds > 10
    cluster.control_plane.restart_api_server()
    cluster.add_node("arm-2", "linux/arm64")
    running = replicas.running
    wait_until("the new node to be known", lambda: all(knows(each, "arm-2") for each in running), 60)
    wait_until("a secret to be read", lambda: all(answers(each, asked) == back for each in running), 30)
    with under_load() as load:
        cluster.remove_node("arm-2")
        wait_until("it to be forgotten", lambda: not any(knows(each, "arm-2") for each in running), 30)
        load.wait_for_more(300)
    expected = ("Cannot watch ", "the pull secrets of namespace plain could not be read")
    assert [line for line in replicas.complaints() if not line["message"].startswith(expected)] == []


def answers(replica: Podgate, asked: Mapping[str, Any]) -> Answers:
    """Of each object, which are asked about at once: whether it is allowed, and whether with warnings."""
    with ThreadPoolExecutor(len(asked)) as threads:
        found = threads.map(lambda obj: replica.ask(obj, PLAIN), asked.values())
        return {name: (each["allowed"], bool(each.get("warnings"))) for name, each in zip(asked, found, strict=True)}


def knows(replica: Podgate, node: str) -> bool:
    """Whether it denies for a node what fails on every node."""
    probe = pod("probe", "Not/Valid", nodeSelector={"kubernetes.io/hostname": node})
    return not replica.ask(probe, PLAIN)["allowed"]
