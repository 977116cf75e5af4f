"""Where `podgate check` and `inspect` take credentials from, and what they say where something is wrong with them.

The registry is a real one that wants credentials; programs are real programs on the PATH.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Podgate, Ran
from tests.support.images import multi
from tests.support.manifests import REGISTRY, pod, write
from tests.support.programs import Script, answering, provider, provider_config, response
from tests.support.registry import Auth, Registry

USER, WORD, TOKEN = "deploy", "MARKED-password", "MARKED-identity"
Settings = Callable[..., None]


def auths(user: str = USER, word: str = WORD, host: str = REGISTRY) -> dict[str, Any]:
    return {"auths": {host: {"auth": base64.b64encode(f"{user}:{word}".encode()).decode()}}}


def pull_secret(login: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps(login)},
    }


ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "default"},
    "imagePullSecrets": [{"name": "login"}],
}
NAMED = pod(imagePullSecrets=[{"name": "login"}])


@pytest.fixture
def private(registry: Registry) -> Registry:
    registry.auth = Auth(
        users={USER: WORD, "other": "MARKED-other"}, refresh={TOKEN: USER}, may_see={"team/app": [USER]}
    )
    return registry


@pytest.fixture
def docker(private: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the user's docker configuration, which is not there yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("DOCKER_AUTH_CONFIG", raising=False)
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker" / "config.json"


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def set_in(settings: Path) -> Settings:
    """Adds keys below `registries`."""

    def added(**keys: Any) -> None:
        value = json.loads(settings.read_text())
        value["registries"] |= keys
        settings.write_text(json.dumps(value))

    return added


class Check:
    """Runs `check` over objects; no secret is ever shown."""

    def __init__(self, podgate: Podgate, settings: Path, folder: Path) -> None:
        self._podgate = podgate
        self._settings = settings
        self._folder = folder

    def __call__(self, *objects: Any, namespace: str = "default") -> Ran:
        manifests = write(self._folder / "a.yaml", *(objects or (pod(),)))
        arguments = ("-f", manifests, "--target", "linux/amd64", "-n", namespace, "--config", self._settings)
        ran = self._podgate.json(*arguments)
        assert "MARKED" not in ran.out + ran.err
        return ran

    def code(self, *objects: Any, namespace: str = "default") -> str | None:
        """The image's error code; None where it was found, which it takes the right credential for."""
        return code(self(*objects, namespace=namespace))


def code(ran: Ran) -> str | None:
    error = ran.objects["web"]["images"][0]["error"]
    return error and str(error["code"])


@pytest.fixture
def check(podgate: Podgate, settings: Path, docker: Path, tmp_path: Path) -> Check:
    return Check(podgate, settings, tmp_path)


def credential(username: str = USER, secret: str = WORD) -> str:
    return answering(json.dumps({"ServerURL": REGISTRY, "Username": username, "Secret": secret}))


# pull secrets among the documents


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param([pull_secret(auths()), NAMED], None, id="pull secret"),
        pytest.param([NAMED, pull_secret(auths())], None, id="whatever the order"),
        pytest.param([ACCOUNT, pull_secret(auths()), pod()], None, id="service account"),
        pytest.param([pull_secret(auths()), pod()], "denied", id="a secret that nobody names"),
        pytest.param([pull_secret(auths(), "elsewhere"), NAMED], "denied", id="of another namespace"),
        pytest.param([NAMED], "denied", id="missing"),
        pytest.param([pull_secret(auths(word="wrong")), NAMED], "unauthorized", id="wrong"),
        pytest.param([pull_secret(auths("other", "MARKED-other")), NAMED], "denied", id="not allowed"),
        pytest.param(
            [pull_secret({"auths": {REGISTRY: {"auth": "MARKED"}}}), NAMED], "bad-credentials", id="malformed"
        ),
    ],
)
def test_pull_secrets_among_the_documents(check: Check, objects: list[Any], expected: str | None):
    assert check.code(*objects) == expected


