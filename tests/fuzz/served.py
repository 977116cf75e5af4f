"""Targets beyond a port: reviews that come to podgate's server, and answers that registries give its client."""

import asyncio
import hashlib
import io
import json
import logging
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.fuzz import parts
from tests.fuzz.laws import SECRET, Answer, hold, is_a_fault, lines, tells_no_secret
from tests.fuzz.objects import IMAGES
from tests.service.conftest import node, pull_secret
from tests.support import images
from tests.support.registry import Fault, Registry
from tests.support.serving import RECORDED, Served, response_of
from webhook.app.generations import Around, Generations
from webhook.app.serve import Observers, hooks
from webhook.cluster.files import FileCluster
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import PullSecret
from webhook.core.reference import parse_image
from webhook.observability.logs import DecisionLog
from webhook.observability.metrics import Metrics
from webhook.ports import Access
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.settings import parse_settings

WALL = 1_700_000_000.0
DEADLINE = "10s"
"""What an API server waits for by default; the time that counts here is the runner's."""


class Logged(logging.Handler):
    """What is logged while an input is looked at."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = io.StringIO()
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record as it would be printed, what is said beside it too."""
        extra = {key: value for key, value in vars(record).items() if key not in _USUAL}
        self.text.write(f"{self.format(record)} {extra}\n")

    def taken(self) -> str:
        """What was logged since the last time."""
        text = self.text.getvalue()
        self.text.seek(0)
        self.text.truncate()
        return text


_USUAL = frozenset(vars(logging.makeLogRecord({})))


class WithRegistry:
    """An event loop, a registry on loopback that is called reg.example, and a log at DEBUG."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="podgate-fuzz-")))
        self.registry = self._stack.enter_context(Registry())
        self.runner = self._stack.enter_context(asyncio.Runner())
        self.runner.get_loop().set_exception_handler(self._unhandled)
        self.unhandled: list[str] = []
        hosts = self.folder / "hosts" / "reg.example"
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(f'server = "{self.registry.url}"\n')
        self.logged = Logged()
        logger = logging.getLogger("podgate")
        self._stack.callback(logger.setLevel, logger.level)
        self._stack.callback(setattr, logger, "propagate", logger.propagate)
        self._stack.callback(logger.removeHandler, self.logged)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self.logged)
        logger.propagate = False
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody caught, in a task that nobody waits for."""
        self.unhandled.append(repr(context))

    def nothing_is_unhandled(self) -> None:
        """Raises Broken where an exception was left lying about."""
        unhandled, self.unhandled = self.unhandled, []
        hold(not unhandled, f"unhandled: {unhandled[:3]}")


class Reviews(WithRegistry):
    """The body of a request to the webhook's server, as it comes from whoever reaches its port."""

    name = "reviews"

    def __enter__(self) -> Self:
        super().__enter__()
        for name, image in IMAGES.items():
            repository, _, tag = name.removeprefix("reg.example/").partition(":")
            self.registry.push(repository, image, tag)
        self.served = Served(self.folder)
        self.runner.run(self._start())
        return self

    def __exit__(self, *error: object) -> None:
        self.runner.run(self._stop())
        self._stack.close()

    async def _start(self) -> None:
        settings = {
            "registries": {
                "hostsDir": str(self.folder / "hosts"),
                "allowedAddresses": ["127.0.0.0/8"],
                "allowedHosts": ["reg.example"],  # nobody else is asked, whatever is found in an input
            },
            "binding": "warn",
            "cache": {"tagTTL": "1h", "negativeTTL": "1m"},
        }
        metrics = Metrics()
        around = Around(
            cluster=FileCluster.from_documents(_cluster()),
            listed=lambda: True,
            connection=None,
            observer=Observers([metrics, DecisionLog()]),
            unreadable=metrics.unreadable,
            hooks=hooks(metrics),
            surrounded=lambda options: replace(options, lend_lists=False),  # one input must not change another's answer
        )
        self._generations = Generations(parse_settings(settings), around)
        port = await self.served.server.start(self._generations.review)
        self._url = f"https://localhost:{port}/validate?timeout={DEADLINE}"
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.served.trust))

    async def _stop(self) -> None:
        await self._client.close()
        await self.served.server.stop()
        await self._generations.aclose()

    def seeds(self) -> list[bytes]:
        found: list[str] = []
        for review in RECORDED.values():
            text = json.dumps(review, separators=(",", ":"))
            for name in ("x/y:1", "reg.example/team/db:1", "reg.example/log:1", "reg.example/a:1"):
                found.append(text.replace(name, list(IMAGES)[len(found) % len(IMAGES)]))
        return [text.encode() for text in dict.fromkeys(found)]

    def answer(self, data: bytes) -> Answer:
        status, kind, body = self.runner.run(self._asked(data))
        said, logged = body.decode(), self.logged.taken()
        errors, self.served.errors = self.served.errors, 0
        hold(errors == 0, f"the last resort: {logged[-2000:]}")
        self.nothing_is_unhandled()
        tells_no_secret((said, logged))
        response = response_of(status, kind, body)
        expected = _uid(data)
        hold(expected is None or response["uid"] == expected, f"the uid is {response['uid']!r}, not {expected!r}")
        hold(len(response.get("warnings", ())) <= 8, "more than eight warnings")
        notes = response.get("auditAnnotations", {})
        hold(response["allowed"] or notes["reason"] == "mismatch", f"denied for {notes}")
        lines(response.get("status", {}).get("message", ""))
        return Answer(f"{notes['decision']} {notes['reason']}", said)

    async def _asked(self, data: bytes) -> tuple[int, str, bytes]:
        async with self._client.post(self._url, data=data, headers={"Content-Type": "application/json"}) as answer:
            return answer.status, answer.content_type, await answer.read()


