"""Credentials of podgate's own in the use case: a namespace that they are not lent to learns nothing by decisions."""

from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import World, brief, codes, node, outcomes, pod, pull_secret
from tests.support import images
from tests.support.registry import Auth
from webhook.registry.files import FileCredentials, PasswordFile


@pytest.fixture
def lending(world: World, tmp_path: Path) -> World:
    """reg.example/team/app is for amd64 alone and wants credentials, which are lent to the namespace team."""
    (tmp_path / "word").write_text("MARKED-word")
    entry = PasswordFile(tmp_path / "word", ("team",), "registries.credentials[0].passwordFile", "reg.example", "own")
    world.options["own"] = (FileCredentials([entry], lambda: 0.0),)
    world.registry.push("team/app", images.multi("linux/amd64"), "1")
    world.registry.auth = Auth(users={"own": "MARKED-word", "eve": "eve-word"}, may_see={"team/app": ["own"]})
    world.has(node("arm", "linux/arm64"))
    return world


async def test_the_namespace_of_the_entry_is_judged_by_what_they_find(lending: World) -> None:
    judgement = await lending.judge(pod("reg.example/team/app:1"))
    assert (brief(judgement), judgement.images[0].platforms) == ("deny mismatch", ("linux/amd64",))
    assert "MARKED" not in repr(judgement)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("with_secret", [False, True])
async def test_another_namespace_is_not(lending: World, warm: bool, pinned: bool, with_secret: bool) -> None:
    """Nor where he names the digest, or holds a credential of his own that may not see it."""
    lending.has(pull_secret("eve", {"reg.example": "eve:eve-word"}, "elsewhere"))
    if warm:
        await lending.judge(pod("reg.example/team/app:1"))
    image = "reg.example/team/app:1" + (f"@{images.multi('linux/amd64').digest}" if pinned else "")
    more: dict[str, Any] = {"imagePullSecrets": [{"name": "eve"}]} if with_secret else {}
    judgement = await lending.judge(pod(image, metadata={"name": "web", "namespace": "elsewhere"}, **more))
    (found,) = judgement.images
    assert (brief(judgement), codes(judgement)) == ("warn undetermined", ["denied"])
    assert outcomes(judgement) == {"arm": ["uncertain image-unresolved"]}
    assert (found.resolved, found.kind, found.platforms) == ("", "unknown", ())
    assert all("amd64" not in message and "MARKED" not in message for message in judgement.messages)


async def test_the_object_of_another_namespace_does_not_count_as_known(lending: World) -> None:
    """An index that an insider has seen is no list that could contradict an outsider's image."""
    single = images.single("linux/amd64")
    lending.registry.push("open/app", single, "1")
    assert lending.registry.auth is not None
    lending.registry.auth.public = {"open/app"}
    lending.registry.auth.may_see["open/app"] = ["own"]
    lending.registry.push("open/app", images.listed([("linux/arm64", single)]), "list")
    await lending.judge(pod("reg.example/open/app:list"))
    here = await lending.judge(pod("reg.example/open/app:1"))
    there = await lending.judge(pod("reg.example/open/app:1", metadata={"name": "web", "namespace": "elsewhere"}))
    assert outcomes(here) == {"arm": ["uncertain config-contradicted"]}
    assert outcomes(there) == {"arm": ["fails config-mismatch"]}
