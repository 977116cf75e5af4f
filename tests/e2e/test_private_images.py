"""Images that want a login: whose credentials count, what is said of those that do not, and who learns nothing."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.registry import LOGIN, Login, Registry
from tests.e2e.harness.verdicts import Verdict, annotations, verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
PULL = {"imagePullSecrets": [{"name": "pull"}]}
JSON, LEGACY = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"), ("kubernetes.io/dockercfg", ".dockercfg")
MARK = "planted-content"
# What the API server stores, and no kubelet reads.
MALFORMED: dict[str, tuple[tuple[str, str], Any]] = {
    "auth": (JSON, {"auths": {"reg.example": {"auth": MARK}}}),
    "no-colon": (JSON, {"auths": {"reg.example": {"auth": base64.b64encode(MARK.encode()).decode()}}}),
    "list": (JSON, {"auths": [MARK]}),
    "legacy": (LEGACY, {"reg.example": MARK}),
}


@pytest.fixture(scope="module")
def image(private_registry: Registry) -> str:
    """An image for amd64 that wants a login."""
    private_registry.push("shop/private", images.multi("linux/amd64"), "1.0")
    return f"{private_registry.host}/shop/private:1.0"


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace("private") as name:
        yield name


def create(cluster: Cluster, namespace: str, obj: Any) -> Verdict:
    """podgate's word on an object, which is not kept."""
    return verdict(cluster.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=obj))


