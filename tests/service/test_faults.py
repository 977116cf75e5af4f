"""Faults become `uncertain` with their code, and take nothing along that is proven without them."""

import asyncio
import logging
from typing import Any

import pytest

from tests.cluster.test_reflector import connection_to
from tests.service.conftest import World, brief, codes, node, outcomes, pod, pull_secret, templated
from tests.support import images
from tests.support.apiserver import api_server
from tests.support.apiserver import node as live_node
from tests.support.images import Content
from tests.support.registry import Auth, Fault, Registry
from webhook.cluster.files import FileCluster
from webhook.cluster.live import LiveCluster
from webhook.core.errors import BadCredentials, ClusterUnavailable
from webhook.core.keyring import PullSecret
from webhook.core.manifest import Document
from webhook.core.wording import INTERNAL, SECRETS_UNREADABLE
from webhook.registry.resolver import RegistryImages

ONE_NODE = node("n", "linux/arm64")
UNRESOLVED = {"n": ["uncertain image-unresolved"]}

FAULTS: list[tuple[str, Fault]] = [
    ("not-found", Fault(status=404)),
    ("unauthorized", Fault(status=401)),
    ("denied", Fault(status=403)),
    ("rate-limited", Fault(status=429)),
    ("unavailable", Fault(status=503)),
    ("unavailable", Fault(close=True)),
    ("unavailable", Fault(raw=b"SSH-2.0-OpenSSH\r\n")),
    ("malformed", Fault(body=b"<html>")),
    ("malformed", Fault(body=b"[]")),
    ("too-large", Fault(endless=True)),
]


@pytest.mark.parametrize(("code", "fault"), FAULTS, ids=[f"{code}-{number}" for number, (code, _) in enumerate(FAULTS)])
async def test_a_fault_is_uncertain_with_its_code(world: World, code: str, fault: Fault) -> None:
    world.has(ONE_NODE)
    world.registry.push("app", images.single("linux/amd64"), "1")
    world.registry.faults.append(fault)
    judgement = await world.judge(pod("reg.example/app:1"))
    assert brief(judgement) == "warn undetermined"
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, [code])
    (warning,) = judgement.messages
    assert warning.startswith('podgate: Pod web: container "a": reg.example/app:1 may not run on n (linux/arm64): ')
    assert world.registry.address not in warning


async def test_a_digest_that_is_not_the_bodys(world: World) -> None:
    world.has(ONE_NODE)
    image = images.single("linux/amd64")
    world.registry.hold("app", "manifests", image.digest, Content(images.OCI_MANIFEST, b'{"schemaVersion":2}'))
    judgement = await world.judge(pod(f"reg.example/app@{image.digest}"))
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, ["digest-mismatch"])


async def test_a_host_and_an_address_that_may_not_be_asked(world: World) -> None:
    world.has(ONE_NODE)
    world.options = {"allowed_hosts": ("reg.example",)}
    judgement = await world.judge(pod("other.example/app:1", "reg.example/app:1"))
    assert codes(judgement) == ["blocked-host", "not-found"]
    (world.hosts / "meta.example").mkdir()
    (world.hosts / "meta.example" / "hosts.toml").write_text('server = "http://169.254.169.254"\n')
    await world.forget()
    world.options = {}
    judgement = await world.judge(pod("meta.example/app:1"))
    assert codes(judgement) == ["blocked-address"]
    assert "169.254" not in " ".join(judgement.messages)


async def test_a_config_that_cannot_be_had_is_asked_for_once_for_all_shapes(world: World) -> None:
    world.has(*(node(f"n{number}", f"linux/{arch}") for number, arch in enumerate(("amd64", "arm64", "s390x"))))
    image = world.registry.push("app", images.single("linux/amd64"), "1")
    world.registry.faults.append(Fault(at="*/blobs/*", status=404))
    judgement = await world.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {f"n{number}": ["uncertain image-unresolved"] for number in range(3)}
    assert codes(judgement) == ["not-found"]
    assert judgement.images[0].resolved == f"reg.example/app@{image.digest}"
    assert len(world.registry.asked("*/blobs/*")) == 1


