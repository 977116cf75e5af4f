"""`kubectl podgate`: real kubectl finds the plugin on the PATH, hands over its words, and completes them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.cluster import Cluster, Result
from tests.e2e.harness.podgate import pod, podgate_settings
from tests.e2e.harness.registry import Registry
from tests.support import images


@pytest.fixture
def node(cluster: Cluster) -> Iterator[str]:
    cluster.add_node("plugin-arm-1", "linux/arm64")
    yield "plugin-arm-1"
    cluster.remove_node("plugin-arm-1")


class Plugin:
    """kubectl, with podgate's scripts on its PATH and one settings file."""

    def __init__(self, environment: dict[str, str], folder: Path, hosts: Path) -> None:
        scripts = Path(sys.executable).parent
        self._environment = {**environment, "PATH": f"{scripts}{os.pathsep}{environment['PATH']}", "HOME": str(folder)}
        self.settings = folder / "settings.yaml"
        self.settings.write_text(json.dumps(podgate_settings(hosts)))
        self._folder = folder

    def __call__(self, *arguments: str | Path, stdin: str = "") -> Result:
        ran = subprocess.run(
            ["kubectl", *map(str, arguments)],
            cwd=self._folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Result(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path, hosts: Path) -> Plugin:
    return Plugin(cluster.environment(), tmp_path, hosts)


def test_check_and_inspect_ask_kubectls_cluster(kubectl: Plugin, registry: Registry, node: str):
    registry.push("plugin/app", images.multi("linux/amd64"), "1.0")
    image = f"{registry.host}/plugin/app:1.0"
    manifest = json.dumps(pod("web", image, nodeSelector={"kubernetes.io/hostname": node}))
    checked = kubectl("podgate", "check", "-f", "-", "--config", kubectl.settings, "-o", "json", stdin=manifest)
    assert (checked.code, checked.stderr) == (1, "")
    (found,) = json.loads(checked.stdout)["objects"]
    assert [(one["name"], one["outcome"]) for one in found["nodes"]] == [(node, "fails")]
    inspected = kubectl("podgate", "inspect", image, "--config", kubectl.settings, "--cluster", "-o", "json")
    assert (inspected.code, inspected.stderr) == (0, "")
    (shown,) = json.loads(inspected.stdout)["images"]
    (group,) = [one for one in shown["nodes"] if node in one["names"]]
    assert (group["platform"], group["outcome"], group["why"]) == ("linux/arm64", "fails", "no-matching-entry")


def test_it_calls_itself_as_the_user_does(kubectl: Plugin):
    plugins = kubectl("plugin", "list")
    assert "kubectl-podgate" in plugins.stdout
    assert "warning" not in plugins.stderr.lower()
    helped = kubectl("podgate", "--help")
    assert (helped.code, helped.stderr) == (0, "")
    assert helped.stdout.startswith("Usage: kubectl podgate ")
    slip = kubectl("podgate", "chek")
    # kubectl adds a line of its own for some exit codes.
    assert slip.code == 2
    assert slip.stderr.startswith(
        "podgate: there is no command 'chek'; did you mean check? See kubectl podgate --help\n"
    )


def test_kubectl_completes_its_words(kubectl: Plugin, tmp_path: Path):
    for words, line, directive in (
        (["insp"], "inspect\tShow what images offer", "4"),
        (["check", "--target", "linux/s3"], "linux/s390x", "4"),
        (["check", "-f", ""], "", "0"),
    ):
        ran = kubectl("__complete", "podgate", *words)
        lines = ran.stdout.splitlines()
        assert lines[-1] == f":{directive}"
        assert lines[0].startswith(line)
