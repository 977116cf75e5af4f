"""`podgate inspect`: what it shows, what it asks for, and how it ends. Requests are read from the servers' own logs."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support import images as build
from tests.support.command import ROOT, Podgate, Ran
from tests.support.images import Content, Image
from tests.support.registry import Auth, Fault, Registry

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "inspect.schema.json").read_text()))
PAGE = ROOT / "docs" / "inspect.md"
APP = "reg.example/team/app:1"
PASSWORD = "word-MARKED-1"


class Inspect:
    """Runs `inspect -o json` and gives the images, held to the schema."""

    def __init__(self, podgate: Podgate, settings: Path) -> None:
        self._podgate = podgate
        self._settings = settings
        self.ran = Ran(0, "", "")

    def __call__(self, *images: str, output: str = "json", options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        self.ran = self._podgate("inspect", *images, "--config", self._settings, "-o", output, *options)
        assert "MARKED" not in self.ran.out + self.ran.err
        if output != "json":
            return []
        document = json.loads(self.ran.out)
        SCHEMA.validate(document)
        found: list[dict[str, Any]] = document["images"]
        return found

    def one(self, image: str = APP) -> dict[str, Any]:
        (found,) = self(image)
        return found

    def table(self, *images: str) -> str:
        self(*images, output="table")
        return self.ran.out


@pytest.fixture
def inspect(podgate: Podgate, settings: Path) -> Inspect:
    return Inspect(podgate, settings)


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_user: None) -> Path:
    """A docker configuration with credentials for reg.example."""
    file = tmp_path / "docker" / "config.json"
    file.parent.mkdir()
    auth = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    file.write_text(json.dumps({"auths": {"reg.example": {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(file.parent))
    return file


def logged(registry: Registry) -> list[tuple[str, str]]:
    return [(asked.method, f"{registry.url}{asked.path}") for asked in registry.log]


def told(image: dict[str, Any]) -> list[tuple[str, str]]:
    return [(request["method"], request["url"]) for request in image["requests"]]


def test_an_index_entry_by_entry(registry: Registry, inspect: Inspect):
    offered = build.attested(build.multi("linux/amd64", "linux/arm64/v8", "windows/amd64:10.0.20348.2762"))
    registry.push("team/app", offered, "1")
    found = inspect.one()
    assert inspect.ran.code == 0
    assert found["reference"] == {"registry": "reg.example", "repository": "team/app", "tag": "1", "digest": None}
    assert found["resolved"] == f"reg.example/team/app@{offered.digest}"
    assert (found["kind"], found["mediaType"], found["size"]) == ("index", build.OCI_INDEX, len(offered.root.body))
    assert found["platforms"] == ["linux/amd64", "linux/arm64/v8", "windows/amd64:10.0.20348.2762"]
    for entry, written in zip(found["entries"], offered.root.json["manifests"], strict=True):
        assert {key: entry[key] for key in ("digest", "mediaType", "size")} == {
            key: written[key] for key in ("digest", "mediaType", "size")
        }
        assert {key: value for key, value in entry["platform"].items() if value} == written["platform"]
        assert entry["annotations"] == written.get("annotations", {})
    assert [entry["attestation"] for entry in found["entries"]] == [False] * 3 + [True] * 3


def test_a_single_manifest_and_its_config(registry: Registry, inspect: Inspect):
    image = registry.push("team/app", build.single("linux/arm/v6"), "1")
    found = inspect.one()
    assert (found["kind"], found["platforms"], found["entries"], found["notes"]) == (
        *("manifest", ["linux/arm/v6"], None),
        [],
    )
    platform = {"os": "linux", "architecture": "arm", "variant": "v6", "os.version": "", "os.features": []}
    descriptor = image.root.json["config"]
    assert found["config"] == {**descriptor, "platform": platform}


@pytest.mark.parametrize(
    ("root", "note"),
    [
        (build.single(None).root, "its config names no architecture"),
        (build.manifest(build.document("application/vnd.cncf.helm.config.v1+json", {})), "an artifact"),
        (build.manifest(build.config("linux/amd64"), artifactType="application/x"), "an artifact"),
        (build.manifest(build.document("application/vnd.wasm.config.v0+json", {})), "WebAssembly"),
        (build.single("wasip1/wasm").root, "WebAssembly"),
        (Content(build.OCI_INDEX, b'{"manifests":null}'), "without entries"),
        (
            build.index([build.entry(Content("text/plain", b""), "unknown/unknown")]),
            "containerd, whatever its platform",
        ),
        (Content("application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"fsLayers":[]}'), "schema 1"),
    ],
)
def test_what_has_no_platform_says_so(registry: Registry, inspect: Inspect, root: Content, note: str):
    claimed = (build.config(None), build.config("wasip1/wasm"))
    blobs = tuple(blob for image in (build.single(None), build.single("wasip1/wasm")) for blob in image.blobs)
    registry.push("team/app", Image(root, (), (*claimed, *blobs)), "1")
    found = inspect.one()
    assert (inspect.ran.code, found["error"]) == (0, None)
    assert note in " ".join(found["notes"])
    assert found["platforms"] in ([], ["wasip1/wasm"])
    assert note.partition(" ")[0] in inspect.table(APP)


def test_nested_indexes_are_walked_within_bounds(registry: Registry, inspect: Inspect):
    image = build.multi("linux/amd64")
    for _ in range(5):
        image = build.listed([(None, image)])
    registry.push("team/app", image, "1")
    entries, depth = inspect.one()["entries"], 0
    while entries[0]["entries"] is not None:
        entries, depth = entries[0]["entries"], depth + 1
    assert (depth, entries[0]["cut"], len(registry.log)) == (3, True, 4)


def test_many_nested_indexes_are_cut(registry: Registry, inspect: Inspect):
    inner = build.multi("linux/amd64")
    root = build.index([build.entry(inner.root)] * 300)
    registry.push("team/app", Image(root, (inner.root,)), "1")
    found = inspect.one()
    assert [entry["cut"] for entry in found["entries"]] == [False] * 256 + [True] * 44
    assert (len(registry.log), found["fromCache"]) == (2, 255)
    assert found["platforms"] == ["linux/amd64"]


def test_a_nested_index_that_is_not_there_leaves_the_rest(registry: Registry, inspect: Inspect):
    gone, there = build.multi("linux/amd64", text="gone"), build.single("linux/arm64")
    root = build.index([build.entry(gone.root), build.entry(there.root, "linux/arm64")])
    registry.push("team/app", Image(root, (there.root,)), "1")
    found = inspect.one()
    assert found["entries"][0]["error"]["code"] == "not-found"
    assert (found["platforms"], found["error"], inspect.ran.code) == (["linux/arm64"], None, 2)
    assert inspect.ran.err.startswith(f"podgate: {APP}: not-found: ")


def test_a_config_that_is_not_there(registry: Registry, inspect: Inspect):
    image = build.single("linux/arm64")
    registry.push("team/app", Image(image.root), "1")
    found = inspect.one()
    assert (found["kind"], found["error"]["code"], inspect.ran.code) == ("manifest", "not-found", 2)
    assert found["config"]["platform"] is None


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("reg.example/team/none:1", "not-found"),
        ("reg.example/team/app@sha256:" + "0" * 64, "not-found"),
        ("Team/App", "invalid-reference"),
        ("", "invalid-reference"),
    ],
)
def test_an_image_that_is_not_to_be_had(registry: Registry, inspect: Inspect, image: str, code: str):
    """crane and imagetools fail, too; here the code is also in the document, and other images are shown."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    bad, good = inspect(image, APP)
    assert (bad["error"]["code"], bad["digest"], bad["platforms"]) == (code, None, [])
    assert good["platforms"] == ["linux/amd64"]
    assert inspect.ran.code == 2
    assert inspect.ran.err.startswith(f"podgate: {image}: {code}: ")
    assert len(inspect.ran.err.splitlines()) == 1