async def test_a_fault_on_the_way_to_one_shape_leaves_the_others_their_outcome(world: World) -> None:
    """containerd looks into the entry without a platform, which is not there; CRI-O passes it over."""
    world.has(node("a", runtime="containerd://1.7.2"), node("b", runtime="cri-o://1.32.0"), node("c", "linux/arm64"))
    index = images.listed([(None, images.single("linux/s390x")), ("linux/arm64", images.single("linux/arm64"))])
    world.registry.push("app", images.Image(index.root), "1")
    judgement = await world.judge(pod("reg.example/app:1"))
    assert outcomes(judgement) == {
        "a": ["uncertain image-unresolved"],
        "b": ["uncertain platform-unknown"],
        "c": ["runs fits"],
    }
    assert codes(judgement) == ["not-found"]
    assert judgement.images[0].platforms == ("linux/arm64",)


# What is proven decides


async def test_a_proven_mismatch_decides_beside_a_registry_that_is_down(world: World) -> None:
    world.has(ONE_NODE)
    world.registry.push("index", images.multi("linux/amd64"), "1")
    world.registry.push("single", images.single("linux/amd64"), "1")
    down = world.serve("down.example", Registry())
    down.faults.append(Fault(close=True))
    for proven, why in (("index", "no-matching-entry"), ("single", "config-mismatch")):
        judgement = await world.judge(pod("down.example/app:1", f"reg.example/{proven}:1"))
        assert brief(judgement) == "deny mismatch"
        assert outcomes(judgement) == {"n": ["uncertain image-unresolved", f"fails {why}"]}
        assert codes(judgement) == ["unavailable", None]
        assert "down.example" not in judgement.messages[0]


async def test_what_is_proven_by_the_deadline_decides(world: World) -> None:
    world.has(ONE_NODE)
    world.registry.push("index", images.multi("linux/amd64"), "1")
    world.registry.push("single", images.single("linux/amd64"), "1")
    slow = world.serve("slow.example", Registry())
    slow.faults.append(Fault(delay=30))
    judgement = await world.judge(pod("slow.example/app:1", "reg.example/index:1", "reg.example/single:1"), within=1.0)
    assert brief(judgement) == "deny mismatch"
    assert outcomes(judgement) == {
        "n": ["uncertain image-unresolved", "fails no-matching-entry", "fails config-mismatch"]
    }
    assert codes(judgement) == ["timeout", None, None]
    alone = await world.judge(pod("slow.example/app:1"), within=0.2)
    assert (brief(alone), outcomes(alone), codes(alone)) == ("warn undetermined", UNRESOLVED, ["timeout"])


