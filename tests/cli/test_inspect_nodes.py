"""`podgate inspect` with nodes: on which of them an image works, by the same verdicts as check's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.cli.conftest import kubeconfig
from tests.support import images as build
from tests.support.apiserver import ApiServer, Fault
from tests.support.command import ROOT, Podgate
from tests.support.images import Image
from tests.support.manifests import node, pod, write
from tests.support.registry import Fault as RegistryFault
from tests.support.registry import Registry

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "inspect.schema.json").read_text()))
APP = "reg.example/team/app:1"
PAGE = ROOT / "docs" / "inspect.md"


class Inspect:
    """Runs `inspect -o json` on one image and gives it, held to the schema."""

    def __init__(self, podgate: Podgate, settings: Path) -> None:
        self.podgate = podgate
        self.settings = settings
        self.err, self.code = "", 0

    def __call__(self, *options: str | Path, image: str = APP) -> dict[str, Any]:
        ran = self.podgate("inspect", image, "--config", self.settings, "-o", "json", *options)
        self.err, self.code = ran.err, ran.code
        document = json.loads(ran.out)
        SCHEMA.validate(document)
        (found,) = document["images"]
        return found  # type: ignore[no-any-return]


@pytest.fixture
def inspect(podgate: Podgate, settings: Path) -> Inspect:
    return Inspect(podgate, settings)


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """Two nodes alike, one that is tainted, one with another runtime, one that says nothing of itself."""
    tainted = node("arm-3")
    tainted["spec"] = {"taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}]}
    objects = [node("arm-1"), node("arm-2"), tainted, node("amd-1", "amd64", "cri-o://1.34.1"), node("odd", None)]
    return write(tmp_path / "nodes.yaml", *objects)


def verdicts(image: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {name: (one["outcome"], one["why"]) for one in image["nodes"] for name in one["names"]}


def test_nodes_alike_stand_together(registry: Registry, inspect: Inspect, nodes: Path):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    found = inspect("--nodes", nodes)
    assert (inspect.code, inspect.err) == (0, "")
    arm, amd, odd = sorted(found["nodes"], key=lambda group: -group["count"])
    assert (arm["names"], arm["count"], arm["platform"]) == (["arm-1", "arm-2", "arm-3"], 3, "linux/arm64")
    assert (arm["outcome"], arm["why"], arm["runtime"]) == ("fails", "no-matching-entry", "containerd://2.1.4")
    assert "no match for platform" in arm["message"]
    assert (amd["names"], amd["outcome"], amd["why"]) == (["amd-1"], "runs", "fits")
    assert (odd["names"], odd["outcome"], odd["platform"]) == (["odd"], "uncertain", None)
    assert "kubernetes.io/arch" in odd["mend"]


IMAGES: list[Image] = [
    build.multi("linux/amd64", "linux/arm64"),
    build.multi("linux/amd64"),
    build.single("linux/amd64"),
    build.single("linux/arm64/v8"),
    build.single(None),
    build.listed([(None, build.single("linux/arm64"))]),
    Image(build.index([])),
]


@pytest.mark.parametrize("image", IMAGES)
def test_it_says_what_check_says(registry: Registry, inspect: Inspect, nodes: Path, tmp_path: Path, image: Image):
    registry.push("team/app", image, "1")
    shown = verdicts(inspect("--nodes", nodes))
    tolerant = pod(APP, tolerations=[{"operator": "Exists"}])
    options = ("-f", write(tmp_path / "a.yaml", tolerant), "--nodes", nodes, "--config", inspect.settings)
    checked = inspect.podgate.json(*options).objects["web"]
    assert shown == {one["name"]: (one["outcome"], one["images"][0]["why"]) for one in checked["nodes"]}


@pytest.mark.parametrize(
    "image", [build.multi("linux/amd64"), build.single("linux/amd64"), build.single("linux/arm64")]
)
def test_nodes_cost_no_request_more(registry: Registry, inspect: Inspect, nodes: Path, image: Image):
    registry.push("team/app", image, "1")
    alone = inspect()
    before = len(registry.log)
    found = inspect("--nodes", nodes)
    assert alone["nodes"] is None
    assert len(found["requests"]) == len(registry.log) - before == len(alone["requests"])
    assert found["fromCache"] == alone["fromCache"]


def test_an_image_that_is_not_to_be_had_is_asked_for_once(registry: Registry, inspect: Inspect, nodes: Path):
    registry.faults.append(RegistryFault(status=503, headers=[("Retry-After", "600")]))
    found = inspect("--nodes", nodes)
    assert (inspect.code, found["error"]["code"], len(registry.log)) == (2, "unavailable", len(found["requests"]))
    told = {name: outcome for name, outcome in verdicts(found).items() if name != "odd"}
    assert set(told.values()) == {("uncertain", "image-unresolved")}
    assert {one["outcome"] for one in inspect("--nodes", nodes, image="reg.example/UPPER")["nodes"]} == {"fails"}


def test_targets_and_declared_nodes(registry: Registry, inspect: Inspect):
    registry.push("team/app", build.multi("linux/amd64", "windows/amd64:10.0.20348.1"), "1")
    value = json.loads(inspect.settings.read_text())
    value |= {"mode": "off", "nodes": {"declared": [{"platform": "linux/s390x"}]}, "exempt": {"namespaces": ["*"]}}
    inspect.settings.write_text(json.dumps(value))
    windows = "windows/amd64,label=node.kubernetes.io/windows-build=10.0.20348"
    found = inspect("--target", "linux/amd64,taint=a:NoExecute", "--target", windows, "--target", "darwin/amd64")
    assert {name: outcome for name, (outcome, _) in verdicts(found).items()} == {
        "linux/amd64,taint=a:NoExecute": "runs",
        windows: "runs",
        "darwin/amd64": "fails",
        "declared linux/s390x": "fails",
    }
    assert inspect.err.startswith("podgate: --target darwin/amd64: no kind of node is known")


def test_the_nodes_of_the_cluster(
    registry: Registry, inspect: Inspect, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    kubeconfig(monkeypatch, tmp_path / "kubeconfig", cluster.url)
    assert inspect()["nodes"] is None
    assert cluster.count("/") == 0  # not asked unless somebody says so
    for options in (("--cluster",), ("--context", "here")):
        assert verdicts(inspect(*options)) == {"arm-1": ("fails", "no-matching-entry")}
    assert not [path for path in ("/api/v1/secrets", "/api/v1/namespaces/default") if cluster.count(path)]


def test_a_cluster_that_does_not_answer_leaves_what_the_image_offers(
    registry: Registry, inspect: Inspect, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    kubeconfig(monkeypatch, tmp_path / "kubeconfig", cluster.url, token="expired")
    found = inspect("--cluster")
    assert (inspect.code, found["nodes"], found["platforms"]) == (2, None, ["linux/amd64"])
    assert "(401); they may have expired: log in again" in inspect.err
    cluster.token = "expired"
    cluster.fail("list nodes", Fault(status=403))
    assert inspect("--cluster")["nodes"] is None
    assert "403" in inspect.err


def test_the_table_and_the_page(registry: Registry, inspect: Inspect, nodes: Path):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    ran = inspect.podgate("inspect", APP, "--config", inspect.settings, "--nodes", nodes)
    lines = ran.out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("  nodes "))
    part = "\n".join(lines[first : first + 7])
    assert part == (
        "  nodes      5\n"
        "    fails      linux/arm64  containerd://2.1.4  arm-1, arm-2, arm-3\n"
        "      the pull would be refused: no match for platform in manifest\n"
        "    uncertain  unknown      runtime unknown     odd\n"
        "      the node does not say which platform it is; give the node the labels kubernetes.io/os and "
        "kubernetes.io/arch\n"
        "    runs       linux/amd64  cri-o://1.34.1      amd-1\n"
        "      its platform fits"
    )
    assert part.partition("\n")[2] in PAGE.read_text()


def test_options_that_exclude_each_other(podgate: Podgate):
    for options in (
        ("--nodes", "n", "--cluster"),
        ("--nodes", "n", "--context", "c"),
        ("--nodes", "n", "--kubeconfig", "k"),
    ):
        ran = podgate("inspect", APP, *options)
        assert ran.code == 2
        assert "--nodes excludes" in ran.err


LOADED = """
import json, sys
from webhook import cli
sys.argv = ["podgate", "inspect", sys.argv[1], "--config", sys.argv[2], "--nodes", sys.argv[3]]
try:
    cli.main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def test_with_a_file_of_nodes_it_loads_neither_server_nor_cluster(
    registry: Registry, settings: Path, nodes: Path, new_user: None
):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    command = [sys.executable, "-c", LOADED, APP, str(settings), str(nodes)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = set(json.loads(ran.stderr.splitlines()[-1]))
    assert not loaded & {"kopf", "kubernetes", "aiohttp", "cryptography", "prometheus_client", "opentelemetry"}