def test_what_a_pull_secret_lacks_the_docker_configuration_has(check: Check, docker: Path, private: Registry):
    docker.write_text(json.dumps(auths()))
    assert check.code(pull_secret(auths(word="wrong")), NAMED) is None
    shown = [base64.b64decode(asked.authorization.split()[1]).decode() for asked in private.asked("/token")]
    assert shown == [f"{USER}:wrong", f"{USER}:{WORD}"]


# the docker configuration


@pytest.mark.parametrize(
    "login",
    [
        pytest.param(auths(), id="auth"),
        pytest.param({"auths": {REGISTRY: {"username": USER, "password": WORD}}}, id="user and password"),
        pytest.param({"auths": {f"https://{REGISTRY}/v2/": {"username": USER, "password": WORD}}}, id="a URL"),
        pytest.param({"auths": {REGISTRY: {"auth": "MDA6", "identitytoken": TOKEN}}}, id="identity token"),
    ],
)
def test_the_docker_configuration(check: Check, docker: Path, login: dict[str, Any]):
    docker.write_text(json.dumps(login))
    ran = check()
    assert (ran.code, code(ran), ran.err) == (0, None, "")


def test_the_docker_configuration_of_the_environment_comes_first(
    check: Check, docker: Path, private: Registry, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(auths(word="MARKED-old")))
    docker.write_text(json.dumps(auths()))
    assert check.code() is None
    shown = [base64.b64decode(asked.authorization.split()[1]).decode() for asked in private.asked("/token")]
    assert shown == [f"{USER}:MARKED-old", f"{USER}:{WORD}"]
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(auths()))
    docker.unlink()
    assert check.code() is None
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "{MARKED")
    docker.write_text(json.dumps(auths()))
    ran = check()
    assert (ran.code, code(ran), ran.err) == (2, None, "podgate: $DOCKER_AUTH_CONFIG: it is not JSON\n")


def test_a_registry_token(check: Check, docker: Path, private: Registry):
    private.tokens["MARKED-registry"] = (USER, {"repository:team/app:pull"})
    docker.write_text(json.dumps({"auths": {REGISTRY: {"registrytoken": "MARKED-registry"}}}))
    assert check.code() is None
    assert private.asked("/token") == []


def test_an_identity_token_that_is_refused(check: Check, docker: Path):
    docker.write_text(json.dumps({"auths": {REGISTRY: {"identitytoken": "MARKED-old"}}}))
    assert check.code() == "unauthorized"


@pytest.mark.parametrize("content", ["", "{}", '{"auths": {}, "psFormat": "x", "currentContext": "y"}'])
def test_a_docker_configuration_without_credentials(check: Check, docker: Path, content: str):
    docker.write_text(content)
    ran = check()
    assert (ran.code, code(ran), ran.err) == (0, "denied", "")


BAD_ENTRIES: list[object] = [{"auth": "MARKED"}, {"auth": 1}, 3, {"registrytoken": "MARKED\n"}]


@pytest.mark.parametrize("entry", BAD_ENTRIES)
def test_a_bad_entry_for_another_host_costs_nothing(check: Check, docker: Path, entry: object):
    """docker warns and goes on; what is wrong is said without a word of the content."""
    login = auths()
    docker.write_text(json.dumps({"auths": {"MARKED.example": entry, **login["auths"]}}))
    ran = check()
    assert (ran.code, code(ran)) == (0, None)
    assert ran.err.startswith(f"podgate: {docker}: entry 1 of auths does not count: ")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("content", ["MARKED", '{"auths": [{"MARKED": 1}]}', '{"auths": "MARKED"}', "[]"])
def test_a_broken_docker_configuration_is_named_and_hides_no_result(
    podgate: Podgate, check: Check, settings: Path, docker: Path, content: str
):
    docker.write_text(content)
    ran = check()
    assert (ran.code, code(ran)) == (2, "denied")
    assert (len(ran.err.splitlines()), ran.err.startswith(f"podgate: {docker}: ")) == (1, True)
    looked = podgate("inspect", f"{REGISTRY}/team/app:1.4", "--config", settings)
    assert (looked.code, looked.err.splitlines()[-1]) == (2, ran.err.strip())
    assert "MARKED" not in looked.out + looked.err