async def test_what_is_known_too_late_is_not_concluded_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a hundred images with documents that take long must not hold the answer up past its time."""
    monkeypatch.setattr("webhook.lookups._CONCLUDING", -100.0)  # the deadline has been over for long
    world.has(ONE_NODE)
    world.registry.push("app", images.multi("linux/amd64"), "1")
    judgement = await world.judge(pod("reg.example/app:1"), within=50)
    assert world.paths() == ["GET app/manifests/1"]
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, ["timeout"])


async def test_a_deadline_that_has_passed_asks_nobody(world: World) -> None:
    world.has(ONE_NODE)
    judgement = await world.judge(pod("reg.example/app:1"), within=-1.0)
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, ["timeout"])
    assert world.registry.log == []


async def test_the_list_of_a_tag_that_cannot_be_had_leaves_the_config_unproven(world: World) -> None:
    """Step 3 is not answered, so that step 4 is not reached: the list may well say that the image fits."""
    world.has(ONE_NODE)
    world.options = {"negative_ttl": 0.0}
    image = world.registry.push("app", images.mislabelled("linux/arm64", claims="linux/amd64"), "1")
    pinned = pod(f"reg.example/app:1@{image.manifests[0].digest}")
    world.registry.faults.append(Fault(at="*/manifests/1", status=503))
    judgement = await world.judge(pinned)
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, ["unavailable"])
    world.registry.faults = [Fault(at="*/manifests/1", status=404)]
    assert outcomes(await world.judge(pinned)) == {"n": ["fails config-mismatch"]}
    world.registry.faults = [Fault(at="*/manifests/1", delay=30)]
    judgement = await world.judge(pinned, within=0.5)
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, ["timeout"])


async def test_one_object_that_gives_up_takes_nothing_from_another(world: World) -> None:
    world.has(ONE_NODE)
    world.registry.push("app", images.multi("linux/arm64"), "1")
    world.registry.faults.append(Fault(at="*/manifests/*", delay=0.6))
    hasty, patient, cancelled = (
        asyncio.create_task(world.judge(pod("reg.example/app:1"), within=within)) for within in (0.2, 10.0, 10.0)
    )
    await asyncio.sleep(0.1)
    cancelled.cancel()
    assert codes(await hasty) == ["timeout"]
    assert brief(await patient) == "allow match"
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert world.paths() == ["GET app/manifests/1"]


class Buggy(RegistryImages):
    """A client with a bug in its way with one repository: what no wire can be made to show."""

    async def resolve(self, reference: Any, access: Any) -> Any:
        if reference.path == "odd":
            raise ZeroDivisionError("a bug")
        return await super().resolve(reference, access)

    async def fetch(self, reference: Any, digest: str, role: Any, access: Any) -> Document:
        if reference.path == "odder":
            raise KeyError("a bug")
        return await super().fetch(reference, digest, role, access)


async def test_a_bug_in_one_look_up_leaves_the_others_what_is_proven(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.has(ONE_NODE)
    world.registry.push("bad", images.multi("linux/amd64"), "1")
    world.registry.push("odder", images.single("linux/amd64"), "1")
    client = world.images
    client.__class__ = Buggy
    with caplog.at_level(logging.ERROR):
        judgement = await world.judge(pod("reg.example/odd:1", "reg.example/odder:1", "reg.example/bad:1"))
    assert brief(judgement) == "deny mismatch"
    assert outcomes(judgement)["n"] == ["uncertain image-unresolved"] * 2 + ["fails no-matching-entry"]
    assert [image.error for image in judgement.images] == [("unavailable", INTERNAL)] * 2 + [None]
    assert [type(record.exc_info[1]).__name__ for record in caplog.records if record.exc_info] == [
        "ZeroDivisionError",
        "KeyError",
    ]


# Pull secrets


async def test_the_pods_own_secret_opens_a_private_image(world: World) -> None:
    world.registry.auth = Auth(users={"deploy": "pass-word"})
    world.registry.push("app", images.multi("linux/arm64"), "1")
    world.has(ONE_NODE, pull_secret("pull", {"reg.example": "deploy:pass-word"}))
    with_secret = pod("reg.example/app:1", imagePullSecrets=[{"name": "gone"}, {"name": "pull"}])
    assert brief(await world.judge(with_secret)) == "allow match"
    judgement = await world.judge(pod("reg.example/app:1"))
    assert (brief(judgement), codes(judgement)) == ("warn undetermined", ["denied"])


async def test_the_service_accounts_secret_counts_for_templates_alone(world: World) -> None:
    world.registry.auth = Auth(users={"deploy": "pass-word"})
    world.registry.push("app", images.multi("linux/arm64"), "1")
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "team"},
        "imagePullSecrets": [{"name": "pull"}],
    }
    world.has(ONE_NODE, account, pull_secret("pull", {"reg.example": "deploy:pass-word"}))
    assert brief(await world.judge(templated("Deployment", "reg.example/app:1"))) == "allow match"
    assert codes(await world.judge(pod("reg.example/app:1"))) == ["denied"]


@pytest.mark.parametrize(
    "secret",
    [
        {"data": {".dockerconfigjson": "e30="}, "stringData": {".dockerconfigjson": '{"auths": "MARKED"'}},
        {"data": {".dockerconfigjson": "MARKED!"}, "stringData": {}},
        {"data": {}, "stringData": {"other": "MARKED"}},
    ],
    ids=["no JSON", "no base64", "no key"],
)
async def test_a_malformed_secret_stops_every_pull_and_is_named(world: World, secret: dict[str, Any]) -> None:
    world.registry.push("app", images.multi("linux/amd64"), "1")
    world.has(ONE_NODE, {**pull_secret("broken", {}), **secret})
    judgement = await world.judge(pod("reg.example/app:1", imagePullSecrets=[{"name": "broken"}]))
    assert (outcomes(judgement), codes(judgement)) == (UNRESOLVED, ["bad-credentials"])
    assert world.registry.log == []
    (warning,) = judgement.messages
    assert "broken" in warning
    assert "MARKED" not in warning + repr(judgement)


class Away(FileCluster):
    """A cluster whose secrets cannot be read: what a file cannot be made to show."""

    problem: Exception = ClusterUnavailable("https://10.0.0.1:6443: no connection")

    async def secret(self, namespace: str, name: str) -> PullSecret | None:
        await asyncio.sleep(0)
        raise self.problem


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (ClusterUnavailable("https://10.0.0.1:6443: no connection"), ("unavailable", SECRETS_UNREADABLE)),
        (
            BadCredentials("podgate lacks the permission to get secrets in the namespace team", "team/secrets/pull"),
            (
                "bad-credentials",
                "team/secrets/pull: podgate lacks the permission to get secrets in the namespace team",
            ),
        ),
        (ZeroDivisionError("a bug"), ("unavailable", INTERNAL)),
    ],
    ids=["nobody answers", "forbidden", "a bug"],
)
async def test_secrets_that_cannot_be_read_leave_uncertain_what_a_registry_would_have_said(
    world: World, problem: Exception, error: tuple[str, str]
) -> None:
    away = Away.from_documents([ONE_NODE])
    away.problem = problem  # type: ignore[attr-defined] # from_documents is typed by its base
    world.cluster = away
    world.settings = {"exempt": {"images": ["reg.example/exempt"]}}
    judgement = await world.judge(
        pod("reg.example/app:1", "reg.example/exempt:1", "Not/Valid", imagePullSecrets=[{"name": "pull"}])
    )
    assert outcomes(judgement) == {"n": ["uncertain image-unresolved", "runs exempt", "fails invalid-reference"]}
    assert judgement.images[0].error == error
    assert world.registry.log == []
    assert "10.0.0.1" not in repr(judgement.messages)


async def test_no_secret_is_read_where_no_registry_is_asked(world: World) -> None:
    world.cluster = Away.from_documents([ONE_NODE])
    never = pod("reg.example/app:1", imagePullSecrets=[{"name": "pull"}])
    never["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    judgement = await world.judge(never)
    assert (outcomes(judgement), codes(judgement)) == ({"n": ["uncertain not-pulled"]}, [None])


@pytest.mark.parametrize("plural", ["secrets", "serviceaccounts"])
async def test_what_podgate_may_not_read_is_named_and_so_is_what_mends_it(world: World, plural: str) -> None:
    """A live cluster that forbids it: the advice is for whoever installed podgate, and the pull secret is well."""
    world.registry.push("app", images.multi("linux/amd64"), "1")
    async with api_server() as server:
        server.put("nodes", live_node("n"))
        server.put("namespaces", {"metadata": {"name": "team"}})
        server.put("serviceaccounts", {"metadata": {"namespace": "team", "name": "default"}, "imagePullSecrets": []})
        server.forbidden.add(f"get {plural}")
        world.cluster = live = LiveCluster(await connection_to(server))
        await live.start(watch=False)
        needs: dict[str, Any] = {"imagePullSecrets": [{"name": "pull"}]} if plural == "secrets" else {}
        judgement = await world.judge(templated("Deployment", "reg.example/app:1", **needs))
        await live.close()
    assert codes(judgement) == ["bad-credentials"]
    (warning,) = judgement.messages
    assert f"podgate lacks the permission to get {plural} in the namespace team" in warning
    assert warning.endswith(f"; allow podgate to get {plural} (in its ClusterRole)")
    assert world.registry.log == []
