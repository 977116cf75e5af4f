"""`check -o github`, `-o sarif`, `-o junit` and `--report` on real files: what they point at is what is meant."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.command import Podgate, Ran
from tests.support.manifests import REGISTRY, pod

MANIFEST = f"""\
# a comment, so that nothing begins at the top
x-images:
- &old {REGISTRY}/team/app:1.4
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: wäb, namespace: shop}}
spec:
  template:
    spec:
      containers:
      - name: both
        image: {REGISTRY}/team/app:2.0
      - {{name: ü, image: "{REGISTRY}/team/app:1.4"}}  # ← flow style
      initContainers:
      - name: init
        image: '{REGISTRY}/team/tool:1'
---
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata:
    name: nightly
  spec:
    jobTemplate:
      spec:
        template:
          spec:
            containers:
            - name: app
              image: {REGISTRY}/team/app:none
- apiVersion: v1
  kind: Pod
  metadata:
    name: well
  spec:
    containers:
    - name: app
      image: {REGISTRY}/team/app:2.0
---
apiVersion: v1
kind: Pod
metadata:
  name: [broken
"""
MANIFEST = MANIFEST.partition("---\n")[2]  # without the first document, which is no object

ANNOTATION = re.compile(
    r"::(error|warning) (?:file=([^,]*),)?(?:line=(\d+),endLine=\d+,)?(?:col=(\d+),endColumn=(\d+),)?"
)
"""The beginning of a command, as podgate orders its properties."""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree whose folder `deploy` is the current one."""
    folder = tmp_path / "tree" / "deploy"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    return folder


def check(podgate: Podgate, settings: Path, *arguments: str | Path, stdin: bytes = b"") -> Ran:
    return podgate("check", *arguments, "--target", "linux/arm64", "--config", settings, stdin=stdin)


def pointed_at(text: str, line: int, column: int, end_column: int) -> str:
    """What stands there, without quotes; lines end with line feeds, columns are characters."""
    return text.split("\n")[line - 1][column - 1 : end_column - 1].strip("\"'")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_annotations_stand_at_the_images(podgate: Podgate, settings: Path, tree: Path, newline: str):
    text = MANIFEST.replace("\n", newline)
    (tree / "app.yaml").write_bytes(text.encode())
    ran = check(podgate, settings, "-f", "app.yaml", "-o", "github")
    assert ran.code == 2
    found = [ANNOTATION.match(line) for line in ran.out.splitlines()[:-1]]
    told = [
        (one[1], one[2], one[4] and pointed_at(text, int(one[3]), int(one[4]), int(one[5]))) for one in found if one
    ]
    assert told == [
        ("error", "deploy/app.yaml", f"{REGISTRY}/team/app:1.4"),
        ("warning", "deploy/app.yaml", f"{REGISTRY}/team/app:none"),
        ("error", "deploy/app.yaml", None),
        ("error", "deploy/app.yaml", f"{REGISTRY}/team/tool:1"),
    ]
    assert ran.out.splitlines()[-1] == "1 allow, 1 warn, 1 deny, 0 skipped"
    assert "not YAML" in ran.err


def sarif(ran: Ran) -> dict[str, Any]:
    (run,) = json.loads(ran.out)["runs"]
    return dict(run)


@pytest.mark.parametrize("name", ["app.yaml", "app.json"])
def test_regions_hold_the_images(podgate: Podgate, settings: Path, tree: Path, name: str):
    objects = [pod(name="ö" * 3), pod(f"{REGISTRY}/team/tool:1", name="tool")]
    text = (
        MANIFEST if name == "app.yaml" else json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=1)
    )
    (tree / name).write_text(text)
    run = sarif(check(podgate, settings, "-f", name, "-o", "sarif"))
    seen = []
    for result in run["results"]:
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"] == {"uri": f"deploy/{name}", "uriBaseId": "%SRCROOT%"}
        region = location["region"]
        assert region["startLine"] == region["endLine"]
        image = pointed_at(text, region["startLine"], region["startColumn"], region["endColumn"])
        assert image in result["message"]["text"]
        seen.append((result["level"], image.removeprefix(f"{REGISTRY}/team/")))
    if name == "app.yaml":
        assert seen == [("error", "app:1.4"), ("warning", "app:none")]
        (notification,) = run["invocations"][0]["toolExecutionNotifications"]
        line = notification["locations"][0]["physicalLocation"]["region"]["startLine"]
        assert line >= text.split("\n").index("  name: [broken") + 1
    else:
        assert seen == [("error", "app:1.4"), ("error", "tool:1")]


def test_what_is_piped_in_has_lines_but_no_file(podgate: Podgate, settings: Path):
    ran = check(podgate, settings, "-o", "github", stdin=MANIFEST.encode())
    line = MANIFEST.split("\n").index(next(text for text in MANIFEST.split("\n") if "flow style" in text)) + 1
    assert ran.out.startswith(f"::error title=Deployment shop/wäb%3A mismatch::stdin, line {line}: Deployment wäb")
    assert "file=" not in ran.out


