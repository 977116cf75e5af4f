"""What one namespace's credentials may see is not shown to another: by tag, by digest, under way, stale, as a refusal.

Namespace `team` may read team/app, which runs on no node; namespace `other` has a password too, for something else. It
is told, and the registry is asked for it, what it would be in a process that has never seen `team`.
"""

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.attacks.conftest import Gate, Response, verdict
from tests.service.conftest import pod, pull_secret
from tests.support import images
from tests.support.internet import Internet
from tests.support.registry import Auth, Fault, Registry

SECRET = images.single("linux/s390x", text="secret")
MULTI = images.multi("linux/s390x", "linux/ppc64le", text="secret")
REALM = "https://reg.example/token"
MINE = "reg.example/team/app"

NAMES = {
    "by-tag": f"{MINE}:1",
    "by-digest": f"{MINE}@{SECRET.digest}",
    "by-tag-and-digest": f"{MINE}:1@{SECRET.digest}",
    "index-by-tag": f"{MINE}:2",
    "index-by-digest": f"{MINE}@{MULTI.digest}",
    "entry-of-an-index": f"{MINE}@{MULTI.manifests[0].digest}",
}
"""Ways to name what only `team` may see."""


@pytest.fixture
def tenants(gate: Gate, private: Registry) -> Registry:
    private.push("team/app", SECRET, "1")
    private.push("team/app", MULTI, "2")
    users = {"ann": "ann-word", "eve": "eve-word"}
    private.auth = Auth(users=users, may_see={"team/app": ["ann"], "other/own": ["eve"]}, realm=REALM)
    for namespace, user in (("team", "ann"), ("other", "eve")):
        auths = {"reg.example": f"{user}:{users[user]}"}
        gate.objects.append(pull_secret("pull", auths, namespace))
    return private


async def ask(gate: Gate, namespace: str, image: str, *, secret: bool = True, **spec: Any) -> Response:
    more: dict[str, Any] = {"imagePullSecrets": [{"name": "pull"}]} if secret else {}
    obj = pod(image, **more, **spec)
    obj["metadata"]["namespace"] = namespace
    return await gate.review(obj, namespace=namespace)


@pytest.mark.parametrize("secret", [True, False], ids=["another-credential", "no-credential"])
@pytest.mark.parametrize("image", NAMES.values(), ids=NAMES)
async def test_a_private_image(gate: Gate, tenants: Registry, image: str, secret: bool):
    for _ in range(2):
        assert verdict(await ask(gate, "team", image)) == "deny mismatch"
    before = len(tenants.log)
    for _ in range(2):
        answer = await ask(gate, "other", image, secret=secret)
        assert verdict(answer) == "warn undetermined"
        assert "s390x" not in json.dumps(answer)
    assert len(tenants.log) > before  # the registry was asked with what `other` has, and refused
    shown = {asked.authorization for asked in tenants.log[before:]}
    assert base64.b64encode(b"ann:ann-word").decode() not in "".join(shown)
    assert verdict(await ask(gate, "team", image)) == "deny mismatch"


@pytest.mark.parametrize("image", NAMES.values(), ids=NAMES)
async def test_what_another_is_being_told_at_this_moment(gate: Gate, tenants: Registry, image: str):
    """Requests under way are shared among those who may see the answer, and among nobody else."""
    tenants.faults = [Fault("*", delay=0.05)]
    both = await asyncio.gather(*(ask(gate, name, image) for name in ("team", "other", "team", "other")))
    assert [verdict(one) for one in both] == ["deny mismatch", "warn undetermined"] * 2


async def test_a_private_document_under_another_repositorys_name(gate: Gate, tenants: Registry):
    """As if it were mounted there: a digest is no right to read."""
    assert verdict(await ask(gate, "team", f"{MINE}:1")) == "deny mismatch"
    for digest in SECRET.documents:
        answer = await ask(gate, "other", f"reg.example/other/own@{digest}")
        assert verdict(answer) == "warn undetermined"
        assert "s390x" not in json.dumps(answer)


async def test_an_index_of_ones_own_that_names_anothers_manifest(gate: Gate, tenants: Registry):
    """What is behind the entry is asked for where the index is, with the credentials of who asks."""
    entry = images.listed([(None, SECRET)])
    tenants.hold("other/own", "manifests", "1", entry.root)
    assert verdict(await ask(gate, "team", f"{MINE}:1")) == "deny mismatch"
    answer = await ask(gate, "other", "reg.example/other/own:1")
    assert verdict(answer) == "warn undetermined"
    assert "s390x" not in json.dumps(answer)


async def test_stale_answers_are_their_viewers(gate: Gate, internet: Internet, tenants: Registry):
    gate.settings = {"cache": {"tagTTL": "0s"}, "registries": {"requestTimeout": "1s"}}
    assert verdict(await ask(gate, "team", f"{MINE}:1")) == "deny mismatch"
    tenants.faults = [Fault("*", close=True)]
    answers = await asyncio.gather(
        *(gate.review(_of(name, secret), within="3s", namespace=name) for name, secret in
          (("team", True), ("other", True), ("other", False)))
    )  # fmt: skip
    assert [verdict(one) for one in answers] == ["deny mismatch", "warn undetermined", "warn undetermined"]
    assert "s390x" not in json.dumps(answers[1:])


def _of(namespace: str, secret: bool) -> dict[str, Any]:
    more: dict[str, Any] = {"imagePullSecrets": [{"name": "pull"}]} if secret else {}
    obj = pod(f"{MINE}:1", **more)
    obj["metadata"]["namespace"] = namespace
    return obj


async def test_one_tenants_refusal_is_not_anothers(gate: Gate, tenants: Registry):
    """The failures that are remembered: whoever asks in vain first must not shut the other out."""
    for _ in range(2):
        assert verdict(await ask(gate, "other", f"{MINE}:1")) == "warn undetermined"
    assert verdict(await ask(gate, "team", f"{MINE}:1")) == "deny mismatch"


async def test_lists_that_another_has_seen_change_nothing(gate: Gate, tenants: Registry):
    """A known list turns a mismatch into doubt (design, 2): only one that the asker could have seen."""
    mislabelled = images.mislabelled("linux/amd64", "linux/s390x")
    tenants.push("team/app", mislabelled, "3")
    tenants.auth = Auth(users={"ann": "ann-word", "eve": "eve-word"}, realm=REALM)  # both may read it all now
    single = f"{MINE}@{mislabelled.manifests[0].digest}"
    assert verdict(await ask(gate, "team", f"{MINE}:3")) == "allow match"
    assert verdict(await ask(gate, "team", single)) == "warn undetermined"
    assert verdict(await ask(gate, "other", single)) == "deny mismatch"


async def test_a_secret_of_another_namespace_is_not_read(gate: Gate, tenants: Registry):
    gate.objects.append(pull_secret("anns", {"reg.example": "ann:ann-word"}, "team"))
    for name in ("anns", "team/anns", "../team/anns"):
        obj = pod(f"{MINE}:1", imagePullSecrets=[{"name": name}])
        obj["metadata"]["namespace"] = "other"
        assert verdict(await gate.review(obj, namespace="other")) == "warn undetermined"


async def test_the_objects_own_word_on_its_namespace_does_not_count(gate: Gate, tenants: Registry):
    obj = pod(f"{MINE}:1", imagePullSecrets=[{"name": "pull"}])
    assert obj["metadata"]["namespace"] == "team"
    assert verdict(await gate.review(obj, namespace="other")) == "warn undetermined"