def test_a_page_that_is_no_image(registry: Registry, inspect: Inspect):
    registry.push("team/app", Image(Content("text/html", b"<!doctype html>")), "1")
    found = inspect.one()
    assert (found["kind"], found["error"]["code"], inspect.ran.code) == ("unknown", "malformed", 2)
    assert found["digest"] is not None


# The requests are those of the server's log, one by one.


def test_the_requests_are_those_of_the_servers_log(registry: Registry, inspect: Inspect):
    registry.push("team/app", build.single("linux/arm64"), "1")
    found = inspect.one()
    assert told(found) == logged(registry)
    assert [(one["status"], one["error"]) for one in found["requests"]] == [(200, None)] * 2
    assert [(one["what"], one["credential"]) for one in found["answers"]] == [("tag", None), ("config", None)]


def test_login_and_token_are_requests_too(registry: Registry, inspect: Inspect, login: Path):
    registry.push("team/app", build.single("linux/arm64"), "1")
    registry.auth = Auth(users={"ann": PASSWORD})
    found = inspect.one()
    assert told(found) == logged(registry)
    assert [one["status"] for one in found["requests"]] == [401, 200, 200, 200]
    assert {one["credential"] for one in found["answers"]} == {str(login)}
    assert "?" not in json.dumps(found["requests"])
    assert str(login) in inspect.table(APP)


