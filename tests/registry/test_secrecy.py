"""Bytes of a secret are nowhere: not in a log at DEBUG, not in an error, not in a repr, not in a metric."""

import asyncio
import base64
import gc
import io
import json
import logging
import re
import traceback
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pytest
from prometheus_client import generate_latest

from tests.registry.conftest import LOOPBACK, Setting, reference, secret
from tests.support import images as build
from tests.support.programs import Script, answering, provider, provider_config, response
from tests.support.registry import CODINGS, Auth, Fault, Registry
from webhook.core.dockerconfig import read_docker_config
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import Keyring, PullSecret
from webhook.core.providerconfig import read_provider_config
from webhook.inspection import Inspection, inspect
from webhook.observability.metrics import Metrics
from webhook.ports import Access
from webhook.registry.files import DockerConfigFile, FileCredentials, PasswordFile
from webhook.registry.helpers import DockerLogins
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.own import Lent, OwnCredentials
from webhook.registry.providers import Plugins, PluginSettings
from webhook.registry.resolver import RegistryImages
from webhook.report.inspect_document import inspect_document
from webhook.report.inspect_table import print_inspections

IMAGE = "reg.example/team/app:1"
TAGGED = reference(IMAGE)
WORD = 'PASS/"+&-MARKED'  # and tokens of the test's registry are marked as well
QUERY = "SIGNATURE-MARKED"
HEADER = "HEADER-MARKED"
MARK = re.compile("-MARKED|ENV-MARK|ARG-MARK", re.IGNORECASE)
HEX = re.compile("[0-9a-fA-F]{14,}")
BASE64 = re.compile("[0-9A-Za-z+/_-]{10,}")


class Everything(logging.Handler):
    """Every record of every logger, formatted whole."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(self.format(record) + "\n")


LOUD = ("", "podgate", "podgate.registry", "httpx", "httpcore", "asyncio", "concurrent.futures", "prometheus_client")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, all loggers being at DEBUG; httpcore's own below `httpcore` are kept from it by network.py."""
    handler = Everything()
    before = {name: logging.getLogger(name).level for name in LOUD}
    logging.getLogger().addHandler(handler)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler.text
    logging.getLogger().removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


class Newborn:
    """Objects of podgate's that did not exist before. The old ones are held, so that no new one gets their address;
    what other tests have left alive is none of this one's business."""

    def __init__(self) -> None:
        gc.collect()
        self._old = gc.get_objects()
        self._addresses = set(map(id, self._old))

    def __iter__(self) -> Iterator[object]:
        gc.collect()
        for thing in gc.get_objects():
            if id(thing) not in self._addresses and str(type(thing).__module__).startswith("webhook."):
                yield thing


class Source(OwnCredentials, Protocol):
    async def aclose(self) -> None: ...


@dataclass
class Held:
    """What a test has to show, and to whom its credentials belong: in pull secrets, or in a source of podgate's own."""

    access: Access = field(default_factory=lambda: Access("default"))
    own: tuple[OwnCredentials, ...] = ()
    close: tuple[Source, ...] = ()


def pull_secrets(_: Path, __: Setting) -> Held:
    both = tuple(secret({"reg.example": f"{user}:{WORD}"}, user) for user in ("eve", "ann"))
    own = Lent(Keyring.from_docker_config(secret({"reg.example": f"bob:{WORD}"}).data, "config.json"))
    return Held(Access("default", both), (own,))


def files(folder: Path, setting: Setting) -> Held:
    (folder / "word").write_text(WORD)
    (folder / "config.json").write_bytes(secret({"reg.example": f"bob:{WORD}"}).data)
    entries: list[DockerConfigFile | PasswordFile] = [
        DockerConfigFile(folder / "config.json", ("*",), "one"),
        PasswordFile(folder / "word", ("*",), "two", "reg.example", "ann"),
    ]
    return _owned(FileCredentials(entries, setting.clock))


def plugins(folder: Path, _: Setting) -> Held:
    body = f"echo '{WORD}' >&2\n" + answering(response({"reg.example": f"ann:{WORD}"}))
    Script(folder, "good", body)
    Script(folder, "bad", f"echo '{WORD}'; exit 3\n")
    more: dict[str, object] = {"args": ["ARG-MARK"], "env": [{"name": "A", "value": "ENV-MARK"}]}
    config = provider_config(provider("bad", "reg.example", **more), provider("good", "reg.example", **more))
    return _owned(Plugins(PluginSettings(folder, read_provider_config(config, "config"), ("*",)), Hooks()))


def helper(user: str, head: str = "") -> Callable[[Path, Setting], Held]:
    def made(folder: Path, _: Setting) -> Held:
        Script(folder, "docker-credential-h", head + answering(json.dumps({"Username": user, "Secret": WORD})))
        environment = {"PATH": str(folder), "HELPERS_OWN": "ENV-MARK"}
        return _owned(DockerLogins(read_docker_config(b'{"credsStore": "h"}', "config"), "config", environment))

    return made