def test_reports_go_into_files_beside_the_table(podgate: Podgate, settings: Path, tree: Path):
    (tree / "app.yaml").write_text(MANIFEST)
    reports = [part for form in ("junit", "sarif", "json") for part in ("--report", f"{form}=report={form}")]
    ran = check(podgate, settings, "app.yaml", *reports, "--strict")
    assert ran.code == 2
    assert ran.out.startswith("deny")
    suite = ET.fromstring((tree / "report=junit").read_text())[0]
    assert suite.attrib == {
        "name": "deploy/app.yaml",
        "tests": "4",
        "failures": "2",
        "errors": "1",
        "skipped": "0",
    }
    assert len(json.loads((tree / "report=sarif").read_text())["runs"][0]["results"]) == 2
    assert len(json.loads((tree / "report=json").read_text())["objects"]) == 3


@pytest.mark.parametrize("value", ["junit", "=x", "xml=x", "junit="])
def test_a_report_has_a_form_and_a_file(podgate: Podgate, value: str):
    ran = podgate("check", "--report", value, "--target", "linux/arm64")
    assert (ran.code, ran.out) == (2, "")
    assert "is not FORM=FILE with one of the forms table, json, github, sarif, junit" in ran.err


def test_a_report_that_cannot_be_written_is_said(podgate: Podgate, settings: Path, tree: Path):
    (tree / "app.json").write_text(json.dumps(pod()))
    ran = check(podgate, settings, "app.json", "--report", "junit=none/x.xml")
    assert (ran.code, ran.err) == (2, "podgate: none/x.xml: cannot be written: No such file or directory\n")
    assert ran.out.startswith("deny")
    # A full disk is not that of standard output; and what can be written is.
    full = ("--report", "html=/dev/full", "--report", "json=kept.json")
    ran = check(podgate, settings, "app.json", *full, "--fail-on", "never")
    assert (ran.code, ran.err) == (2, "podgate: /dev/full: cannot be written: No space left on device\n")
    assert json.loads((tree / "kept.json").read_text())["summary"]["deny"] == 1


def _obeyed(lines: list[str]) -> list[str]:
    """Those that a runner would take for a command."""
    return [line for line in lines if re.search(r"##(vso)?\[|^\s*::", line)]


def test_no_line_of_a_log_commands_a_runner(podgate: Podgate, settings: Path, tree: Path):
    """GitHub's and Azure's runners obey `##[...]` and `##vso[...]` wherever they are in a line, and GitHub's `::...::`
    at its beginning, which is where a word may stand once a message is laid out."""
    hostile = "##vso[task.setvariable variable=PATH]x ##[stop-commands]y"
    words = f"{hostile} " + "".join(f"::stop-commands::{'x' * length} " for length in range(1, 60, 3))
    name = f"{hostile}.yaml".replace("/", "")
    objects = [
        {"apiVersion": "v1", "kind": hostile},
        pod(name=hostile, image=f"{REGISTRY}/{hostile}"),
        pod(name="\n::stop-commands::z", image=words),
    ]
    (tree / name).write_text("\n---\n".join(map(json.dumps, objects)))
    for form in ("table", "github", "json", "sarif", "junit", "html"):
        ran = check(podgate, settings, "-f", name, "-f", f"{name}.none", "-o", form)
        assert ran.code == 2
        lines = ran.out.splitlines()
        assert len([line for line in lines if "stop-commands" in line]) >= 2
        if form == "github":
            lines = [re.sub("^::(error|warning) (file|title)=", "", line) for line in lines]
        assert not _obeyed(lines + ran.err.splitlines())
        if form == "json":
            assert json.loads(ran.out)["objects"][0]["name"] == hostile
        elif form == "junit":
            assert hostile in (ET.fromstring(ran.out)[0][0][0].text or "")


def test_no_line_of_a_survey_commands_a_runner(podgate: Podgate, settings: Path, tree: Path):
    """The same of what scan and inspect print; a name at a line's beginning, too."""
    hostile = "::stop-commands::x ##vso[task.setvariable variable=PATH]y"
    (tree / f"\n{hostile.partition(' ')[0]}.json").write_text(json.dumps(pod(name=hostile, image=hostile)))
    files = ["-f", f"\n{hostile.partition(' ')[0]}.json", "-f", f"\n{hostile}.none"]
    for form in ("table", "csv", "html", "json"):
        ran = podgate("scan", *files, "--target", "linux/arm64", "--config", settings, "-o", form)
        assert "stop-commands" in ran.out
        assert not _obeyed(ran.out.splitlines() + ran.err.splitlines())
    for form in ("table", "json"):
        ran = podgate("inspect", hostile, "--config", settings, "-o", form)
        assert "stop-commands" in ran.out
        assert not _obeyed(ran.out.splitlines() + ran.err.splitlines())
