"""`podgate scan --suggest`: tags of the same repository that would help."""

from tests.cli.test_scan import APP, Scan, document, put, scan
from tests.support.apiserver import ApiServer
from tests.support.fleet import deployment
from tests.support.images import multi, single
from tests.support.manifests import REGISTRY
from tests.support.registry import Fault, Registry

__all__ = ["scan"]  # pytest looks for fixtures here


def test_tags_that_would_help(scan: Scan, cluster: ApiServer, registry: Registry):
    for tag in ("1.3", "1.5", "1.5.1", "2.1-alpine", "3.0-rc1"):
        registry.push("team/app", multi("linux/amd64", "linux/arm64"), tag)
    registry.push("team/app", multi("linux/amd64", text="older\n"), "1.4.1")
    registry.push("team/tool", single("linux/arm64"), "2")
    registry.push("team/lone", single("linux/amd64"), "1.0")
    registry.tags_a_page = 3
    registry.push("team/main", single("linux/amd64"), "main")
    put(cluster, deployment("web"), deployment("lone", f"{REGISTRY}/team/lone:1.0"))
    put(cluster, deployment("main", f"{REGISTRY}/team/main:main"))  # no tag comes after it, and none is asked for
    first = registry.names["team/app", "manifests", "1.4"].digest
    registry.push("team/app", multi("linux/amd64", "linux/arm64"), "1.4")
    put(cluster, deployment("pinned", f"{APP}@{first}"), deployment("lined", f"{REGISTRY}/team/tool:1"))
    registry.push("team/app", multi("linux/amd64", text="moved\n"), "1.4")
    ran = scan("--target", "linux/arm64", "--suggest", "-o", "json")
    found = {one["image"]: one["suggestion"] for one in document(ran)["images"]}
    assert found[APP]["image"] == f"{REGISTRY}/team/app:1.5"  # the nearest, as exact as what is written
    assert found[APP]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert not found[APP]["sameTag"]
    assert found[f"{REGISTRY}/team/tool:1"]["tag"] == "2"
    assert found[f"{REGISTRY}/team/lone:1.0"] is None
    lists = [asked for asked in registry.log if asked.path.endswith("/tags/list")]
    assert {asked.path for asked in lists} == {f"/v2/team/{name}/tags/list" for name in ("app", "tool", "lone")}
    assert len(lists) == 3 + 1 + 1  # pages; one list, though two workloads ask for it
    assert ran.code == 0


def test_the_nearest_tag_that_helps_is_found_among_many(scan: Scan, cluster: ApiServer, registry: Registry):
    for minor in range(1, 41):
        platforms = ("linux/amd64", "linux/arm64") if minor >= 23 else ("linux/amd64",)
        registry.push("team/many", multi(*platforms, text=f"{minor}\n"), f"1.{minor}.0")
    registry.push("team/many", multi("linux/amd64"), "1.0.0")
    put(cluster, deployment("web", f"{REGISTRY}/team/many:1.0.0"))
    (found,) = document(scan("--target", "linux/arm64", "--suggest", "-o", "json"))["images"]
    assert found["suggestion"]["tag"] == "1.23.0"
    looked_at = [asked for asked in registry.log if asked.path.startswith("/v2/team/many/manifests/")]
    assert len(looked_at) <= 1 + 5 + 6  # the image itself, the nearest and the newest, and halves of what is between


def test_a_tag_that_has_moved_on_since_it_was_pinned(scan: Scan, cluster: ApiServer, registry: Registry):
    first = registry.names["team/app", "manifests", "1.4"].digest
    registry.push("team/app", multi("linux/amd64", "linux/arm64"), "1.4")
    put(cluster, deployment("pinned", f"{APP}@{first}"))
    ran = scan("--target", "linux/arm64", "--suggest")
    assert f"    the tag has it by now: {APP}  has linux/amd64, linux/arm64" in ran.out.splitlines()
    registry.faults.clear()
    refused = scan("--target", "linux/arm64", "--suggest", "--offline")
    assert "offline there are no suggestions" in refused.err


def test_lists_of_tags_that_are_refused_are_a_note(scan: Scan, cluster: ApiServer, registry: Registry):
    put(cluster, deployment("web"))
    registry.faults.append(Fault(at="*/tags/list", status=403))
    ran = scan("--target", "linux/arm64", "--suggest")
    assert (ran.code, ran.err) == (0, f"podgate: no other tags are known of {APP}: denied\n")
