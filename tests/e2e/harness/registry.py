"""A real registry (distribution) on loopback, and what puts images into it."""

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.harness.certificates import KeyPair
from tests.e2e.harness.components import Components
from tests.e2e.harness.controlplane import HOST
from tests.e2e.harness.processes import Process, bare_environment, free_port, wait_until
from tests.e2e.harness.tokens import ISSUER, SERVICE, TokenService
from tests.support.images import Content, Image

READY_SECONDS = 30.0


@dataclass(frozen=True)
class Login:
    """A made-up user of a registry; `bcrypt` is the hash of the password, which nothing in Python's library makes."""

    username: str
    password: str
    bcrypt: str


LOGIN = Login("reader", "made-up password", "$2b$05$i0UDyfUMQQmSfK9AVquoT.dj/609amYHwn.CLlaDW0vrv7wqc6x4O")


SAMPLES_LOGIN = Login("deploy", "only-for-the-demo", "$2b$05$azlBZ5YaqWJJueAZ0MDltOjtmSY0plOzVNUrUvehDzmxoaWq2I1eq")
"""The user that the samples' pull secret names."""


class Registry:
    """Runs from start() to stop(); what was pushed stays, so that it can be started again at the same port.

    login: who may use it; None: everybody. tls: its certificate; None: plain HTTP. tokens: who gives its user tokens;
    None: it asks for the password itself.
    """

    def __init__(
        self,
        components: Components,
        folder: Path,
        login: Login | None = None,
        tls: KeyPair | None = None,
        tokens: TokenService | None = None,
    ) -> None:
        self.host = f"{HOST}:{free_port()}"
        """What images are named by: `{host}/repository:tag`."""
        self.scheme = "https" if tls else "http"
        self.login = login
        self._tls = tls
        self._tokens = tokens
        self._program = components.registry
        self._folder = folder
        self._process: Process | None = None

    def start(self) -> None:
        """Returns when it answers."""
        if self._process is not None and self._process.running():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "config.json"
        configuration.write_text(json.dumps(self._configuration(), indent=1))  # JSON is YAML
        environment = bare_environment(self._folder / "home", OTEL_TRACES_EXPORTER="none")
        self._process = Process("registry", [self._program, "serve", configuration], self._folder, environment)
        try:
            wait_until("the registry", self._answers, READY_SECONDS, [self._process])
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops it; connections are refused from now on."""
        if self._process is not None:
            self._process.stop()

    @property
    def processes(self) -> list[Process]:
        """Its process, once started; its log has a line for each request."""
        return [self._process] if self._process is not None else []

    def push(self, repository: str, image: Image, *tags: str) -> str:
        """Pushes an image, and tags its root; the root's digest. The registry checks that nothing is missing."""
        with self._client() as client:
            for blob in image.blobs:
                _push_blob(client, repository, blob)
            for manifest in image.manifests:
                _push_manifest(client, repository, manifest, manifest.digest)
            for name in tags or (image.digest,):
                _push_manifest(client, repository, image.root, name)
        return image.digest

    def pull(self, repository: str, name: str, accept: str) -> Content:
        """A manifest by tag or digest."""
        with self._client() as client:
            answer = client.get(f"/v2/{repository}/manifests/{name}", headers={"Accept": accept})
        _expect(answer, 200)
        return Content(answer.headers["Content-Type"], answer.content)

    def requests(self) -> list[str]:
        """The requests for manifests and blobs that it has answered, oldest first, as `METHOD path status`."""
        if self._process is None:
            return []
        found = []
        for line in self._process.log.read_text(errors="replace").splitlines():
            # The access log, in Apache's combined form: HOST - - [TIME] "METHOD PATH HTTP/1.1" STATUS ...
            _, quote, rest = line.partition('"')
            request, _, result = rest.partition('"')
            words = request.split(" ")
            if quote and len(words) == 3 and words[2].startswith("HTTP/") and words[1] != "/v2/":
                found.append(f"{words[0]} {words[1]} {result.split()[0]}")
        return found

    def docker_config(self, login: Login | None = None) -> str:
        """The content of a pull secret (.dockerconfigjson) with a login for this registry (None: its own)."""
        chosen = login or self.login
        assert chosen is not None
        return json.dumps({"auths": {self.host: {"username": chosen.username, "password": chosen.password}}})

    def _configuration(self) -> Mapping[str, object]:
        http: dict[str, object] = {"addr": self.host, "secret": "of one instance"}
        if self._tls is not None:
            http["tls"] = {"certificate": str(self._tls.certificate), "key": str(self._tls.key)}
        configuration: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "storage")}, "delete": {"enabled": True}},
            "http": http,
        }
        if self._tokens is not None:
            signed = {"service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(self._tokens.root)}
            configuration["auth"] = {"token": {"realm": self._tokens.realm, **signed}}
        elif self.login is not None:
            users = self._folder / "htpasswd"
            users.write_text(f"{self.login.username}:{self.login.bcrypt}\n")
            configuration["auth"] = {"htpasswd": {"realm": "podgate e2e", "path": str(users)}}
        return configuration

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return client.get("/v2/").is_success
        except httpx.TransportError as error:
            raise OSError(str(error)) from error

    def _client(self) -> httpx.Client:
        # The certificate is not what is tested here: whoever gives one tests it with podgate.
        auth: httpx.Auth | tuple[str, str] | None = None
        if self._tokens is not None:
            auth = _Minted(self._tokens)
        elif self.login is not None:
            auth = (self.login.username, self.login.password)
        return httpx.Client(base_url=f"{self.scheme}://{self.host}", auth=auth, verify=False, trust_env=False)


class _Minted(httpx.Auth):
    """A token for each request, without asking the token service for it."""

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        repository = re.fullmatch(r"/v2/(.*)/(?:manifests|blobs)/.*", request.url.path)
        scopes = [f"repository:{repository[1]}:pull,push"] if repository else []
        request.headers["Authorization"] = f"Bearer {self._tokens.token(scopes)}"
        yield request


def _push_blob(client: httpx.Client, repository: str, blob: Content) -> None:
    if client.head(f"/v2/{repository}/blobs/{blob.digest}").is_success:
        return
    begun = client.post(f"/v2/{repository}/blobs/uploads/")
    _expect(begun, 202)
    url = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": blob.digest})
    _expect(client.put(url, content=blob.body, headers={"Content-Type": "application/octet-stream"}), 201)


def _push_manifest(client: httpx.Client, repository: str, manifest: Content, name: str) -> None:
    url = f"/v2/{repository}/manifests/{name}"
    _expect(client.put(url, content=manifest.body, headers={"Content-Type": manifest.media_type}), 201)


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        request = answer.request
        raise AssertionError(f"{request.method} {request.url}: {answer.status_code}, wanted {status}: {answer.text}")
