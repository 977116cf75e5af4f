"""Credentials that leave for another host, or show up: one `podgate serve` in a cluster is led every way at once.

Each way has a registry, a pull secret and a password of its own. Afterwards everything that the process has given off
is searched: its log at DEBUG, metrics, answers with warnings and audit annotations, Events, traces, command line; as it
is and in all codings that `marked` knows. And what other servers were asked.
"""

import asyncio
import base64
import gzip
import json
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.admission.test_serve import Process, kubeconfig, serve
from tests.attacks.ways_out import HERE, LEAVES, NOT_FOLLOWED, SHOWS, THERE, Host
from tests.registry.test_secrecy import marked
from tests.support import images
from tests.support.apiserver import ApiServer, api_server, node
from tests.support.otlp import Collector
from tests.support.registry import Asked, Auth, Registry
from tests.support.serving import answered, changed

WAYS = {**SHOWS, **LEAVES}
BROKEN = {
    "secret-that-is-no-json": '{"auths": "%s"',
    "secret-of-a-wrong-type": '{"auths": {"broken.example": {"auth": ["%s"]}}}',
    "secret-whose-auth-is-no-base64": '{"auths": {"broken.example": {"auth": "%s"}}}',
    "secret-without-a-colon": '{"auths": {"broken.example": {"auth": "%b"}}}',
    "secret-with-the-password-in-its-key": '{"auths": {"https://ann:%s@broken.example": {"auth": "x"}}}',
}
"""Pull secrets that cannot be used."""


@dataclass
class Siege:
    """What came of it, by way."""

    hosts: dict[str, Host] = field(default_factory=dict)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


def password_of(way: str) -> str:
    return f"{way}/+&-MARKED"


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    folder = tmp_path_factory.mktemp("siege")
    result = Siege()
    with ExitStack() as stack:
        for way, makes in WAYS.items():
            home, other, beside = (stack.enter_context(Registry(host=host)) for host in (HERE, THERE, HERE))
            password = password_of(way)
            home.auth = Auth(users={"ann": password})
            home.push("team/app", images.single("linux/s390x"), "1")
            result.hosts[way] = Host(home, other, beside, password)
            makes(result.hosts[way])
        collector = stack.enter_context(Collector())
        asyncio.run(_besiege(result, folder, collector))
        spans = [gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw for raw in collector.raw]
        assert any(b"reg.siege" in span for span in spans)
        result.said += [span.decode("latin-1") for span in spans]
    result.found = marked(result.said)
    return result


async def _besiege(result: Siege, folder: Path, collector: Collector) -> None:
    async with api_server() as api:
        api.put("nodes", node("amd-1"))
        api.put("namespaces", {"metadata": {"name": "team"}})
        for way, host in result.hosts.items():
            _hosts_file(folder, way, host)
            pair = base64.b64encode(f"ann:{host.password}".encode()).decode()
            _put_secret(api, way, json.dumps({"auths": {f"{way}.reg.siege": {"auth": pair}}}))
        for way, text in BROKEN.items():
            word = password_of(way)
            _put_secret(api, way, text.replace("%s", word).replace("%b", base64.b64encode(word.encode()).decode()))
        (folder / "settings.yaml").write_text(json.dumps(_settings(folder, collector)))
        arguments = ("--config", str(folder / "settings.yaml"))
        async with serve(folder, *arguments, KUBECONFIG=kubeconfig(folder, api.url)) as podgate:
            await podgate.ready()
            result.answers = dict(await asyncio.gather(*(_review(podgate, way) for way in (*WAYS, *BROKEN))))
            result.said.append((await podgate.health("/metrics"))[1])
            result.said.append(Path(f"/proc/{podgate.process.pid}/cmdline").read_text())  # noqa: ASYNC240 -- no disk
            async with asyncio.timeout(30):
                while not api.all("events"):  # noqa: ASYNC110 -- they are written in another process
                    await asyncio.sleep(0.01)
            podgate.process.send_signal(signal.SIGTERM)
            assert await podgate.exit_code() == 0
        result.said += [json.dumps(api.all("events")), json.dumps(result.answers), *podgate.lines]


