"""What kubectl shows of podgate's messages: how long and how many they are, and in which order."""

import re
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster, Result
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import DENIED, WARNED, WARNING_LIMIT, verdict
from tests.support import images

pytestmark = [pytest.mark.usefixtures("mixed"), pytest.mark.usefixtures("podgate")]

Json = dict[str, Any]

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
COLUMNS = 80
WARNINGS = 8
MANY = 13
LONG = "l" + 60 * "o" + "ng"
"""A name as long as that of a container may be."""


@pytest.fixture(scope="module")
def repository(registry: Registry) -> str:
    """Indexes for amd64 alone, under the tags 0 to MANY - 1."""
    registry.push("messages/app", images.multi("linux/amd64"), *map(str, range(MANY)))
    return f"{registry.host}/messages/app"


def containers(*named: tuple[str, str]) -> list[Json]:
    return [{"name": name, "image": image} for name, image in named]


def create(cluster: Cluster, namespace: str, name: str, **spec: Any) -> Result:
    """kubectl's word on a pod that is not kept."""
    words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    return cluster.kubectl(*words, stdin=pod(name, "", **spec))


def warnings(result: Result) -> list[str]:
    """The warnings, each on a line of its own, and nothing else on standard error."""
    lines = result.stderr.splitlines()
    assert lines
    assert all(line.startswith(WARNED) for line in lines), result.stderr
    assert all(len(line.removeprefix("Warning: ")) <= WARNING_LIMIT for line in lines)
    return lines


def test_a_denial_is_laid_out_for_a_terminal(cluster: Cluster, repository: str):
    several = containers(("web", f"{repository}:0"), ("proxy", f"{repository}:1"), ("cache", f"{repository}:0"))
    before = containers(("prepare", f"{repository}:2"))
    with cluster.namespace("denial") as namespace:
        shown = [create(cluster, namespace, "web", containers=several, initContainers=before, **ARM) for _ in range(3)]
    assert len({one.stderr for one in shown}) == 1
    head, denied, text = shown[0].stderr.partition(DENIED)
    assert denied
    assert "\n" not in head
    lines = text.rstrip("\n").splitlines()
    assert len(lines) > 5
    assert [line for line in lines if len(line) > COLUMNS] == []
    # One message, in the order of the pod; containers with the same image are one case.
    said = re.findall(r'^- (?:init )?container "(\w+)"( and 1 more)?: image', text, re.MULTILINE)
    assert said == [("prepare", ""), ("web", " and 1 more"), ("proxy", "")]
    assert text.count("To mend it: ") == 1


def test_many_images_are_many_lines_of_a_denial_and_then_a_count(cluster: Cluster, repository: str):
    many = containers(*((f"c-{number}", f"{repository}:{number}") for number in range(MANY)))
    with cluster.namespace("many") as namespace:
        result = create(cluster, namespace, "web", containers=many, **ARM)
    text = result.stderr.partition(DENIED)[2]
    assert re.findall(r'container "(c-\d+)"', text) == [f"c-{number}" for number in range(5)]
    assert f"- and {MANY - 5} more images like these\n" in text
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert len(text.splitlines()) <= 24  # of a terminal as it opens


@pytest.mark.parametrize("prefix", ["c", LONG[:60]], ids=["short names", "long names"])
def test_a_pod_of_many_containers_has_at_most_eight_warnings(cluster: Cluster, repository: str, prefix: str):
    many = containers(*((f"{prefix}-{number}", f"{repository}:{number}") for number in range(MANY)))
    with cluster.namespace("many") as namespace:
        shown = [create(cluster, namespace, "web", containers=many) for _ in range(2)]
    assert [one.code for one in shown] == [0, 0]
    assert shown[0].stderr == shown[1].stderr
    *each, last = warnings(shown[0])
    assert len(each) == WARNINGS - 1
    for number, line in enumerate(each):  # in the order of the pod
        assert f"app:{number} (linux/amd64) fails on arm-1 (linux/arm64)" in line
    assert last == f"{WARNED}Pod web: and {MANY - len(each)} more warnings like these"


def test_containers_of_one_image_are_one_warning(cluster: Cluster, repository: str):
    same = containers(*((f"c-{number}", f"{repository}:0") for number in range(MANY)))
    with cluster.namespace("same") as namespace:
        (line,) = warnings(create(cluster, namespace, "web", containers=same))
    assert f'container "c-0" and {MANY - 1} more: ' in line
    assert line.endswith("; add nodeSelector kubernetes.io/arch: amd64")


def test_the_longest_names_leave_a_warning_on_one_line(cluster: Cluster, registry: Registry):
    deep = "/".join(["messages", *("part" * 10 for _ in range(4)), "app"])
    registry.push(deep, images.multi("linux/amd64"), "v" * 100 + "-end")
    image = f"{registry.host}/{deep}:{'v' * 100}-end"
    with cluster.namespace("long") as namespace:
        name = "x" * 63  # the API server has a warning of its own for a longer one
        (line,) = warnings(create(cluster, namespace, name, containers=containers((LONG, image))))
        denied = create(cluster, namespace, name, containers=containers((LONG, image)), **ARM)
    assert "-end (linux/amd64)" in line
    assert "arm-1 (linux/arm64)" in line
    for each in denied.stderr.partition(DENIED)[2].splitlines():
        assert len(each) <= COLUMNS or " " not in each.strip()  # a word that is longer stays whole, to be copied


@pytest.mark.parametrize("mode", ["deny", "warn"])
def test_control_characters_of_a_reference_reach_no_terminal(cluster: Cluster, podgate: Podgate, mode: str):
    image = "reg.example/app\x1b[31m\r\nWarning: all is well\u202e\x07:1"
    with cluster.namespace("control", {"podgate.dev/mode": mode}) as namespace:

        def judged() -> Result | None:  # podgate may hear of a new namespace's label a moment later
            result = create(cluster, namespace, "web", containers=containers(("app", image)))
            return result if verdict(result).decision == mode else None

        result = wait_until("the mode", judged, 30)
    assert result is not None
    assert [found for found in result.stderr if found != "\n" and not found.isprintable()] == []
    assert not any(line.startswith("Warning: all is well") for line in result.stderr.splitlines())
