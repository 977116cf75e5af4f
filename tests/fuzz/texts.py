"""Targets that are texts: references, headers, settings, hosts.toml."""

import gzip
import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from tests.fuzz import parts
from tests.fuzz.laws import SECRET, Answer, Pure, hold, is_a_fault, tells_no_secret
from webhook.core.challenge import parse_challenges, token_request
from webhook.core.errors import InvalidReference, MalformedChallenge, MalformedSettings, RegistryError
from webhook.core.hosts import malformed_files, named_files, registry_hosts
from webhook.core.realm import realm_may_have_credentials
from webhook.core.reference import Reference, is_short_name, parse_docker_ref, parse_image, parse_normalized
from webhook.registry import wire
from webhook.registry.patience import retry_after
from webhook.settings import parse_settings, settings_over
from webhook.settings_text import parse_settings_text

ROOT = Path(__file__).resolve().parents[2]
WALL = 1_700_000_000.0
"""What time it is, in seconds since 1970."""


def golden(name: str, most: int) -> list[dict[str, Any]]:
    """Questions of a golden file, spread over all of it."""
    with gzip.open(ROOT / "tests" / "golden" / f"{name}.jsonl.gz") as file:
        texts = file.read().splitlines()
    return [json.loads(text)["in"] for text in texts[:: max(1, len(texts) // most)]]


def text_of(data: bytes) -> str:
    """Bytes as header lines, files and commands have them here."""
    return data.decode("utf-8", "surrogateescape")


class References(Pure):
    """Names of images."""

    name = "references"

    def seeds(self) -> list[bytes]:
        return [question["s"].encode("utf-8", "surrogatepass") for question in golden(self.name[:-1], 400)]

    def answer(self, data: bytes) -> Answer:
        text = data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace") if _utf8(data) else text_of(data)
        found = [_reading(read, text) for read in (parse_image, parse_normalized, parse_docker_ref)]
        for one in found:
            if isinstance(one, Reference):
                hold(parse_normalized(one.canonical) == one, f"read back as another: {one.canonical!r}")
                hold(one.canonical.isascii() and one.canonical.isprintable(), f"odd characters: {one.canonical!r}")
                hold(len(one.path) <= 255 and ".." not in one.path.split("/"), f"a path that is none: {one.path!r}")
        image, normalized = found[0], found[1]
        hold(isinstance(image, str) or isinstance(normalized, Reference), "an image that has no name")
        return Answer("read" if isinstance(image, Reference) else "refused", (found, is_short_name(text)))


def _utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _reading(read: Any, text: str) -> Reference | str:
    try:
        found = read(text)
    except InvalidReference as error:
        return f"{error.kind}: {error.problem}"
    assert isinstance(found, Reference)
    return found


class Headers(Pure):
    """What a registry says in headers: WWW-Authenticate (lines), Retry-After, Location, Content-Type."""

    name = "headers"
    _hosts = ("reg.example", "reg.example:5000", "127.0.0.1:5000", "[::1]:5000", "registry-1.docker.io")

    def seeds(self) -> list[bytes]:
        usual = b'Bearer realm="https://auth.reg.example/token",service="reg.example",scope="repository:a/b:pull"'
        after = [b"120", b"Wed, 21 Oct 2026 07:28:00 GMT", b"Wed, 21 Oct 2026 07:28:00 -0000", b"1.5", b""]
        to = [
            b"https://cdn.example/blob?X-Sig=1#f",
            b"/v2/a/b/blobs/sha256:0",
            b"//other.example/x",
            b"http://reg.example/",
        ]
        types = [b"application/vnd.oci.image.index.v1+json; charset=utf-8", b"application/json"]
        made = [[usual, after[n % 5], to[n % 4], types[n % 2], b"0"] for n in range(10)]
        for question in golden("challenge", 300):
            header = "\n".join(question["header"]).encode("utf-8", "surrogateescape")
            made.append([header, after[len(made) % 5], to[len(made) % 4], types[0], str(len(made) % 5).encode()])
        return [parts.joined(one) for one in made]

    def answer(self, data: bytes) -> Answer:
        challenge, after, location, kind, number = (*parts.split(data), b"", b"", b"", b"", b"")[:5]
        host = self._hosts[number[-1] % 5 if number else 0]
        tokens = self._challenges(text_of(challenge).split("\n"), host)
        pause = retry_after(after.decode("latin-1"), WALL)
        hold(pause is None or (pause >= 0 and math.isfinite(pause)), f"a pause of {pause}")
        raw = [(b"Content-Type", kind.replace(b"\n", b""))]
        said = wire.media_type(httpx.Headers(raw))
        hold(said == said.strip().lower() and ";" not in said, f"a media type that is none: {said!r}")
        met = self._redirect(location.decode("latin-1"))
        return Answer("a token" if any(one[1] for one in tokens) else "none", (tokens, pause, said, met))

    def _challenges(self, header: list[str], host: str) -> list[tuple[str, str, bool]]:
        """The URLs that a token is asked for at, and whether a password may go there."""
        found = []
        for challenge in parse_challenges(header):
            try:
                asked = token_request(challenge, "team/app")
            except MalformedChallenge as error:
                found.append((str(error), "", False))
                continue
            hold(asked.url.isascii() and "repository:team/app:pull" in asked.scopes, f"no token's URL: {asked.url!r}")
            trusted = realm_may_have_credentials(host, asked.realm)
            if trusted:
                _is_of(asked.url, host)
            found.append((asked.form_url, asked.url, trusted))
        return found

    def _redirect(self, location: str) -> str:
        try:
            target = wire._target(httpx.URL("https://reg.example/v2/a/b/manifests/1"), location, "shown")
        except RegistryError as error:
            is_a_fault(error)
            return error.code
        except httpx.InvalidURL:  # the wire translates httpx's own errors, as a whole
            return "invalid"
        hold((target.scheme, target.userinfo, target.fragment) == ("https", b"", ""), f"a redirect to {target}")
        hold(bool(target.host), f"a redirect to nowhere: {target}")
        return str(target)


def _is_of(url: str, host: str) -> None:
    """A password goes to a host of the same owner, whoever reads the URL: Go, the standard library, httpx."""
    name = urlsplit(f"//{host}").hostname or ""
    seen = {(urlsplit(url).hostname or "").lower(), httpx.URL(url).host.lower()}
    hold(len(seen) == 1, f"read differently: {url!r}, {seen}")
    (there,) = seen
    owned = there == name or there.endswith(f".{name}") or name.endswith(f".{there}") or there == "auth.docker.io"
    hold(owned, f"the password of {host} may go to {url!r}")
    hold(not urlsplit(url).username and httpx.URL(url).userinfo == b"", f"user information in {url!r}")
    hold(url.lower().startswith("https://") or there in ("127.0.0.1", "::1"), f"a password in the clear: {url!r}")


class SettingsFiles(Pure):
    """The text of a settings file."""

    name = "settings"

    def seeds(self) -> list[bytes]:
        installed = yaml.safe_load((ROOT / "manifests" / "settings.yaml").read_text())["data"]["settings.yaml"]
        tree = yaml.safe_load(EVERY_KEY)
        each = [yaml.safe_dump({key: value}) for key, value in tree.items()]
        return [text.encode() for text in (EVERY_KEY, installed, json.dumps(tree), *each)]

    def answer(self, data: bytes) -> Answer:
        try:
            tree = parse_settings_text(data, "settings.yaml")
            settings = settings_over(tree, "settings.yaml", {"PODGATE_MODE": "warn"})
        except MalformedSettings as error:
            hold(str(error).startswith("settings.yaml") or "PODGATE_MODE" in str(error), f"names no file: {error}")
            return Answer("refused", str(error))
        hold(parse_settings(dict(tree)).model_copy(update={"mode": settings.mode}) == settings, "another meaning")
        return Answer("read", settings)


EVERY_KEY = """\
mode: warn
namespaceLabel: stricter
decisions: {mismatch: deny, partial: warn, undetermined: allow, noCandidates: warn, daemonSetPods: warn}
binding: warn
events: false
kinds: [{group: argoproj.io, resource: rollouts, podTemplate: .spec.template, kind: Rollout}]
nodes:
  declared:
  - platform: linux/arm64/v8
    runtime: containerd://2.1.4
    labels: {a: b}
    taints: [{key: a, value: b, effect: NoSchedule}]
  nodePools: true
  transientTaints: [example.com/]
exempt: {namespaces: [kube-*], images: [reg.example/*]}
registries:
  shortNames: docker.io
  hostsDir: /etc/containerd/certs.d
  allowedAddresses: [10.0.0.0/8, "fd00::/8"]
  deniedAddresses: [192.0.2.1/32]
  allowedHosts: ["*.example", "reg.example:5000"]
  realms: [{registry: reg.example, realm: "https://auth.example/token"}]
  credentials:
  - {match: "*.reg.example/team", namespaces: ["*"], username: u, passwordFile: /secret/p}
  - {dockerConfigFile: /secret/config.json, namespaces: [team]}
  credentialProviders: {config: /c.yaml, binDir: /bin, namespaces: [team]}
  requestTimeout: 1m30s
  concurrencyPerHost: 8
cache: {maxBytes: 64Mi, tagTTL: 60s, negativeTTL: 10s, staleFor: 24h}
deadlineMargin: 500ms
log: {level: debug, format: text}
"""


class HostsFiles(Pure):
    """A hosts directory: the registry's name, then a path and a text for each file."""

    name = "hosts"

    def seeds(self) -> list[bytes]:
        header = f'[host."https://m.example".header]\nauthorization = ["Basic {SECRET}"]\n'
        made = [["reg.example", "reg.example/hosts.toml", f'server = "https://reg.example"\n{header}']]
        made += [
            [one["host"], *(text for pair in one["files"].items() for text in pair)] for one in golden("hosts", 400)
        ]
        return [parts.joined([text.encode("utf-8", "surrogatepass") for text in one]) for one in made]

    def answer(self, data: bytes) -> Answer:
        host, *rest = (piece.decode("utf-8", "replace") for piece in parts.split(data))
        files = dict(zip(rest[::2], rest[1::2], strict=False))
        problems = malformed_files(files)
        tells_no_secret(problem.problem for problem in problems)  # not the path: that is no secret, whatever it is
        hold(all("hosts.toml" in problem.path for problem in problems), f"names no file: {problems}")
        try:
            found = registry_hosts(files, host)
            named = named_files(files, host)
        except MalformedSettings as error:
            tells_no_secret((error.problem,))
            return Answer("refused", (str(error), list(map(str, problems))))
        hold(bool(found), "no endpoint at all")
        for one in found:
            hold(one.dial_timeout is None or math.isfinite(one.dial_timeout), f"a time-out of {one.dial_timeout}")
        return Answer("malformed" if problems else "read", (found, named, list(map(str, problems))))
