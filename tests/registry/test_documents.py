"""What the client fetches, in how many requests, and what it refuses to take for an answer."""

import asyncio
import gzip
import hashlib
import json

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.images import Content
from tests.support.registry import Fault, Registry
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.registry.resolver import RegistryImages

ANYBODY = access()
TAGGED = reference("reg.example/team/app:1")


async def failure(images: RegistryImages, text: str = "reg.example/team/app:1") -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(reference(text), ANYBODY)
    return caught.value


async def test_an_index_by_tag_takes_one_request_and_then_none(registry: Registry, images: RegistryImages):
    image = registry.push("team/app", build.multi("linux/amd64", "linux/arm64"), "1")
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.root.body) == (image.root.digest, image.root.body)
    assert found.root.media_type == image.root.media_type
    assert not found.stale
    await images.resolve(TAGGED, ANYBODY)
    await images.resolve(reference(f"reg.example/team/app:1@{image.digest}"), ANYBODY)
    assert [(asked.method, asked.path) for asked in registry.log] == [("GET", "/v2/team/app/manifests/1")]


async def test_a_single_manifest_takes_two_requests(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/arm64"), "1")
    root = (await images.resolve(TAGGED, ANYBODY)).root
    config = await images.fetch(TAGGED, root.manifest.config.digest, "config", ANYBODY)
    assert json.loads(config.body)["architecture"] == "arm64"
    await images.fetch(TAGGED, root.manifest.config.digest, "config", ANYBODY)
    assert len(registry.log) == 2


async def test_there_is_no_ping_and_all_four_types_are_accepted(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    await images.resolve(TAGGED, ANYBODY)
    (asked,) = registry.log
    for kind in (build.OCI_INDEX, build.OCI_MANIFEST, build.DOCKER_LIST, build.DOCKER_MANIFEST):
        assert kind in asked.headers["accept"]
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers


async def test_tag_and_digest_means_the_digest(registry: Registry, images: RegistryImages):
    old = registry.push("team/app", build.single("linux/amd64"))
    registry.push("team/app", build.single("linux/arm64"), "1")
    found = await images.resolve(reference(f"reg.example/team/app:1@{old.digest}"), ANYBODY)
    assert found.root.digest == old.digest
    assert [asked.path for asked in registry.log] == [f"/v2/team/app/manifests/{old.digest}"]


async def test_a_tag_is_asked_for_again_after_a_while(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.single("linux/amd64"), "1")
    await images.resolve(TAGGED, ANYBODY)
    new = registry.push("team/app", build.single("linux/arm64"), "1")
    setting.clock.now += 59
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest != new.digest
    setting.clock.now += 2
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest == new.digest


async def test_a_failure_is_remembered_briefly(registry: Registry, images: RegistryImages, setting: Setting):
    assert (await failure(images)).code == "not-found"
    registry.push("team/app", build.single("linux/amd64"), "1")
    assert (await failure(images)).code == "not-found"
    assert len(registry.log) == 1
    setting.clock.now += 11
    assert (await images.resolve(TAGGED, ANYBODY)).root.body


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_outage_is_not_remembered(registry: Registry, images: RegistryImages, status: int):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(status=status, times=3)]
    assert (await failure(images)).retryable
    assert (await images.resolve(TAGGED, ANYBODY)).root.body


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (204, "malformed"),
        (304, "malformed"),
        (401, "unauthorized"),
        (403, "denied"),
        (404, "not-found"),
        (410, "not-found"),
        (429, "rate-limited"),
        (451, "denied"),
        (418, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
async def test_each_status_has_its_code(registry: Registry, images: RegistryImages, status: int, code: str):
    body = b"" if status in (204, 304) else b"no"
    registry.faults = [Fault(status=status, body=body)]
    error = await failure(images)
    assert (error.code, error.exchange.status) == (code, status)


@pytest.mark.parametrize("header", ["sha256:" + "0" * 64, "sha512:" + "0" * 128])
async def test_a_body_that_its_header_belies_is_no_answer(registry: Registry, images: RegistryImages, header: str):
    """containerd asks for the digest of the header (core/remotes/docker/resolver.go), CRI-O takes the body: a verdict
    on either may be wrong for a node."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(headers=[("Docker-Content-Digest", header)])]
    assert (await failure(images)).code == "digest-mismatch"


@pytest.mark.parametrize("header", ["", "sha256:0", "latest", "md5:" + "0" * 32])
async def test_a_header_that_is_no_digest_says_nothing(registry: Registry, images: RegistryImages, header: str):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(headers=[("Docker-Content-Digest", header)])]
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest == image.digest


async def test_a_header_may_be_of_another_algorithm(registry: Registry, images: RegistryImages):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    header = "sha512:" + hashlib.sha512(image.root.body).hexdigest()
    registry.faults = [Fault(headers=[("Docker-Content-Digest", header)])]
    assert (await images.resolve(TAGGED, ANYBODY)).root.digest == image.digest


async def test_a_wrong_type_does_not_stick_to_a_body(registry: Registry, images: RegistryImages, setting: Setting):
    """Nodes go by the Content-Type, so it counts; but it is no part of what has the digest."""
    image = registry.push("team/app", build.multi("linux/amd64"), "1")
    by_digest = f"reg.example/team/app@{image.digest}"
    for text in ("reg.example/team/app:1", by_digest):
        registry.faults = [Fault(headers=[("Content-Type", build.OCI_MANIFEST)])]
        root = (await images.resolve(reference(text), ANYBODY)).root
        with pytest.raises(MalformedDocument):
            _ = root.manifest
        registry.faults = []
        setting.clock.now += 61
        assert (await images.resolve(reference(text), ANYBODY)).root.index.entries
    before = len(registry.log)
    assert (await images.resolve(reference(by_digest), ANYBODY)).root.index.entries
    assert len(registry.log) == before


async def test_another_body_than_the_digest_says_is_refused(registry: Registry, images: RegistryImages):
    asked = build.single("linux/amd64")
    registry.hold("team/app", "manifests", asked.digest, build.single("linux/arm64").root)
    assert (await failure(images, f"reg.example/team/app@{asked.digest}")).code == "digest-mismatch"


async def test_sha512_is_compared_as_well(registry: Registry, images: RegistryImages):
    content = build.single("linux/amd64").root
    digest = "sha512:" + hashlib.sha512(content.body).hexdigest()
    registry.hold("team/app", "manifests", digest, content)
    found = await images.resolve(reference(f"reg.example/team/app@{digest}"), ANYBODY)
    assert found.root.digest == digest
    wrong = "sha512:" + "1" * 128
    registry.hold("team/app", "manifests", wrong, content)
    assert (await failure(images, f"reg.example/team/app@{wrong}")).code == "digest-mismatch"


@pytest.mark.parametrize("digest", ["sha256:../../../token", "sha256:" + "A" * 64, "md5:" + "0" * 32, "", "x"])
async def test_a_digest_from_a_document_cannot_lead_elsewhere(registry: Registry, images: RegistryImages, digest: str):
    with pytest.raises(RegistryError) as caught:
        await images.fetch(TAGGED, digest, "manifest", ANYBODY)
    assert caught.value.code == "malformed"
    assert registry.log == []


async def test_parameters_of_a_content_type_do_not_count(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(headers=[("Content-Type", build.OCI_MANIFEST.upper() + "; charset=utf-8")])]
    assert (await images.resolve(TAGGED, ANYBODY)).root.media_type == build.OCI_MANIFEST


async def test_a_missing_content_type_is_empty(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(without=("Content-Type",), chunked=True)]
    assert (await images.resolve(TAGGED, ANYBODY)).root.media_type == ""


@pytest.mark.parametrize("size", [(4 << 20), (4 << 20) + 1])
@pytest.mark.parametrize("coding", ["plain", "gzip", "chunked"])
async def test_a_manifest_has_at_most_4_mebibytes_decoded(registry, images: RegistryImages, size: int, coding: str):
    content = Content(build.OCI_INDEX, b'{"manifests":[]}'.ljust(size))
    registry.hold("team/app", "manifests", "1", content)
    registry.faults = [Fault(gzip=coding == "gzip", chunked=coding == "chunked")]
    if size > 4 << 20:
        assert (await failure(images)).code == "too-large"
    else:
        assert (await images.resolve(TAGGED, ANYBODY)).root.digest == content.digest


async def test_a_config_may_be_larger(registry: Registry, images: RegistryImages):
    content = Content(build.OCI_CONFIG, b'{"os":"linux"}'.ljust(6 << 20))
    registry.hold("team/app", "blobs", content.digest, content)
    assert (await images.fetch(TAGGED, content.digest, "config", ANYBODY)).body == content.body
    larger = Content(build.OCI_CONFIG, b"{}".ljust((8 << 20) + 1))
    registry.hold("team/app", "blobs", larger.digest, larger)
    with pytest.raises(RegistryError) as caught:
        await images.fetch(TAGGED, larger.digest, "config", ANYBODY)
    assert caught.value.code == "too-large"


async def test_an_endless_body_is_left(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(endless=True)]
    assert (await failure(images)).code == "too-large"
    assert registry.sent < 64 << 20


async def test_a_bomb_does_not_go_off(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(bomb=300_000_000)]
    assert (await failure(images)).code == "too-large"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(close=True), "unavailable"),
        (Fault(truncate=10), "unavailable"),
        (Fault(raw=b"what?\r\n\r\n"), "unavailable"),
        (Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: nan\r\n\r\n{}"), "unavailable"),
        (Fault(headers=[("Content-Encoding", "gzip")]), "malformed"),
        (Fault(headers=[("Content-Encoding", "br")]), "malformed"),
        (Fault(headers=[("Content-Length", "9" * 18)]), "too-large"),
    ],
)
async def test_broken_answers(registry: Registry, images: RegistryImages, fault: Fault, code: str):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [fault]
    assert (await failure(images)).code == code


async def test_truncated_gzip_is_malformed(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    packed = gzip.compress(b"{}" * 100)
    registry.faults = [Fault(body=packed[:-9], headers=[("Content-Encoding", "gzip")])]
    assert (await failure(images)).code == "malformed"


async def test_a_slow_registry_times_out_by_itself(setting: Setting, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(delay=30)]
    error = await failure(setting.images(request_timeout=0.2))
    assert (error.code, error.retryable) == ("timeout", True)


async def test_an_asker_in_a_hurry_leaves_the_request_to_the_others(registry: Registry, images: RegistryImages):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(delay=0.3)]
    soon = asyncio.get_running_loop().time() + 0.05
    hurried = images.resolve(TAGGED, access(deadline=soon))
    patient = images.resolve(TAGGED, ANYBODY)
    first, second = await asyncio.gather(hurried, patient, return_exceptions=True)
    assert isinstance(first, RegistryError)
    assert first.code == "timeout"
    assert not isinstance(second, BaseException)
    assert second.root.digest == image.digest
    assert len(registry.log) == 1


async def test_no_request_is_begun_after_the_deadline(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    late = access(deadline=asyncio.get_running_loop().time() - 1)
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, late)
    assert caught.value.code == "timeout"
    assert registry.log == []
    await images.resolve(TAGGED, ANYBODY)
    assert (await images.resolve(TAGGED, late)).root.body  # what is known needs no time


async def test_a_hundred_askers_share_one_request(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(delay=0.1)]
    found = await asyncio.gather(*(images.resolve(TAGGED, ANYBODY) for _ in range(100)))
    assert len({image.root.digest for image in found}) == 1
    assert len(registry.log) == 1


async def test_a_cancelled_asker_does_not_cancel_it_for_the_others(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.faults = [Fault(delay=0.3)]
    tasks = [asyncio.create_task(images.resolve(TAGGED, ANYBODY)) for _ in range(3)]
    while not registry.log:  # noqa: ASYNC110 -- the log fills in another thread
        await asyncio.sleep(0.005)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert not any(isinstance(result, BaseException) for result in results[1:])
    assert len(registry.log) == 1


async def test_one_fault_reaches_all_askers_as_an_exception_of_their_own(registry: Registry, images: RegistryImages):
    registry.faults = [Fault(status=503, delay=0.1)]
    asking = (images.resolve(TAGGED, ANYBODY) for _ in range(3))
    errors = await asyncio.gather(*asking, return_exceptions=True)
    assert [error.code for error in errors if isinstance(error, RegistryError)] == ["unavailable"] * 3
    assert len({id(error) for error in errors}) == 3
    assert len(registry.log) == 3  # one request, and its two retries


async def test_documents_of_one_repository_are_not_those_of_another(registry: Registry, images: RegistryImages):
    image = registry.push("team/app", build.multi("linux/amd64"), "1")
    await images.resolve(TAGGED, ANYBODY)
    assert (await failure(images, f"reg.example/other/app@{image.digest}")).code == "not-found"


async def test_requests_and_lookups_are_counted(registry: Registry, images: RegistryImages, setting: Setting):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await images.resolve(TAGGED, ANYBODY)
    await images.resolve(TAGGED, ANYBODY)
    assert setting.requests == [(registry.address, "GET", "200")]
    assert ("tags", "hit") in setting.lookups
    assert ("documents", "hit") in setting.lookups
    assert images.cached_bytes > 0


async def test_the_cache_has_an_end(registry: Registry, setting: Setting):
    images = setting.images(cache_bytes=64 << 10)
    for number in range(40):
        content = Content(build.OCI_INDEX, b'{"manifests":[],"annotations":{"n":"%d"}}' % number + b" " * 500)
        registry.hold("team/app", "manifests", content.digest, content)
        await images.fetch(TAGGED, content.digest, "manifest", ANYBODY)
        assert images.cached_bytes <= 64 << 10
    assert ("documents", "evicted") in setting.lookups
    assert len(registry.log) == 40
    await images.fetch(TAGGED, content.digest, "manifest", ANYBODY)
    assert len(registry.log) == 40


async def test_a_closed_client_says_so(registry: Registry, images: RegistryImages):
    registry.faults = [Fault(delay=5)]
    asking = asyncio.create_task(images.resolve(TAGGED, ANYBODY))
    await asyncio.sleep(0.05)
    await images.aclose()
    with pytest.raises(RegistryError) as caught:
        await asking
    assert caught.value.code == "unavailable"