def _cluster() -> list[dict[str, Any]]:
    nodes = [node("amd-1"), node("arm-1", "linux/arm64", "cri-o://1.33.0"), node("win-1", "windows/amd64:10.0.20348.1")]
    names = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("rec", "rv-adm")]
    secrets = [pull_secret("pull", {"reg.example": f"user:{SECRET}"}, name) for name in ("rec", "rv-adm", "default")]
    return [*nodes, *names, *secrets]


def _uid(data: bytes) -> str | None:
    """The uid that an answer must have; None where the text is no JSON to every reader (NaN, numbers beyond any
    double, halves of surrogate pairs, too deep), and the first that looks like one counts."""
    try:
        review = json.loads(data.decode(), parse_constant=_none, parse_float=_finite, parse_int=_finite)
    except (ValueError, RecursionError):
        return None
    if "\\ud" in data.decode().lower() or data.count(b"[") + data.count(b"{") > 1000:
        return None
    request = review.get("request") if isinstance(review, dict) else None
    uid = request.get("uid") if isinstance(request, dict) else None
    return uid if isinstance(uid, str) else ""


def _none(constant: str) -> None:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


class Answers(WithRegistry):
    """What comes over the wire when a registry is asked, byte by byte as the registry sends it: head and body. In the
    head `{length}` stands for the length of the body."""

    name = "answers"

    def seeds(self) -> list[bytes]:
        index, single = images.multi("linux/amd64", "linux/arm64").root, images.single("linux/amd64").root
        found = []
        for content in (index, single):
            usual = [f"Content-Type: {content.media_type}", f"Docker-Content-Digest: {content.digest}"]
            found.append(_http("200 OK", usual, content.body))
            pieces = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content.body), content.body)
            found.append(_http("200 OK", [*usual, "Transfer-Encoding: chunked"], pieces))
        realm = (
            f'WWW-Authenticate: Bearer realm="{self.registry.url}/token",service="s",scope="repository:team/app:pull"'
        )
        errors = b'{"errors":[{"code":"DENIED","message":"no"}]}'
        statuses = ("401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Oops", "503 Busy", "204 No Content")
        found += [_http(status, [realm, "Retry-After: 1"], errors) for status in statuses]
        found.append(_http("401 No", ['WWW-Authenticate: Basic realm="r"'], b""))
        found.append(_http("429 Slow", ["Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"], b""))
        places = ("/elsewhere", "https://cdn.example/x?sig=1", "http://169.254.169.254/", "//reg.example:1/")
        found += [_http("307 There", [f"Location: {where}"], b"") for where in places]
        token = json.dumps({"token": "t", "expires_in": 60}).encode()
        found.append(_http("200 OK", ["Content-Type: application/json"], token))
        found.append(_http("200 OK", ["Content-Encoding: gzip"], b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
        return [text.replace(self.registry.address.encode(), ADDRESS) for text in found]

    def answer(self, data: bytes) -> Answer:
        head, *rest = parts.split(data.replace(ADDRESS, self.registry.address.encode()))
        body = b"".join(rest)
        self.registry.faults[:] = [Fault(raw=head.replace(b"{length}", str(len(body)).encode()) + body)]
        self.registry.log.clear()
        said = self.runner.run(self._asked())
        self.nothing_is_unhandled()
        asked = len(self.registry.log)
        hold(asked <= MOST_REQUESTS, f"{asked} requests for one document")
        tells_no_secret((said, self.logged.taken().replace(self.registry.address, "")))
        kind = said.partition(":")[0] if said.startswith("fault") else "read"
        return Answer(f"{kind} {said.split()[1]}" if kind == "fault" else kind, said.replace(self.registry.address, ""))

    async def _asked(self) -> str:
        """What is known of the image in the end, in words."""
        options = RegistryOptions(
            hosts_dir=self.folder / "hosts",
            addresses=AddressPolicy(allowed=(ip_network("127.0.0.0/8"),)),
            allowed_hosts=("reg.example",),
            request_timeout=2.0,
        )
        clocks = Hooks(wall=lambda: WALL, sleep=_at_once, jitter=lambda: 0.0)
        config = json.dumps({"auths": {"reg.example": {"username": "user", "password": SECRET}}}).encode()
        secret = PullSecret("team", "pull", "kubernetes.io/dockerconfigjson", config)
        reference = parse_image("reg.example/team/app:1")
        async with RegistryImages(options, clocks) as client:
            try:
                image = await client.resolve(reference, Access("team", (secret,)))
            except RegistryError as error:
                is_a_fault(error)
                return f"fault: {error.code} {error.exchange.status}"
            except BadCredentials as error:
                return f"fault: bad-credentials {error}"
        root = image.root
        hold(root.digest == "sha256:" + hashlib.sha256(root.body).hexdigest(), f"another digest: {root.digest}")
        return f"{root.media_type!r} {root.digest}"


ADDRESS = b"REGISTRY"
"""Stands for the address of the registry, which is another in each run."""
MOST_REQUESTS = 40
"""Requests that one look-up may cost, with its retries, redirects, challenges and tokens."""


def _http(status: str, headers: list[str], body: bytes) -> bytes:
    """An answer in two parts, so that damage to one leaves the other whole."""
    framed = any(header.startswith(("Transfer-Encoding", "Content-Encoding")) for header in headers)
    head = [f"HTTP/1.1 {status}", *headers, *([] if framed else ["Content-Length: {length}"]), "", ""]
    return parts.joined(["\r\n".join(head).encode(), body])


async def _at_once(_: float) -> None:
    """No pause, but others get their turn."""
    await asyncio.sleep(0)
