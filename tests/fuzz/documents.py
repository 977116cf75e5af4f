"""Targets that are documents: those of registries, and those that passwords come in."""

import base64
import json
from dataclasses import replace

from tests.fuzz import jsontext, parts
from tests.fuzz.laws import SECRET, Answer, Broken, Pure, has_secret, hold, tells_no_secret
from tests.fuzz.texts import WALL, golden
from tests.support import images
from tests.support.images import Content, Image
from tests.support.walks import document, drive, examined, on
from webhook.core import jsontree
from webhook.core.dockerconfig import DockerConfig, read_docker_config, read_users_config
from webhook.core.dockerimage import read_image
from webhook.core.errors import BadCredentials, MalformedDocument, RegistryError
from webhook.core.jsontree import InvalidJSON
from webhook.core.keyring import Keyring, PullSecret
from webhook.core.lookup import Lists, declared_platforms
from webhook.core.platform import format_platform
from webhook.core.provideranswer import read_provider_answer
from webhook.registry.tokens import read_grant

PROVIDER_API = "credentialprovider.kubelet.k8s.io/v1"
MOST_WANTS = 40
"""Documents that a walk may ask for; how deep and wide it goes is bounded."""


class Documents(Pure):
    """An image: media types, a line each, then the root and what it refers to."""

    name = "documents"
    _nodes = (
        ("linux/amd64", "containerd://1.7.27"),
        ("linux/arm64", "containerd://2.1.4"),
        ("linux/arm/v7", "cri-o://1.33.0"),
        ("windows/amd64:10.0.20348.2113", "containerd://2.1.4"),
        ("linux/arm64", "docker://28.1.0"),
        ("linux/amd64", "unheard-of://1"),
    )

    def seeds(self) -> list[bytes]:
        made = [_as_input(image) for image in IMAGES]
        for question in golden("select", 300):
            root, blobs = question["root"], question["blobs"]
            texts = [
                blobs.get(root["digest"], ""),
                *(text for digest, text in blobs.items() if digest != root["digest"]),
            ]
            made.append(
                _numbered(root["media_type"], texts, [root["digest"], *(d for d in blobs if d != root["digest"])])
            )
        return made

    def answer(self, data: bytes) -> Answer:
        types, *bodies = parts.split(data)
        filled = parts.referred([types, *(bodies or [b""])])[1:]
        names = types.decode("utf-8", "replace").split("\n")
        contents = [Content((names + [""] * len(filled))[place], body) for place, body in enumerate(filled)]
        image = Image(contents[0], (), tuple(contents[1:]))
        found = [self._on(image, node, runtime) for node, runtime in self._nodes]
        for body in filled:
            _is_read_as_written(body)
        known = "walked" if any(isinstance(one, tuple) for one in found) else "malformed"
        return Answer(known, (found, _offers(image), [_dockerd(body) for body in filled]))

    def _on(self, image: Image, node: str, runtime: str) -> object:
        others = tuple(map(document, image.blobs))
        try:
            found = examined(image, on(node), runtime, lists=Lists(others[:1], others[1:2]))
        except (MalformedDocument, RegistryError) as error:
            return f"{type(error).__name__}: {error}"
        outcome = found.answer.outcome
        hold(outcome.verdict in ("runs", "fails", "uncertain"), f"no verdict: {outcome}")
        hold(len(found.wants) <= MOST_WANTS, f"{len(found.wants)} documents were asked for")
        return outcome.verdict, outcome.why, found.wants


def _offers(image: Image) -> object:
    try:
        found = drive(declared_platforms(document(image.root)), image.documents)
    except (MalformedDocument, RegistryError) as error:
        return str(error)
    hold(len(found.wants) <= MOST_WANTS, f"{len(found.wants)} documents were asked for")
    return [format_platform(platform) for platform in found.answer]


def _dockerd(body: bytes) -> object:
    try:
        return read_image(body)
    except MalformedDocument as error:
        return str(error)


def _is_read_as_written(body: bytes) -> None:
    """Two readers, one grammar: what another writes of a text is read as the text is. (Of bytes that are no UTF-8 they
    think differently.)"""
    try:
        body.decode()
        tree = jsontree.parse(body)
    except (UnicodeDecodeError, InvalidJSON):
        return
    if (other := jsontext.read(body)) is not None:
        hold(jsontree.parse(jsontext.write(other, ascii_only=True)) == tree, "read otherwise when it is written anew")


IMAGES = [
    images.multi("linux/amd64", "linux/arm64", "windows/amd64:10.0.20348.1"),
    images.multi("linux/arm/v7", "linux/s390x", docker=True),
    images.single("linux/amd64"),
    images.single("linux/arm64", docker=True),
    images.single(None),
    images.mislabelled("linux/amd64", "linux/arm64"),
    images.listed([(None, images.single("linux/amd64")), ("unknown/unknown", images.single("linux/s390x"))]),
    images.listed([(None, images.multi("linux/arm64"))]),
]


def _as_input(image: Image) -> bytes:
    contents = [image.root, *(one for one in (*image.manifests, *image.blobs) if one.media_type not in LAYERS)]
    types = [content.media_type for content in contents]
    texts = [content.body.decode() for content in contents]
    return _numbered("\n".join(types), texts, [content.digest for content in contents])


LAYERS = (images.OCI_LAYER, images.DOCKER_LAYER)


