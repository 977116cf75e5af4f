"""One object that takes all there is: others' reviews are answered, with their verdict, while it is looked at.

Counted are others' reviews and their verdicts. How long the event loop worked in one piece is told as a share of what
the same work takes at once, both as processor time of their own thread: no matter how fast or busy the machine is.
"""

import asyncio
import gc
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.attacks.conftest import PUBLIC, Gate, Response, body_of, verdict
from tests.service.conftest import Object, node, pod
from tests.support import images
from tests.support.internet import Internet
from tests.support.listening import InThread
from tests.support.registry import Fault, Registry
from tests.support.relay import Relay
from webhook.core.candidates import Admission
from webhook.core.lookup import examine_on
from webhook.core.manifest import Document
from webhook.core.platform import parse_platform
from webhook.core.runtime import Runtime
from webhook.core.workload import parse_workload

GOOD = "public.example/good/app:1"
BAD = "public.example/team/app:1"
SOON = "8s"
"""What is given to objects about which nothing comes of waiting; others get what an API server gives at most, so that a
busy machine makes no difference."""
OTHERS = 40
"""Reviews of others during each attack."""


@pytest.fixture
def crowd(gate: Gate, public: Registry) -> Registry:
    """The registry of everybody, with an image that runs and one that does not."""
    public.push("good/app", images.multi("linux/amd64", "linux/arm64"), "1")
    gate.settings = {"registries": {"requestTimeout": "2s"}}
    return public


_LOOK = 0.001


class Longest:
    """How much processor time the event loop's thread took between two turns, at most, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def watch(self) -> None:
        """Looks at it all the time."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(_LOOK)
            self.seconds = max(self.seconds, time.thread_time() - before)


@asynccontextmanager
async def watched() -> AsyncIterator[Longest]:
    """Around an attack. What the tests' own process holds is kept from the garbage collector meanwhile, which else
    looks through all of it: a process of podgate's holds less, and keeps it from it as well."""
    gc.collect()
    gc.freeze()
    longest = Longest()
    watching = asyncio.create_task(longest.watch())
    try:
        yield longest
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        gc.unfreeze()


async def others_go_on(gate: Gate, *attacks: Object | bytes, within: str = "30s") -> list[Response]:
    """Sends objects, and while they are looked at, others' reviews one after another: all get their verdicts. Returns
    the answers to the objects."""
    images_of_others = (BAD, GOOD)
    expected = [verdict(await gate.review(image)) for image in images_of_others]
    assert expected == ["deny mismatch", "allow match"]
    under_way = [asyncio.create_task(gate.review(obj, within=within)) for obj in attacks]
    await asyncio.sleep(0.05)
    got = []
    for number in range(OTHERS):
        got.append(verdict(await gate.review(images_of_others[number % 2], within="30s")))
        await asyncio.sleep(0.01)
    assert got == expected * (OTHERS // 2)
    return list(await asyncio.gather(*under_way))


async def test_a_thousand_containers(gate: Gate, crowd: Registry):
    for number in range(100):
        crowd.push(f"many/app{number}", images.multi("linux/amd64", text=str(number)), "1")
    obj = pod(*[f"public.example/many/app{number % 100}:{1 + number // 500}" for number in range(1000)])
    [answer] = await others_go_on(gate, obj)
    assert verdict(answer) == "warn undetermined"  # half of them are not there
    assert len(answer["warnings"]) <= 8
    assert len(crowd.asked("/v2/many/*")) == 200  # each once, whatever the number of containers


async def test_a_thousand_registries_none_of_which_answers(gate: Gate, internet: Internet, crowd: Registry):
    for number in range(1000):
        internet.names[f"r{number}.example"] = [["93.1.1.1"]]
    async with Relay() as silent:
        internet.places["93.1.1.1"] = silent
        [answer] = await others_go_on(
            gate, pod(*[f"r{number}.example/team/app:1" for number in range(1000)]), within=SOON
        )
        assert verdict(answer) == "warn undetermined"
        assert 0 < silent.made < 100  # it had its share of the connections, and not all


class Drip(InThread):
    """A server that never comes to the end of its first header."""

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not writer.is_closing():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.1)


async def test_hosts_that_send_a_byte_at_a_time(
    gate: Gate, internet: Internet, crowd: Registry, certified: ssl.SSLContext
):
    """Nine registries in nine pods of 64 images; each answer would take for ever."""
    with Drip("127.0.0.1", certified) as drip:
        internet.places["93.1.1.1"] = drip
        for number in range(9):
            internet.names[f"slow{number}.public.example"] = [["93.1.1.1"]]
        pods = [pod(*[f"slow{number}.public.example/a{one}:1" for one in range(64)]) for number in range(9)]
        answers = await others_go_on(gate, *pods, within=SOON)
        assert {verdict(answer) for answer in answers} == {"warn undetermined"}
        assert internet.reached("93.1.1.1")


async def test_names_that_nobody_resolves(gate: Gate, internet: Internet, crowd: Registry):
    obj = pod(*[f"n{number}.nowhere.example/team/app:1" for number in range(1000)])
    [answer] = await others_go_on(gate, obj)
    assert verdict(answer) == "warn undetermined"


def hostile_index() -> images.Content:
    """As many entries as are read, none for a node of these tests."""
    entry = images.single("linux/amd64").root.descriptor()
    platforms = [{"os": "linux", "architecture": "arm", "variant": f"v{number}"} for number in range(9_990)]
    return images.index([{**entry, "platform": platform} for platform in platforms])