def secret(cluster: Cluster, namespace: str, content: Any, form: tuple[str, str] = JSON, name: str = "pull") -> None:
    """A pull secret with any content, there already or not."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": form[0]}
    stored = {**body, "stringData": {form[1]: json.dumps(content)}}
    cluster.must("apply", "-n", namespace, "-f", "-", stdin=stored)


def said_somewhere(cluster: Cluster, podgate: Podgate, secret: str) -> bool:
    """Whether podgate's log, its metrics or the API server's audit log hold a secret, as it is or in base64."""
    texts = (json.dumps(podgate.log_lines()), podgate.metrics(), cluster.control_plane.audit_log.read_text())
    forms = (secret, base64.b64encode(secret.encode()).decode())
    return any(form in text for form in forms for text in texts)


def login_of(registry: Registry, login: Login = LOGIN) -> dict[str, Any]:
    """The content of a .dockercfg, and of the `auths` of a .dockerconfigjson."""
    return {registry.host: {"username": login.username, "password": login.password}}


@pytest.mark.parametrize("form", [JSON, LEGACY], ids=["json", "legacy"])
def test_both_forms_of_a_pull_secret_are_read(
    cluster: Cluster, namespace: str, private_registry: Registry, image: str, form: tuple[str, str]
):
    content = login_of(private_registry)
    secret(cluster, namespace, {"auths": content} if form is JSON else content, form)
    for kind in ("Pod", "Deployment"):
        decision, text = create(cluster, namespace, workload(kind, "web", image, **ARM, **PULL))
        assert decision == "deny"
        assert f"image {image} is for linux/amd64" in text


@pytest.mark.parametrize("content", MALFORMED)
def test_a_malformed_pull_secret_is_named_and_its_content_is_not(
    cluster: Cluster, podgate: Podgate, namespace: str, private_registry: Registry, image: str, content: str
):
    form, planted = MALFORMED[content]
    secret(cluster, namespace, planted, form, name="bad")
    secret(cluster, namespace, {"auths": login_of(private_registry)}, name="good")
    asked = len(private_registry.requests())
    # The kubelet stops at it, whatever stands beside it.
    for kind, names in (("Pod", ["bad"]), ("Deployment", ["good", "bad"])):
        wanted = {"imagePullSecrets": [{"name": name} for name in names]}
        decision, text = create(cluster, namespace, workload(kind, "web", image, **ARM, **wanted))
        assert decision == "warn"
        for words in (f"secret {namespace}/bad", form[1], "mend the pull secret"):
            assert words in text
        assert MARK not in text
    assert annotations(cluster, namespace, "web") == ("warn", "undetermined")
    assert len(private_registry.requests()) == asked
    assert not said_somewhere(cluster, podgate, MARK)
    # Without it the other one counts.
    wanted = {"imagePullSecrets": [{"name": "good"}]}
    assert create(cluster, namespace, pod("web", image, **ARM, **wanted)).decision == "deny"


def test_a_missing_pull_secret_is_passed_over(cluster: Cluster, namespace: str, private_registry: Registry, image: str):
    secret(cluster, namespace, {"auths": login_of(private_registry)})
    for kind in ("Pod", "Deployment"):
        missing = {"imagePullSecrets": [{"name": "none"}]}
        decision, text = create(cluster, namespace, workload(kind, "web", image, **ARM, **missing))
        assert decision == "warn"
        assert "credentials" in text
        both = {"imagePullSecrets": [{"name": "none"}, {"name": "pull"}]}
        assert create(cluster, namespace, workload(kind, "web", image, **ARM, **both)).decision == "deny"


def test_a_password_that_is_used_or_refused_is_written_down_nowhere(
    cluster: Cluster, podgate: Podgate, namespace: str, private_registry: Registry
):
    refused = Login(LOGIN.username, f"refused-{namespace}", "")
    for number, login in enumerate((refused, LOGIN)):
        # An image of its own each, so that the registry has to be asked.
        repository = f"shop/written-{number}"
        private_registry.push(repository, images.single("linux/amd64"), "1")
        secret(cluster, namespace, {"auths": login_of(private_registry, login)}, name=f"pull-{number}")
        wanted = {"imagePullSecrets": [{"name": f"pull-{number}"}]}
        create(cluster, namespace, pod("web", f"{private_registry.host}/{repository}:1", **ARM, **wanted))
        # The image's name is there, so the look would find more.
        assert said_somewhere(cluster, podgate, repository)
        for text in (login.password, f"{login.username}:{login.password}"):
            assert not said_somewhere(cluster, podgate, text)
    assert [line["decision"] for line in podgate.decided(namespace)] == ["warn", "deny"]


def test_what_a_pod_names_stands_in_place_of_what_its_account_has(
    cluster: Cluster, namespace: str, private_registry: Registry, image: str
):
    secret(cluster, namespace, {"auths": login_of(private_registry)})
    secret(cluster, namespace, {"auths": login_of(private_registry, Login(LOGIN.username, "wrong", ""))}, name="wrong")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"}, **PULL}
    cluster.must("create", "-n", namespace, "-f", "-", stdin=account)
    for kind in ("Pod", "Deployment"):
        spec: dict[str, Any] = {**ARM, "serviceAccountName": "puller"}
        assert create(cluster, namespace, workload(kind, "web", image, **spec)).decision == "deny"
        spec["imagePullSecrets"] = [{"name": "wrong"}]
        assert create(cluster, namespace, workload(kind, "web", image, **spec)).decision == "warn"


def test_podgate_s_own_login_is_lent_to_some_namespaces_and_the_others_learn_nothing(
    cluster: Cluster, podgate: Podgate, private_registry: Registry, image: str
):
    missing = f"{private_registry.host}/shop/none:1.0"
    with cluster.namespace("lent") as lent, cluster.namespace("outside") as outside:
        # Before anybody has seen it, and after.
        for turn, kind in (("before", "Pod"), ("after", "Deployment")):
            told = [create(cluster, outside, workload(kind, "web", one, **ARM)) for one in (image, missing)]
            assert [one.decision for one in told] == ["warn", "warn"]
            # What is there and what is not are told alike.
            assert told[0].text.replace("private:1.0", "none:1.0") == told[1].text
            assert "linux/amd64" not in told[0].text
            if turn == "before":
                decision, text = create(cluster, lent, workload(kind, "web", image, **ARM))
                assert decision == "deny"
                assert f"image {image} is for linux/amd64" in text
                assert "not found" in create(cluster, lent, workload(kind, "web", missing, **ARM)).text
        assert create(cluster, lent, workload("Deployment", "web", image, **ARM)).decision == "deny"
        # Credentials of the pod's own that are refused do not stand in the way.
        secret(cluster, lent, {"auths": login_of(private_registry, Login(LOGIN.username, "wrong", ""))})
        assert create(cluster, lent, pod("web", image, **ARM, **PULL)).decision == "deny"
        for namespace, decision in ((lent, "deny"), (outside, "warn")):
            _, document, _ = podgate.check("--namespace", namespace, "--context", "e2e", stdin=pod("web", image, **ARM))
            assert [one["decision"] for one in document["objects"]] == [decision]


def test_inspect_says_which_credentials_were_taken_and_never_what_they_are(
    podgate: Podgate, private_registry: Registry, image: str, tmp_path: Path
):
    def inspect(*arguments: str, **environment: str) -> tuple[int, Any]:
        code, document, complaints = podgate.run_json("inspect", *arguments, image, **environment)
        assert LOGIN.password not in json.dumps(document) + complaints
        (found,) = document["images"]
        return code, found

    code, outside = inspect()
    assert (code, outside["error"]["code"], outside["answers"]) == (2, "unauthorized", [])
    code, lent = inspect("--namespace", "lent-to-it")
    assert (code, lent["platforms"]) == (0, ["linux/amd64"])
    (tmp_path / "config.json").write_text(private_registry.docker_config())
    code, own = inspect(DOCKER_CONFIG=str(tmp_path))
    assert (code, own["digest"]) == (0, lent["digest"])
    sources = [[answer["credential"] for answer in found["answers"]] for found in (lent, own)]
    assert sources == [["registries.credentials[0].dockerConfigFile"], [str(tmp_path / "config.json")]]
    assert {answer["host"] for answer in own["answers"]} == {private_registry.host}