def test_a_docker_configuration_that_cannot_be_read(check: Check, docker: Path):
    docker.mkdir()
    ran = check()
    assert (ran.code, ran.err) == (2, f"podgate: {docker}: Is a directory\n")


# credential helpers


@pytest.mark.parametrize("config", [{"credsStore": "test"}, {"credHelpers": {REGISTRY: "test"}}])
@pytest.mark.parametrize("answer", [credential(), credential("<token>", TOKEN)])
def test_a_credential_helper(check: Check, docker: Path, programs: Path, config: dict[str, Any], answer: str):
    script = Script(programs, "docker-credential-test", answer)
    docker.write_text(json.dumps(config))
    ran = check()
    assert (ran.code, code(ran), ran.err) == (0, None, "")
    assert script.runs == [REGISTRY]


def test_a_helper_for_another_host_is_not_run(check: Check, docker: Path, programs: Path):
    script = Script(programs, "docker-credential-test", credential())
    docker.write_text(json.dumps({"credHelpers": {"quay.io": "test"}, **auths()}))
    assert check.code() is None
    assert script.runs == []


def test_where_a_helper_has_nothing_the_file_does_not_count(check: Check, docker: Path, programs: Path):
    Script(programs, "docker-credential-test", "echo 'credentials not found in native keychain'; exit 1\n")
    docker.write_text(json.dumps({"credsStore": "test", **auths()}))
    ran = check()
    assert (ran.code, code(ran), ran.err) == (0, "denied", "")


FAILING = {
    "exit status 3": "echo MARKED; echo MARKED >&2; exit 3\n",
    "its answer is not the JSON of a credential": "echo MARKED\n",
    "not done within 0.3 s": "/bin/sleep 300\n",
}


@pytest.mark.parametrize("why", FAILING)
def test_where_a_helper_fails_the_file_counts(
    check: Check, docker: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, why: str
):
    monkeypatch.setattr("webhook.registry.helpers._SECONDS", 0.3)
    Script(programs, "docker-credential-test", FAILING[why])
    docker.write_text(json.dumps({"credsStore": "test", **auths()}))
    ran = check()
    assert (ran.code, code(ran)) == (0, None)
    assert ran.err == f"podgate: docker-credential-test, for {REGISTRY}: {why}\n"


def test_a_helper_that_is_not_there_is_said_once(check: Check, docker: Path, programs: Path):
    docker.write_text(json.dumps({"credsStore": "test"}))
    ran = check(pod(), pod(f"{REGISTRY}/team/app:2.0", name="second"))
    assert (ran.code, code(ran)) == (0, "denied")
    assert ran.err == f"podgate: docker-credential-test, for {REGISTRY}: there is no such program on the PATH\n"


# settings


def password_file(tmp_path: Path, *namespaces: str) -> dict[str, Any]:
    (tmp_path / "word").write_text(f"{WORD}\n")
    return {
        "match": f"{REGISTRY}/team",
        "username": USER,
        "passwordFile": str(tmp_path / "word"),
        "namespaces": namespaces,
    }


def docker_file(tmp_path: Path, *namespaces: str) -> dict[str, Any]:
    (tmp_path / "mounted.json").write_text(json.dumps(auths()))
    return {"dockerConfigFile": str(tmp_path / "mounted.json"), "namespaces": namespaces}


@pytest.mark.parametrize("entry", [password_file, docker_file])
def test_credentials_of_the_settings_count_in_their_namespaces(
    check: Check, set_in: Settings, tmp_path: Path, entry: Callable[..., dict[str, Any]]
):
    set_in(credentials=[entry(tmp_path, "prod", "team-*")])
    codes = {name: check.code(namespace=name) for name in ("prod", "team-a", "default", "prod-2")}
    assert codes == {"prod": None, "team-a": None, "default": "denied", "prod-2": "denied"}


def test_settings_come_before_the_docker_configuration(
    check: Check, set_in: Settings, docker: Path, private: Registry, tmp_path: Path
):
    set_in(credentials=[password_file(tmp_path, "*")])
    docker.write_text(json.dumps(auths("other", "MARKED-other")))
    assert check.code() is None
    assert [asked.authorization for asked in private.asked("/token")] == [
        f"Basic {base64.b64encode(f'{USER}:{WORD}'.encode()).decode()}"
    ]