def _numbered(types: str, texts: list[str], digests: list[str]) -> bytes:
    """An input whose documents refer to one another by their places; each comes before what it refers to."""
    order = sorted(range(len(texts)), key=lambda place: (place != 0, -_depth(place, texts, digests, frozenset())))
    names = types.split("\n")
    kinds = [names[place] if place < len(names) else "" for place in order]
    pieces = [texts[place] for place in order]
    for number, place in enumerate(order):
        pieces = [piece.replace(digests[place], f"{{digest:{number + 1}}}") for piece in pieces]
    return parts.joined([text.encode("utf-8", "surrogatepass") for text in ["\n".join(kinds), *pieces[:9]]])


def _depth(place: int, texts: list[str], digests: list[str], above: frozenset[int]) -> int:
    """How far down the documents go that one refers to."""
    below = [n for n in range(len(texts)) if n != place and n not in above and digests[n] in texts[place]]
    return 1 + max((_depth(n, texts, digests, above | {place}) for n in below), default=0)


class Secrets(Pure):
    """What passwords come in: its kind, its content, the repository that is pulled from."""

    name = "secrets"

    def seeds(self) -> list[bytes]:
        auth = base64.b64encode(f"user:{SECRET}".encode()).decode()
        entry = {"username": "user", "password": SECRET, "auth": auth, "email": "a@b", "identitytoken": SECRET}
        auths = {"reg.example": entry, "https://index.docker.io/v1/": {"auth": auth}, "*.reg.example:5000/team": entry}
        config = {
            "auths": auths,
            "credHelpers": {"gcr.example": "gcr"},
            "credsStore": "pass",
            "HttpHeaders": {"a": "b"},
        }
        token = {"token": SECRET, "access_token": SECRET, "expires_in": 300, "issued_at": "2026-01-02T03:04:05.678Z"}
        provider = {
            "apiVersion": PROVIDER_API, "kind": "CredentialProviderResponse", "cacheKeyType": "Registry",
            "cacheDuration": "5m", "auth": {"*.reg.example": {"username": "user", "password": SECRET}},
        }  # fmt: skip
        made = [
            ("kubernetes.io/dockerconfigjson", config), ("kubernetes.io/dockercfg", auths), ("config", config),
            ("users", config),
            ("token", token), ("token", {**token, "issued_at": None}), ("provider", provider),
        ]  # fmt: skip
        found = [[kind, json.dumps(value), "reg.example/team/app"] for kind, value in made]
        for question in golden("keyring", 300):
            found += [[secret["type"], secret["data"], question["image"]] for secret in question["secrets"][:1]]
        return [parts.joined([text.encode("utf-8", "surrogatepass") for text in one]) for one in found]

    def answer(self, data: bytes) -> Answer:
        kind, content, name = (*parts.split(data), b"", b"")[:3]
        repository = name.decode("utf-8", "surrogateescape")
        try:
            said, value = self._read(kind.decode("utf-8", "replace"), content, repository)
        except BadCredentials as error:
            tells_no_secret((str(error), repr(error), *_causes(error)))
            return Answer("refused", str(error))
        if kind != b"users":  # whose names of helpers are no secret, see below
            tells_no_secret((repr(value),))
        return Answer(said, value)

    def _read(self, kind: str, content: bytes, repository: str) -> tuple[str, object]:
        """Raises BadCredentials."""
        if kind == "token":
            return _token(content)
        if kind == "provider":
            return "read", read_provider_answer(content, PROVIDER_API)
        if kind == "users":
            config, problems = read_users_config(content, "config.json")
            tells_no_secret((*problems, _without_names(config)))
            return "read", (config, problems)
        if kind == "config":
            tells_no_secret((_without_names(read_docker_config(content, "config.json")),))
            keyring = Keyring.from_docker_config(content, "config.json")
        else:
            keyring = Keyring.from_secrets([PullSecret("team", "pull", kind, content)])
        found = keyring.lookup(repository)
        logins = {(one.username, one.password, one.identity_token, one.registry_token) for one in found}
        hold(len({one.key(b"salt") for one in found}) == len(logins), "one key for two logins, or two for one")
        sources = {one.source for one in found}
        hold(sources <= {"team/pull", "config.json"}, f"a credential from nowhere: {sources}")
        for one in found:
            hold(base64.b64decode(one.basic).count(b":") >= 1, "no user and password")
        return "found" if found else "read", found


def _without_names(config: DockerConfig) -> DockerConfig:
    """A piece of the password may have got into the name of a helper here, and that is told."""
    told = any(map(has_secret, (config.store, *config.helpers, *config.helpers.values())))
    return replace(config, helpers={}, store="") if told else config


def _token(content: bytes) -> tuple[str, object]:
    try:
        grant = read_grant(content, WALL)
    except ValueError as error:
        if isinstance(error, UnicodeError):
            raise Broken(f"no error of a token: {error!r}") from error
        tells_no_secret((str(error), repr(error)))
        return "refused", str(error)
    hold(grant.lifetime == grant.lifetime and grant.lifetime < 1e9, f"good for {grant.lifetime} s")
    hold(grant.text.isascii() and grant.text.isprintable(), "a token that no header can carry")
    return "read", grant


def _causes(error: BaseException) -> list[str]:
    """What a traceback would show besides."""
    found = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None:
        found.append(str(cause))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return found
