"""Documents and headers that name places: none of them is ever asked."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.attacks.conftest import PUBLIC, Gate, verdict
from tests.support import images
from tests.support.internet import Internet
from tests.support.registry import Fault, Registry

IMAGE = "public.example/team/app:2"
INWARD = "https://127.0.0.1/x"
SINGLE = images.single("linux/amd64")
LAYER = SINGLE.blobs[1]


def manifest_with(**fields: Any) -> images.Image:
    root = images.document(images.OCI_MANIFEST, {**SINGLE.root.json, **fields})
    return images.with_root(SINGLE, root)


def index_with(*entries: dict[str, Any], **fields: Any) -> images.Image:
    return replace(SINGLE, root=images.index(entries, **fields), manifests=(SINGLE.root,))


ENTRY = images.entry(SINGLE.root, "linux/amd64")
OTHER = images.entry(SINGLE.root, "linux/s390x")
FOREIGN = {**LAYER.descriptor(), "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}
CONFIG = SINGLE.root.json["config"]
DATA = {"mediaType": images.OCI_MANIFEST, "digest": images.digest_of(b"{}"), "size": 2}

RUNS = {
    "urls-of-an-entry": index_with({**ENTRY, "urls": [INWARD]}),
    "urls-of-a-config": manifest_with(config={**CONFIG, "urls": [INWARD]}),
    "urls-of-a-layer": manifest_with(layers=[{**LAYER.descriptor(), "urls": [INWARD]}]),
    "urls-of-a-foreign-layer": manifest_with(layers=[{**FOREIGN, "urls": [INWARD, "file:///etc/passwd"]}]),
    "urls-of-a-silent-entry": index_with({**SINGLE.root.descriptor(), "urls": [INWARD]}),
    "data-of-an-entry": index_with({**SINGLE.root.descriptor(), "data": base64.b64encode(SINGLE.root.body).decode()}),
    "subject": manifest_with(subject={**ENTRY, "urls": [INWARD]}),
    "annotations": index_with(
        ENTRY,
        annotations={
            "org.opencontainers.image.source": INWARD,
            "org.opencontainers.image.base.name": "127.0.0.1/team/base:1",
            "org.opencontainers.image.ref.name": INWARD,
        },
    ),
    "artifact-type": index_with(ENTRY, artifactType=INWARD),
    "many-more-entries": index_with(*[{**OTHER, "urls": [INWARD]}] * 99, ENTRY),
}
"""Images that run, whatever else they name."""

UNKNOWN = {
    "digest-that-leads-up": index_with({**SINGLE.root.descriptor(), "digest": "sha256:../../../v2/other/manifests/1"}),
    "digest-that-is-an-address": index_with({**SINGLE.root.descriptor(), "digest": INWARD}),
    "digest-with-a-host": index_with({**SINGLE.root.descriptor(), "digest": "sha256:" + "0" * 63 + "@127.0.0.1"}),
    "digest-with-a-line-break": index_with({**SINGLE.root.descriptor(), "digest": "sha256:" + "0" * 64 + "\r\nX: y"}),
    "digest-of-a-config-that-leads-up": manifest_with(config={**CONFIG, "digest": "sha256:" + "../" * 21 + "x"}),
    "data-that-is-something-else": index_with({**DATA, "data": base64.b64encode(b"[]").decode(), "urls": [INWARD]}),
    "schema-1": images.with_root(
        SINGLE,
        images.document("application/vnd.docker.distribution.manifest.v1+prettyjws", {"fsLayers": [], "name": INWARD}),
    ),
}
"""Images of which nothing comes."""

HEADERS = {
    "link": ("Link", f'<{INWARD}>; rel="next", <{INWARD}>; rel="preload"'),
    "content-location": ("Content-Location", INWARD),
    "refresh": ("Refresh", f"0; url={INWARD}"),
    "alt-svc": ("Alt-Svc", 'h2="127.0.0.1:443"; ma=86400; persist=1'),
    "location-beside-200": ("Location", INWARD),
    "oci-subject": ("OCI-Subject", INWARD),
    "upload": ("Docker-Upload-Location", INWARD),
    "content-type": ("Content-Type", f"message/external-body; access-type=URL; URL={INWARD}"),
    "cookie": ("Set-Cookie", "a=b; Domain=127.0.0.1; Path=/"),
    "proxy": ("Proxy-Authenticate", f'Basic realm="{INWARD}"'),
    "digest": ("Docker-Content-Digest", INWARD),
    "digest-that-leads-up": ("Docker-Content-Digest", "sha256:../../../other/manifests/1"),
    "upgrade": ("Upgrade", "h2c, websocket"),
    "challenge-beside-200": ("WWW-Authenticate", f'Bearer realm="{INWARD}",service="x"'),
    "file-of-a-proxy": ("X-Accel-Redirect", "/internal/secrets"),
    "preload-policy": ("Report-To", json.dumps({"endpoints": [{"url": INWARD}]})),
}


def only_the_repository(internet: Internet, public: Registry) -> bool:
    """Whether nobody was asked but the registry, and it for nothing but documents of this repository by digest."""
    names = set(SINGLE.documents) | {SINGLE.digest, DATA["digest"], "2"}
    asked = {one.path.removeprefix("/v2/team/app/").partition("/")[2] for one in public.log}
    return set(internet.connected) == {(PUBLIC, 443)} and asked <= names


@pytest.mark.parametrize("image", RUNS.values(), ids=RUNS)
async def test_places_in_a_document(gate: Gate, internet: Internet, public: Registry, image: images.Image):
    public.push("team/app", image, "2")
    assert verdict(await gate.review(IMAGE)) == "allow match"
    assert only_the_repository(internet, public)


@pytest.mark.parametrize("image", UNKNOWN.values(), ids=UNKNOWN)
async def test_names_in_a_document_that_are_none(gate: Gate, internet: Internet, public: Registry, image: images.Image):
    public.push("team/app", image, "2")
    assert verdict(await gate.review(IMAGE)).partition(" ")[0] != "allow"
    assert only_the_repository(internet, public)


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_places_in_a_header(gate: Gate, internet: Internet, public: Registry, header: tuple[str, str]):
    public.push("team/app", SINGLE, "2")
    public.faults = [Fault("*", headers=[header])]
    for _ in range(2):
        assert verdict(await gate.review(IMAGE)) == "allow match"
    assert only_the_repository(internet, public)
    assert "cookie" not in {name for asked in public.log for name in asked.headers}
