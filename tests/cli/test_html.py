"""`-o html` of check and scan: the page has what the JSON of the same run has."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Podgate
from tests.support.manifests import REGISTRY, node, pod, write
from tests.support.pages import Element, parse

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "many", "namespace": "shop"},
    "spec": {
        "replicas": 12,
        "template": {
            "spec": {
                "containers": [{"name": "a", "image": f"{REGISTRY}/team/app:2.0"}, {"name": "b", "image": "No/<b>"}]
            }
        },
    },
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    unknown = pod(f"{REGISTRY}/team/app:none", "unknown")
    return write(tmp_path / "app.yaml", DEPLOYMENT, pod(name="web"), unknown, {"apiVersion": "v1", "kind": "ConfigMap"})


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    return write(tmp_path / "nodes.yaml", node("arm-1"), node("arm-2"), node("amd-1", "amd64"))


def cells(page: Element) -> dict[str, dict[str, str]]:
    """By image and platform: the verdict of the matrix."""
    table = page.one("table", "matrix")
    heads = [head.text.split(" ")[0] for head in table.one("thead").all("th")]
    found = {}
    for row in table.one("tbody").all("tr"):
        first, *rest = [part for part in row.parts if isinstance(part, Element)]
        found[next(first.all()).text] = {
            head: cell.one("b").text for head, cell in zip(heads[1:], rest, strict=True) if list(cell.all("b"))
        }
    return found


def test_check_has_the_outcomes_of_its_json(podgate: Podgate, settings: Path, manifest: Path, nodes: Path):
    arguments = ("-f", manifest, "--nodes", nodes, "--config", settings)
    ran = podgate("check", *arguments, "-o", "html")
    assert ran.code == 1
    page = parse(ran.out)
    expected: dict[str, dict[str, str]] = {}
    for one in podgate.json(*arguments).document["objects"]:
        images = {image["container"]: image["image"] for image in one["images"]}
        for found in one["nodes"]:
            for image in found["images"]:
                row = expected.setdefault(images[image["container"]], {})
                assert row.setdefault(found["platform"], image["outcome"]) == image["outcome"]
    assert cells(page) == expected
    assert {verdict for row in expected.values() for verdict in row.values()} == {"runs", "fails", "uncertain"}
    assert page.one("h1").text == "1 of 3 objects cannot run on the nodes that they may land on"
    facts = page.one("dl", "facts").text
    assert str(manifest) in facts
    assert "linux/arm64 (2 nodes), linux/amd64 (1 node)" in facts
    assert "replica" not in page.one("main").text
    for line in ran.err.splitlines():
        assert line.removeprefix("podgate: ") in page.one("main").text


def test_check_against_targets_has_them_for_columns(podgate: Podgate, settings: Path, manifest: Path):
    target = "linux/arm64,label=pool=new"
    arguments = ("-f", manifest, "--target", target, "--target", "linux/amd64", "--config", settings)
    page = parse(podgate("check", *arguments, "-o", "html").out)
    heads = [head.text for head in page.one("table", "matrix").one("thead").all("th")]
    assert heads == ["Image", f"{target} target", "linux/amd64 target", "State"]
    assert page.one("h1").text == f"1 of 3 objects cannot run on {target} or linux/amd64"
    assert cells(page)[f"{REGISTRY}/team/app:1.4"] == {target: "fails", "linux/amd64": "runs"}


def test_a_report_into_a_file_beside_the_table(podgate: Podgate, settings: Path, manifest: Path, tmp_path: Path):
    broken = write(tmp_path / "broken.yaml", {"apiVersion": "v1", "kind": "Pod", "metadata": 1})
    report = tmp_path / "report.html"
    files = ("-f", manifest, "-f", broken)
    ran = podgate("check", *files, "--target", "linux/arm64", "--config", settings, "--report", f"html={report}")
    assert ran.code == 2
    page = parse(report.read_text())
    assert page.one("p", "incomplete").text.startswith("This report is not complete: 1 problem")
    assert "broken.yaml" in page.one("main").text
    assert "deny" in ran.out


def test_scan_counts_replicas(podgate: Podgate, settings: Path, tmp_path: Path):
    fine = {
        **DEPLOYMENT,
        "metadata": {"name": "fine", "namespace": "shop"},
        "spec": {"replicas": 5, "template": pod(f"{REGISTRY}/team/app:2.0")},
    }
    manifest = write(tmp_path / "deployments.yaml", DEPLOYMENT, fine)
    page = parse(podgate("scan", "-f", manifest, "--target", "linux/arm64", "--config", settings, "-o", "html").out)
    assert page.one("h1").text == "1 of 2 workloads cannot run on linux/arm64"
    (shop,) = page.one("table", "namespaces").one("tbody").all("tr")
    assert shop.text == "shop50% ready1 5 replicas1 12 replicas"
    assert cells(page) == {"No/<b>": {"linux/arm64": "fails"}, f"{REGISTRY}/team/app:2.0": {"linux/arm64": "runs"}}
    (blocker,) = (item for item in page.all("li") if "data-image" in item.attributes)
    assert [item.text for item in blocker.all("li")] == ["Deployment shop/many 12 replicas, container b"]


def test_nothing_to_judge_is_a_page_too(podgate: Podgate, tmp_path: Path):
    empty = write(tmp_path / "empty.yaml", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}})
    ran = podgate("check", "-f", empty, "--target", "linux/arm64", "-o", "html")
    page = parse(ran.out)
    assert (ran.code, page.one("h1").text) == (0, "No objects to judge")
    assert "Service" in page.one("main").text