def entry(**fields: str) -> Callable[[Path, Setting], Held]:
    def made(_: Path, __: Setting) -> Held:
        config = json.dumps({"auths": {"reg.example": fields}}).encode()
        return _owned(DockerLogins(read_docker_config(config, "config"), "config", {}))

    return made


def _owned(source: Source) -> Held:
    return Held(own=(source,), close=(source,))


SOURCES: dict[str, Callable[[Path, Setting], Held]] = {
    "nobody": lambda _, __: Held(),
    "pull secrets": pull_secrets,
    "files of the settings": files,
    "provider plugins": plugins,
    "a credential helper": helper("ann"),
    "a helper's identity token": helper("<token>"),
    "a helper that fails": helper("ann", f"echo '{WORD}'; echo '{WORD}' >&2; exit 3\n"),
    "an identity token": entry(identitytoken=WORD),
    "a registry token": entry(registrytoken=WORD),
}


def faults(other: Registry, kind: str, scheme: str) -> list[list[Fault]]:
    """Each tried by itself. A secret is shown in the same way whatever source it is from, so that two sources stand for
    all where it is the registry's way to fail that counts."""
    token = b'{"token": "T-MARKED"'
    short: list[list[Fault]] = [
        [],
        [Fault(authorized=True, status=403, echo="json")],
        [Fault(at="/token", status=401, echo="json")],
        [Fault(at="/token", status=500)],  # with a token in the body
        [Fault(at="/token", method="GET", status=405), Fault(at="/token", method="POST", status=400, echo="json")],
    ]
    if kind not in ("pull secrets", "an identity token"):
        return short
    of_all = [
        *([Fault(authorized=True, status=status, echo="json")] for status in (206, 401, 404, 500)),
        *([Fault(authorized=True, status=403, echo=coding)] for coding in CODINGS),
        [Fault(authorized=True, close=True)],
        [Fault(authorized=True, truncate=3)],
        [Fault(authorized=True, redirect=f"{other.url}/x?X-Amz-Signature={QUERY}")],
        [Fault(authorized=True, redirect=f"http://x:{WORD}@127.0.0.1/")],
        [Fault(authorized=True, redirect=f"http://127.0.0.1:1/?{QUERY}")],
    ]
    of_token_servers = [
        *([Fault(at="/token", status=status, echo="json")] for status in (201, 403, 500)),
        *([Fault(at="/token", status=401, echo=coding)] for coding in CODINGS),
        *([Fault(at="/token", status=status)] for status in (201, 401, 403, 404)),  # with a token in the body
        [Fault(at="/token", body=token)],
        [Fault(at="/token", body=token + b', "expires_in": "\\n"}')],
        [Fault(at="/token", body=b'{"token": "T-MARKED\\n"}')],
        [Fault(at="/token", body=token + b', "issued_at": "T-MARKED"}')],
        [Fault(at="/token", redirect=f"http://127.0.0.1:1/?{QUERY}")],
    ]
    return [*short, *of_all, *(of_token_servers if scheme == "bearer" else [])]


class Telling:
    """A client whose every word is kept."""

    def __init__(self, setting: Setting, held: Held) -> None:
        self.metrics = Metrics()
        self.inspection = Inspection(IMAGE)
        self.access = held.access
        self._clock = setting.clock
        self.said: list[str] = []
        trace = self.inspection.trace
        hooks = Hooks(
            clock=setting.clock,
            wall=setting.clock,
            sleep=setting.sleep,
            on_request=self.metrics.requested,
            on_cache=self.metrics.looked_up,
            on_program=self.metrics.provider_ran,
            on_breaker=self.metrics.breaker_moved,
            on_exchange=trace.requests.append,
            on_answer=trace.answers.append,
        )
        options = RegistryOptions(hosts_dir=setting.folder, addresses=LOOPBACK, own=held.own)
        self.images = RegistryImages(options, hooks)
        setting.opened.append(self.images)

    async def ask(self) -> None:
        await inspect(self.inspection, self.images, self.access)
        self._clock.now += 1000  # so that the registry is asked again
        try:
            self.said.append(repr(await self.images.resolve(TAGGED, self.access)))
        except RegistryError as error:
            self.said += [str(error), repr(error), repr(error.exchange), error.detail]
            self.said += traceback.format_exception(error)
        self.said += [repr(inspect_document([self.inspection])), repr(self.inspection), self._table()]
        self.said += [generate_latest(self.metrics.registry).decode(), repr(vars(self.images)), *self._keys()]

    def _table(self) -> str:
        stream = io.StringIO()
        print_inspections([self.inspection], stream)
        return stream.getvalue()

    def _keys(self) -> Iterator[str]:
        """The keys of everything that remembers; what they lead to may well be a token."""
        cache, client = self.images._cache, self.images._client
        for store in (cache.documents, cache.tags, cache.failures):
            yield repr(list(store._entries))
        yield repr([list(cache.shelves._shelves), list(client._tokens._good), list(client._challenges.items())])
        yield repr([list(self.images._transports._made), list(client._heads._until), list(client._plain)])