def test_an_anonymous_token(registry: Registry, inspect: Inspect):
    registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.auth = Auth(public={"team/app"})
    assert [one["credential"] for one in inspect.one()["answers"]] == ["anonymous"]


def test_a_refusal_shows_what_was_tried(registry: Registry, inspect: Inspect, login: Path):
    registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.auth = Auth(users={"ann": "another"})
    found = inspect.one()
    assert (found["error"]["code"], found["answers"], inspect.ran.code) == ("unauthorized", [], 2)
    assert "docker login" in inspect.ran.err
    assert told(found) == logged(registry)


def test_each_hop_of_a_redirect_is_a_request(registry: Registry, inspect: Inspect):
    image = registry.push("team/app", build.single("linux/arm64"), "1")
    with Registry() as store:
        store.names["x", "blobs", "config"] = image.blobs[0]
        target = f"{store.url}/v2/x/blobs/config?X-Signature=MARKED"
        registry.faults = [Fault(at="*/blobs/*", redirect=target)]
        found = inspect.one()
        assert told(found) == logged(registry) + logged(store)
    assert [one["status"] for one in found["requests"]] == [200, 307, 200]


def test_a_fault_and_the_requests_after_it(registry: Registry, inspect: Inspect):
    registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.faults = [Fault(status=503, times=1)]
    found = inspect.one()
    assert told(found) == logged(registry)
    assert [one["status"] for one in found["requests"]] == [503, 200]


def test_a_mirror_that_answers_and_one_that_does_not(registry: Registry, inspect: Inspect, settings: Path):
    registry.push("team/app", build.multi("linux/arm64"), "1")
    hosts = Path(json.loads(settings.read_text())["registries"]["hostsDir"]) / "reg.example" / "hosts.toml"
    with Registry() as empty:
        hosts.write_text(f'server = "http://127.0.0.1:1"\n[host."{empty.url}"]\n[host."{registry.url}"]\n')
        found = inspect.one()
        assert told(found) == logged(empty) + logged(registry)
    assert [(one["host"], one["mirror"]) for one in found["answers"]] == [(registry.address, True)]


def test_nobody_answers(registry: Registry, inspect: Inspect, settings: Path):
    hosts = Path(json.loads(settings.read_text())["registries"]["hostsDir"]) / "reg.example" / "hosts.toml"
    hosts.write_text('server = "http://127.0.0.1:1"\n')
    found = inspect.one()
    assert {(one["status"], one["error"]) for one in found["requests"]} == {(None, "unavailable")}
    assert (found["error"]["code"], inspect.ran.code) == ("unavailable", 2)
    assert "Connection refused" in found["error"]["message"]


def test_an_address_that_may_not_be_asked_leads_to_the_setting(podgate: Podgate):
    ran = podgate("inspect", "127.0.0.1:1/team/app:1")
    assert ran.code == 2
    assert ran.err.endswith(": allow it in the settings (registries.allowedAddresses)\n")


def test_several_images_at_once_each_with_its_own_requests(registry: Registry, inspect: Inspect):
    names = [f"team/app{number}" for number in range(20)]
    for name in names:
        registry.push(name, build.single("linux/arm64"), "1")
    wanted = [f"reg.example/{name}:1" for name in names]
    found = inspect(*wanted, wanted[0])
    assert [one["image"] for one in found] == wanted
    assert sorted(pair for one in found for pair in told(one)) == sorted(logged(registry))
    assert all(name in url for one, name in zip(found, names, strict=True) for _, url in told(one))