async def test_a_hostile_index(gate: Gate, crowd: Registry):
    content = hostile_index()
    document = Document(content.media_type, content.digest, content.body)
    whole = _at_once(lambda: _examined(document))
    for tag in range(3):
        crowd.hold("large/app", "manifests", str(tag), changed_by(content, str(tag)))
    pods = [pod(f"public.example/large/app:{tag}") for tag in range(3)]
    async with watched() as longest:
        answers = await others_go_on(gate, *pods)
    assert {verdict(answer) for answer in answers} == {"deny mismatch"}
    assert longest.seconds < whole / 2
    print(f"a hostile index: {whole:.3f} s at once, the event loop worked {longest.seconds:.3f} s in one piece at most")


def changed_by(content: images.Content, text: str) -> images.Content:
    """The same index as another document."""
    return images.index(content.json["manifests"], annotations={"text": text})


def _examined(document: Document) -> None:
    with suppress(StopIteration):
        next(examine_on(document, (parse_platform("linux/amd64"),), Runtime.parse("containerd://2.1.4")))


def _at_once(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def with_terms(count: int, expressions: Callable[[int], list[dict[str, Any]]]) -> Object:
    """A pod of so many terms of affinity."""
    terms = [{"matchExpressions": expressions(number)} for number in range(count)]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return pod(BAD, affinity={"nodeAffinity": required})


def node_pool(name: str) -> Object:
    arch = {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    template = {"spec": {"requirements": [arch, linux]}}
    about = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}}
    return {**about, "spec": {"template": template}}


TERMS: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "that-nothing-meets": lambda n: [{"key": f"k{n}", "operator": "Exists"}, {"key": "never", "operator": "Exists"}],
    "that-all-meet": lambda n: [{"key": "zone", "operator": "NotIn", "values": [f"z{n}"]}],
    "with-numbers": lambda n: [{"key": "serial", "operator": "Gt", "values": [str(n)]}],
}


@pytest.mark.parametrize("expressions", TERMS.values(), ids=TERMS)
async def test_twenty_thousand_terms_of_affinity(
    gate: Gate, crowd: Registry, expressions: Callable[[int], list[dict[str, Any]]]
):
    gate.objects = [*(node(f"n{number}") for number in range(100)), *(node_pool(f"p{number}") for number in range(20))]
    obj = with_terms(20_000, expressions)
    whole = _at_once(lambda: _demands(obj))
    body = body_of(obj)
    async with watched() as longest:
        answers = await others_go_on(gate, body, body)
    assert all(answer["allowed"] or verdict(answer) == "deny mismatch" for answer in answers)
    assert longest.seconds < whole / 2
    print(f"20,000 terms: {whole:.3f} s at once, the event loop worked {longest.seconds:.3f} s in one piece at most")


def _demands(obj: Object) -> None:
    workload = parse_workload(json.loads(json.dumps(obj)))
    assert workload is not None
    Admission(workload.constraints)


MANY_SECRETS = [{"name": f"s{number}"} for number in range(5000)]
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]

LARGE: dict[str, Object] = {
    "annotations": pod(BAD, metadata={"annotations": {f"a{number}": "x" * 250 for number in range(3000)}}),
    "pull-secrets": pod(BAD, imagePullSecrets=MANY_SECRETS),
    "tolerations": pod(BAD, tolerations=[{"key": f"t{number}", "operator": "Exists"} for number in range(10_000)]),
    "node-selector": pod(BAD, nodeSelector={f"k{number}": "v" for number in range(10_000)}),
    "labels": pod(BAD, metadata={"labels": {f"k{number}": "v" for number in range(10_000)}}),
    "owners": pod(BAD, metadata={"ownerReferences": [{"kind": "X", "name": str(number)} for number in range(5000)]}),
    "volumes": pod(BAD, volumes=[{"name": f"v{number}", "image": {"reference": BAD}} for number in range(2000)]),
    "deep-json": pod(BAD, deep=DEEP),
    "name-of-64-KiB": pod("public.example/" + "a/" * (1 << 15) + "app:1"),
    "tag-of-64-KiB": pod("public.example/team/app:" + "a" * (1 << 16)),
    "digest-of-64-KiB": pod("public.example/team/app@sha256:" + "a" * (1 << 16)),
    "host-of-64-KiB": pod("a" * (1 << 16) + ".example/team/app:1"),
    "host-of-many-dots": pod("a." * (1 << 15) + "example/team/app:1"),
    "container-of-64-KiB": {**pod(BAD), "spec": {"containers": [{"name": "c" * (1 << 16), "image": BAD}]}},
    "object-of-64-KiB": pod(BAD, name="n" * (1 << 16)),
}


@pytest.mark.parametrize("name", LARGE)
async def test_large_objects(gate: Gate, crowd: Registry, name: str):
    obj = LARGE[name]
    answers = await others_go_on(gate, obj, obj)
    for answer in answers:
        assert len(json.dumps(answer)) < 16_384
        assert verdict(answer) in ("deny mismatch", "warn no-candidates", "warn undetermined", "allow not-understood")


async def test_a_redirect_storm_and_a_flood_of_bytes(gate: Gate, internet: Internet, crowd: Registry):
    """Bodies without end, and packed ones: what is read of them is bounded."""
    with Registry() as endless:
        endless.faults = [Fault("/v2/endless/*", endless=True), Fault("/v2/bomb/*", bomb=1 << 30)]
        internet.names["flood.example"] = [["93.1.1.1"]]
        internet.places["93.1.1.1"] = endless
        pods = [pod(f"flood.example:80/{kind}/app:1") for kind in ("endless", "bomb")]
        answers = await others_go_on(gate, *pods)
        assert {verdict(answer) for answer in answers} == {"warn undetermined"}
        assert endless.sent < 64 << 20
    assert PUBLIC in {address for address, _ in internet.connected}