def marked(texts: Iterable[str]) -> list[str]:
    """The texts, or what they are the code of, in which a mark is to be found."""
    whole = list(texts)
    codes = {run for text in whole for run in (*HEX.findall(text), *BASE64.findall(text))}
    inner = {text for run in codes for text in _decoded(run)}
    again = {text for one in inner for run in BASE64.findall(one) for text in _decoded(run)}
    urls = [urllib.parse.unquote(text) for text in whole if "%2D" in text.upper()]
    return [text[:2000] for text in (*whole, *urls, *inner, *again) if MARK.search(text)]


def _decoded(run: str) -> Iterator[str]:
    """What a run of letters may stand for, wherever its code begins in it."""
    for start in range(4):
        rest = run[start:].translate({ord("-"): "+", ord("_"): "/"})
        whole = rest[:-1] if len(rest) % 4 == 1 else rest
        yield base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")
        if HEX.fullmatch(run[start:]):
            yield bytes.fromhex(run[start : start + (len(run) - start) // 2 * 2]).decode("latin-1")


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("kind", SOURCES)
async def test_marked_secrets_come_out_nowhere(
    setting: Setting, registry: Registry, tmp_path: Path, logged: io.StringIO, kind: str, scheme: str
):
    asyncio.get_running_loop().set_debug(scheme == "basic" and "helper" in kind)  # asyncio tells more then, slowly
    newborn = Newborn()
    registry.push("team/app", build.single("linux/amd64"), "1")
    public = {"team/app"} if kind == "nobody" else set[str]()
    registry.auth = Auth(scheme, {"ann": WORD}, refresh={WORD: "ann"}, public=public)
    header = "" if kind == "nobody" else f'[header]\nx-key = "{HEADER}"\n'
    setting.serve("reg.example", text=f'server = "{registry.url}"\n{header}')
    held = SOURCES[kind](tmp_path, setting)
    told: list[Telling] = []
    with Registry() as other:
        for some in faults(other, kind, scheme):
            registry.faults = [replace(fault) for fault in some]
            setting.clock.now += 1000
            told.append(Telling(setting, held))
            await told[-1].ask()
    said = [text for telling in told for text in telling.said]
    said += [*map(repr, newborn), *map(repr, held.own), logged.getvalue()]
    assert marked(said) == []
    _secrets_were_there(registry, kind, scheme)
    assert any("podgate_registry_requests_total{" in text for text in said)
    assert "GET http" in logged.getvalue()
    for source in held.close:
        await source.aclose()


def _secrets_were_there(registry: Registry, kind: str, scheme: str) -> None:
    """That the test has planted what it looks for: the registry was shown the word, or a token for it."""
    shown = [asked.authorization.partition(" ")[2] for asked in registry.log if asked.authorization]
    passwords = [base64.b64decode(text).decode() for text in shown if not text.startswith(("token-", "PASS"))]
    given = [value for asked in registry.log for values in asked.form.values() for value in values]
    if kind in ("a helper that fails", "nobody"):
        assert not any(WORD in text for text in [*passwords, *given])
    elif kind == "a registry token":
        assert (WORD in shown) == (scheme == "bearer")
    elif "identity token" in kind:
        assert (WORD in given) == (scheme == "bearer")
    else:
        assert any(text.endswith(f":{WORD}") for text in passwords)
    keys = {asked.headers.get("x-key", "") for asked in registry.asked("/v2/*")}
    assert keys == {"" if kind == "nobody" else HEADER}


async def test_a_malformed_secret_is_named_and_not_shown(setting: Setting, registry: Registry):
    broken = PullSecret("default", "pull", "kubernetes.io/dockerconfigjson", f'{{"auths": "{WORD}"'.encode())
    with pytest.raises(BadCredentials) as caught:
        await setting.images().resolve(TAGGED, Access(secrets=(broken,)))
    assert marked([str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]) == []
    assert "default/pull" in str(caught.value)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("proof", [WORD, base64.b64encode(f"ann:{WORD}".encode()).decode(), "token-7-ann-MARKED"])
def test_the_look_for_marks_finds_what_is_there(coding: str, proof: str):
    """In all the ways in which the test's registry may send back what it was sent."""
    text = CODINGS[coding](json.dumps([f"Basic {proof}", {"a": "b"}]))
    if coding != "upper" or "MARKED" in proof:  # base64 in capital letters is no secret any more
        assert marked([f"some text, {text} and more"])
    assert not marked([CODINGS[coding](json.dumps(["PASSWORD, marked and remarkable"])), "b64 abcdefghijklmnopqrst"])