def test_credentials_of_the_settings_are_lent_to_their_namespaces(
    registry: Registry, inspect: Inspect, settings: Path, tmp_path: Path
):
    registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.auth = Auth(users={"ann": PASSWORD})
    (tmp_path / "password").write_text(PASSWORD)
    value = json.loads(settings.read_text())
    entry = {
        "match": "reg.example",
        "namespaces": ["prod"],
        "username": "ann",
        "passwordFile": str(tmp_path / "password"),
    }
    value["registries"]["credentials"] = [entry]
    settings.write_text(json.dumps(value))
    (outside,) = inspect(APP)
    assert outside["error"]["code"] in ("denied", "unauthorized")
    (inside,) = inspect(APP, options=("--namespace", "prod"))
    assert [one["credential"] for one in inside["answers"]] == ["registries.credentials[0].passwordFile"]


# For people.


def test_the_table(registry: Registry, inspect: Inspect):
    image = registry.push("team/app", build.attested(build.multi("linux/amd64")), "1")
    (first, second) = image.root.json["manifests"]
    assert [line for line in inspect.table(APP).splitlines() if " ms " not in line] == [
        "reg.example/team/app:1",
        f"  digest     {image.digest}",
        f"  type       OCI index, {len(image.root.body)} bytes",
        "  platforms  linux/amd64",
        "  entries    2",
        f"    linux/amd64      OCI manifest, {first['size']} bytes",
        f"      {first['digest']}",
        f"    unknown/unknown  OCI manifest, {second['size']} bytes, attestation",
        f"      {second['digest']}",
        "  requests   1",
        f"  answered   by {registry.address}, which hostsDir names",
        "  login      none was asked for",
    ]
    (request,) = [line for line in inspect.ran.out.splitlines() if " ms " in line]
    assert request.split()[:2] == ["GET", "200"]
    assert request.endswith(f"{registry.url}/v2/team/app/manifests/1")


def test_the_page_shows_what_is_printed(registry: Registry, inspect: Inspect, settings: Path, tmp_path: Path):
    """But for the times, and for the place where this registry happens to be."""
    registry.push("team/app", build.attested(build.multi("linux/amd64", "linux/arm64")), "1")
    registry.auth = Auth(users={"ann": PASSWORD})
    (tmp_path / "password").write_text(PASSWORD)
    value = json.loads(settings.read_text())
    entry = {"match": "reg.example", "username": "ann", "passwordFile": str(tmp_path / "password"), "namespaces": ["*"]}
    value["registries"]["credentials"] = [entry]
    settings.write_text(json.dumps(value))
    printed = re.sub(r"\b\d+ ms\b", "4 ms", inspect.table(APP)).replace(registry.url, "https://reg.example")
    printed = printed.replace(f"by {registry.address}, which hostsDir names", "by reg.example")
    assert f"$ podgate inspect --config settings.yaml {APP}\n{printed}```" in PAGE.read_text()


def test_what_a_registry_writes_moves_no_cursor(registry: Registry, inspect: Inspect):
    escape = "\x1b[2J\n"
    root = build.index(
        [
            {
                "mediaType": f"a{escape}",
                "digest": f"b{escape}",
                "size": -1,
                "artifactType": f"c{escape}",
                "platform": {"os": f"d{escape}", "architecture": "[red]e[/red]"},
            }
        ],
        artifactType=f"f{escape}",
    )
    registry.push("team/app", Image(root), "1")
    text = inspect.table(APP)
    assert "\x1b" not in text
    assert "[red]e[/red]" in text
    assert inspect.one()["entries"][0]["platform"]["os"] == f"d{escape}"


def test_without_an_image_it_is_wrong_usage(podgate: Podgate):
    ran = podgate("inspect")
    assert ran.code == 2
    assert "IMAGE" in ran.err


LOADED = """
import json, sys
from webhook import cli
sys.argv = ["podgate", "inspect", sys.argv[1], "--config", sys.argv[2], "-o", "json"]
try:
    cli.main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def test_it_loads_neither_server_nor_cluster(registry: Registry, settings: Path, new_user: None):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    command = [sys.executable, "-c", LOADED, APP, str(settings)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = set(json.loads(ran.stderr.splitlines()[-1]))
    assert not loaded & {"kopf", "kubernetes", "aiohttp", "cryptography", "prometheus_client", "opentelemetry"}
    assert "httpx" in loaded
