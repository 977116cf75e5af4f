"""A registry whose token service is somewhere else: the real one checks what podgate brings from there."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.components import Components
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.registry import LOGIN, Login, Registry
from tests.e2e.harness.tokens import TokenService
from tests.e2e.harness.verdicts import Verdict, verdict
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

SPEC = {"nodeSelector": {"kubernetes.io/arch": "arm64"}, "imagePullSecrets": [{"name": "pull"}]}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenService]:
    service = TokenService(tmp_path_factory.mktemp("tokens"), LOGIN.username, LOGIN.password)
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def token_registry(
    components: Components, tokens: TokenService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    registry = Registry(components, tmp_path_factory.mktemp("token-registry"), login=LOGIN, tokens=tokens)
    registry.start()
    yield registry
    registry.stop()


def create(cluster: Cluster, namespace: str, image: str) -> Verdict:
    return verdict(cluster.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-",
                                   stdin=pod("web", image, **SPEC)))  # fmt: skip


def secret(cluster: Cluster, namespace: str, registry: Registry, login: Login) -> None:
    words = ("create", "secret", "docker-registry", "pull", "-n", namespace, f"--docker-server={registry.host}")
    cluster.must(*words, f"--docker-username={login.username}", f"--docker-password={login.password}")


def test_one_token_for_each_repository_and_the_challenge_is_met_once(
    cluster: Cluster, token_registry: Registry, tokens: TokenService
):
    for repository in ("shop/one", "shop/two"):
        token_registry.push(repository, images.multi("linux/amd64", text=repository), "1")
    token_registry.push("shop/one", images.single("linux/amd64"), "2")
    pushed = len(token_registry.requests())
    with cluster.namespace("tokens") as namespace:
        secret(cluster, namespace, token_registry, LOGIN)
        for image in ("shop/one:1", "shop/one:2", "shop/two:1"):
            decision, text = create(cluster, namespace, f"{token_registry.host}/{image}")
            assert decision == "deny"
            assert "linux/amd64" in text
    assert tokens.asked == [("GET", "repository:shop/one:pull"), ("GET", "repository:shop/two:pull")]
    asked = [line.split() for line in token_registry.requests()[pushed:]]
    assert [(path.split("/")[3], path.split("/")[4], status) for _, path, status in asked] == [
        ("one", "manifests", "401"),
        ("one", "manifests", "200"),
        ("one", "manifests", "200"),
        ("one", "blobs", "200"),
        ("two", "manifests", "200"),
    ]


def test_a_wrong_password_and_none_give_no_token_and_no_knowledge(
    cluster: Cluster, token_registry: Registry, tokens: TokenService
):
    token_registry.push("shop/three", images.multi("linux/amd64"), "1")
    image = f"{token_registry.host}/shop/three:1"
    with cluster.namespace("tokens") as namespace, cluster.namespace("stranger") as stranger:
        secret(cluster, namespace, token_registry, LOGIN)
        assert create(cluster, namespace, image).decision == "deny"
        without = create(cluster, stranger, image)
        secret(cluster, stranger, token_registry, Login(LOGIN.username, "wrong", ""))
        wrong = create(cluster, stranger, image)
        for one in (without, wrong):
            assert one.decision == "warn"
            assert "wants credentials" in one.text
            assert "wrong" not in one.text


def test_an_identity_token_is_exchanged_for_a_token(
    podgate: Podgate, token_registry: Registry, tokens: TokenService, tmp_path: Path
):
    """What `docker login` leaves behind where the token service hands out refresh tokens."""
    token_registry.push("shop/four", images.multi("linux/amd64"), "1")
    nobody = base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode()
    entry = {"auth": nobody, "identitytoken": tokens.refresh_token}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {token_registry.host: entry}}))
    before = len(tokens.asked)
    code, document, complaints = podgate.run_json(
        "inspect", f"{token_registry.host}/shop/four:1", DOCKER_CONFIG=str(tmp_path)
    )
    assert (code, complaints) == (0, "")
    assert document["images"][0]["platforms"] == ["linux/amd64"]
    assert tokens.asked[before:] == [("POST", "repository:shop/four:pull")]
    assert tokens.refresh_token not in json.dumps(document)