def _settings(folder: Path, collector: Collector) -> dict[str, Any]:
    registries = {"hostsDir": str(folder / "hosts"), "allowedAddresses": ["127.0.0.0/8"]}
    return {"mode": "warn", "registries": registries, "log": {"level": "debug"}, "traces": {"endpoint": collector.url}}


def _hosts_file(folder: Path, way: str, host: Host) -> None:
    place = folder / "hosts" / f"{way}.reg.siege"
    place.mkdir(parents=True)
    header = f'[header]\nx-key = "key-of-{host.password}"\n'
    (place / "hosts.toml").write_text(f'server = "{host.home.url}"\n{header}')


def _put_secret(api: ApiServer, name: str, config: str) -> None:
    data = {".dockerconfigjson": base64.b64encode(config.encode()).decode()}
    metadata = {"name": name, "namespace": "team"}
    api.put("secrets", {"metadata": metadata, "type": "kubernetes.io/dockerconfigjson", "data": data})


async def _review(podgate: Process, way: str) -> tuple[str, list[dict[str, Any]]]:
    """Twice, so that what is remembered is asked for as well."""
    host = f"{way}.reg.siege" if way in WAYS else "broken.example"
    spec = {"containers": [{"name": "app", "image": f"{host}/team/app:1"}]}
    spec["imagePullSecrets"] = [{"name": way}]
    answers = []
    for _ in range(2):
        metadata = {"name": way, "namespace": "team", "uid": f"uid-of-{way}"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        body = json.dumps(changed("CREATE-Pod", namespace="team", name=way, object=pod)).encode()
        answers.append(await answered(await podgate.port(), podgate.trust, body, "?timeout=4s"))
    return way, answers


def traces_of(requests: list[Asked]) -> list[str]:
    """All that some requests carried."""
    return [repr((asked.path, asked.query, asked.headers, asked.form)) for asked in requests]


@pytest.mark.parametrize("way", SHOWS)
def test_a_credential_that_is_sent_back_shows_up_nowhere(siege: Siege, way: str):
    shown = marked(traces_of(siege.hosts[way].home.log))
    assert any(password_of(way) in text for text in shown)  # it was there to be sent back
    assert [text for text in siege.found if way in text] == []
    assert all(answer["allowed"] for answer in siege.answers[way])


@pytest.mark.parametrize("way", LEAVES)
def test_a_credential_stays_where_it_belongs(siege: Siege, way: str):
    host = siege.hosts[way]
    assert any(password_of(way) in text for text in marked(traces_of(host.home.log)))
    elsewhere = [*host.other.log, *host.beside.log]
    assert bool(elsewhere) == (way not in NOT_FOLLOWED)  # they were asked, and shown nothing
    assert marked(traces_of(elsewhere)) == []
    assert not any("authorization" in asked.headers for asked in elsewhere)
    assert [text for text in siege.found if way in text] == []


@pytest.mark.parametrize("way", BROKEN)
def test_a_secret_that_cannot_be_used_is_named_and_not_shown(siege: Siege, way: str):
    assert [text for text in siege.found if way in text] == []
    assert all(answer["allowed"] for answer in siege.answers[way])


def test_nothing_else_shows_up_and_all_was_searched(siege: Siege):
    assert siege.found == []
    whole = "".join(siege.said)
    for sign in ("podgate_registry_requests_total{", '"level": "DEBUG"', "involvedObject", "auditAnnotations"):
        assert sign.lower().replace(" ", "") in whole.lower().replace(" ", ""), sign


def test_the_search_finds_what_a_process_would_give_off(siege: Siege):
    """Each password as the log, a URL, a metric or a span might hold it."""
    for way in WAYS:
        host = siege.hosts[way]
        for text in (host.password, f"Basic {host.pair}", f"https://x/?a={host.password}", host.pair.encode().hex()):
            assert any(way in found for found in marked([f"a word, {text}, and more"])), text