def test_a_password_file_that_is_not_there(check: Check, set_in: Settings, tmp_path: Path, podgate: Podgate):
    entry = password_file(tmp_path, "*")
    Path(entry["passwordFile"]).unlink()
    set_in(credentials=[entry])
    ran = podgate.json(
        "--target", "linux/amd64", "--config", tmp_path / "settings.yaml", stdin=json.dumps(pod()).encode()
    )
    assert (ran.code, ran.out) == (2, "")
    expected = "registries.credentials[0].passwordFile: {}: cannot be read: No such file or directory"
    assert ran.err == f"podgate: {expected.format(entry['passwordFile'])}\n"


# credential provider plugins


@pytest.fixture
def plugin(private: Registry, programs: Path, set_in: Settings, tmp_path: Path) -> Script:
    """A plugin for reg.example that is lent to the namespace prod."""
    config = tmp_path / "providers.yaml"
    config.write_text(json.dumps(provider_config(provider("plug", REGISTRY))))
    set_in(credentialProviders={"config": str(config), "binDir": str(programs), "namespaces": ["prod"]})
    return Script(programs, "plug", answering(response({REGISTRY: f"{USER}:{WORD}"})))


def test_a_provider_plugin(check: Check, plugin: Script):
    assert check.code(namespace="default") == "denied"
    assert plugin.runs == []
    assert check.code(namespace="prod") is None
    assert json.loads(plugin.runs[0])["image"] == f"{REGISTRY}/team/app"


def test_a_provider_plugin_that_fails_leaves_the_docker_configuration(check: Check, plugin: Script, docker: Path):
    plugin.write("echo MARKED >&2; exit 3\n")
    docker.write_text(json.dumps(auths()))
    ran = check(namespace="prod")
    assert (ran.code, code(ran)) == (0, None)
    assert len(plugin.runs) == 1


def test_a_provider_plugin_that_is_not_there(podgate: Podgate, plugin: Script, settings: Path):
    plugin.path.unlink()
    ran = podgate.json("--target", "linux/amd64", "--config", settings, stdin=json.dumps(pod()).encode())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "podgate: registries.credentialProviders.binDir: no program plug there\n"


def test_inspect_names_the_source_and_never_the_secret(podgate: Podgate, settings: Path, plugin: Script):
    ran = podgate("inspect", f"{REGISTRY}/team/app:1.4", "-n", "prod", "--config", settings, "-o", "json")
    assert ran.code == 0
    assert [one["credential"] for one in json.loads(ran.out)["images"][0]["answers"]] == ["provider plug"]
    assert "MARKED" not in ran.out + ran.err


def test_an_image_that_matches_no_credential_is_asked_for_anonymously(check: Check, docker: Path, private: Registry):
    """And only then: see the wrong password above, after which nobody asks without."""
    assert private.auth is not None
    private.auth.public = {"team/app"}
    docker.write_text(json.dumps(auths(host="quay.io")))
    assert check.code() is None
    assert [asked.authorization for asked in private.asked("/token")] == [""]


def test_one_image_of_two_namespaces_in_one_run(check: Check, set_in: Settings, tmp_path: Path):
    """What one namespace may see is not shown to the other, in whichever order they stand."""
    set_in(credentials=[password_file(tmp_path, "prod")])
    inside = {**pod(name="inside"), "metadata": {"name": "inside", "namespace": "prod"}}
    outside = {**pod(name="outside"), "metadata": {"name": "outside", "namespace": "dev"}}
    for objects in ([inside, outside], [outside, inside]):
        images = {name: one["images"][0] for name, one in check(*objects).objects.items()}
        assert images["inside"]["resolved"] == f"{REGISTRY}/team/app@{multi('linux/amd64').digest}"
        assert (images["outside"]["resolved"], images["outside"]["error"]["code"]) == (None, "denied")
        assert images["outside"]["platforms"] == []
