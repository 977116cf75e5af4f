"""The pieces for CI services, as far as they run without one: GitHub's action, GitLab's job, pre-commit's hook."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from tests.support.ci import ACTION, EXPRESSION, INTERPOLATION, TEMPLATE, Action, job, run_script
from tests.support.command import ROOT
from tests.support.manifests import REGISTRY, pod, write

BIN = Path(sys.executable).parent
FENCE = re.compile(r"^```yaml ([a-z-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOSTILE = "$(touch pwned) `touch pwned` ;touch pwned *"


def schema(name: str) -> jsonschema.Draft7Validator:
    """One of those that check-jsonschema carries, from the collection of schemastore.org."""
    text = (files("check_jsonschema.builtin_schemas.vendor") / f"{name}.json").read_text(encoding="utf-8")
    return jsonschema.Draft7Validator(json.loads(text))


@pytest.fixture
def workspace(tmp_path: Path, settings: Path) -> Path:
    """A source tree. One manifest is denied on arm64, one is well."""
    folder = tmp_path / "work space"
    (folder / "deploy" / "more").mkdir(parents=True)
    manifest = json.dumps(pod(f"{REGISTRY}/team/app:1.4"), indent=2)
    (folder / "deploy" / "my app.yaml").write_text(manifest)
    write(folder / "deploy" / "more" / f"{HOSTILE}.yaml", pod(f"{REGISTRY}/team/app:2.0", name="both"))
    shutil.copy(settings, folder / "settings.yaml")
    return folder


# GitHub


def test_the_action_is_valid_and_no_input_is_a_part_of_a_script():
    """An expression in a script is pasted in before a shell reads it: whoever writes the value writes the script."""
    schema("github-actions").validate(ACTION)
    used: set[str] = set()
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        for value in step["env"].values():
            found = EXPRESSION.fullmatch(value)
            assert found, value
            used |= {found[2]} if found[1] == "inputs" else set()
    assert used == set(ACTION["inputs"])


def test_the_action_checks_and_reports(workspace: Path):
    action = Action(workspace, program=str(BIN / "podgate"))
    ran = action.check(
        "deploy",
        files=f"  my app.yaml\n\nmore/{HOSTILE}.yaml",
        targets="linux/arm64,runtime=containerd://2.1.4\nlinux/arm64\n",
        config="../settings.yaml",
        sarif="../podgate.sarif",
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    annotation, summary = ran.stdout.splitlines()
    assert annotation.startswith("::error file=deploy/my app.yaml,")
    assert f"{REGISTRY}/team/app:1.4" in annotation
    assert summary == "1 allow, 0 warn, 1 deny, 0 skipped"
    assert action.output.read_text() == "exit-code=1\n"
    assert action.summary.read_text().startswith("<pre>\ndeny   Pod default/web")
    log = json.loads((workspace / "podgate.sarif").read_text())
    (result,) = log["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "deploy/my%20app.yaml", "uriBaseId": "%SRCROOT%"}
    assert not list(workspace.rglob("pwned"))


def test_the_action_fails_for_what_it_is_told_to(workspace: Path):
    action = Action(workspace, program=str(BIN / "podgate"))
    common = {"targets": "linux/arm64", "config": "settings.yaml"}
    assert action.check(files="deploy", fail_on="never", **common).returncode == 0
    hostile = action.check(files="deploy", recursive="true", args=f"--namespace\n{HOSTILE} &<b>", **common)
    assert hostile.returncode == 1
    text = action.summary.read_text()
    assert text.count("<pre>") == text.count("</pre>") == 2
    assert "&amp;&lt;b&gt;" in text
    nothing = action.check(files="none.yaml", **common)
    assert nothing.returncode == 2
    assert nothing.stdout.startswith(
        "::error file=none.yaml,title=podgate%3A not understood::none.yaml: cannot be read"
    )
    assert action.output.read_text() == "exit-code=0\nexit-code=1\nexit-code=2\n"
    assert not list(workspace.rglob("pwned"))


# GitLab


def test_the_job_is_valid_and_no_input_is_a_part_of_its_script():
    spec, jobs = yaml.safe_load_all(TEMPLATE)
    name, filled_in = job({"files": "deploy"})
    schema("gitlab-ci").validate(spec)
    schema("gitlab-ci").validate({name: filled_in})
    (template,) = jobs.values()
    assert not INTERPOLATION.search("\n".join([*template["before_script"], *template["script"]]))
    assert set(INTERPOLATION.findall(yaml.safe_dump(jobs))) == set(spec["spec"]["inputs"])
    assert filled_in["artifacts"]["reports"]["junit"] == "podgate.xml"
    # GitLab takes no true and no false for a variable (entry/variable.rb, AlphanumericValidator).
    assert all(isinstance(one["value"], str) and one["expand"] is False for one in filled_in["variables"].values())


@pytest.mark.parametrize(("fail_on", "code", "failures"), [("deny", 1, "1"), ("never", 0, "0")])
def test_the_job_checks_and_reports(workspace: Path, fail_on: str, code: int, failures: str):
    _, filled_in = job(
        {
            "files": "deploy",
            "recursive": True,
            "targets": "linux/arm64\n",
            "config": "settings.yaml",
            "fail-on": fail_on,
            "args": f"--namespace\n{HOSTILE}",
        }
    )
    variables = {name: one["value"] for name, one in filled_in["variables"].items()}
    environment = {**variables, "CI_PROJECT_DIR": str(workspace), "program": str(BIN / "podgate")}
    ran = run_script(["sh", "-e"], "\n".join(filled_in["script"]), environment, workspace)
    assert (ran.returncode, ran.stderr) == (code, "")
    assert [line.split()[0] for line in ran.stdout.splitlines() if line[0] != " "] == ["allow", "deny", "1"]
    report = ET.fromstring((workspace / "podgate.xml").read_text())
    assert (report.get("tests"), report.get("failures")) == ("2", failures)
    assert [suite.get("name") for suite in report] == ["deploy/more/" + HOSTILE + ".yaml", "deploy/my app.yaml"]
    assert not list(workspace.rglob("pwned"))


def test_shellcheck_has_nothing_to_say():
    program = shutil.which("shellcheck", path=str(BIN))
    if program is None:
        pytest.skip("shellcheck has no package for this platform")
    _, filled_in = job({"files": "deploy"})
    script = "\n".join(["#!/bin/sh", *filled_in["before_script"], *filled_in["script"]])
    given = "\n".join(f"export {name}=x" for name in filled_in["variables"])
    scripts = sorted((ROOT / "ci").rglob("*.sh"))
    assert len(scripts) == 2
    for words, stdin in ((list(map(str, scripts)), ""), (["-s", "sh", "-"], script.replace("\n", f"\n{given}\n", 1))):
        done = subprocess.run([program, *words], input=stdin, capture_output=True, text=True, check=False)
        assert done.stdout + done.stderr == ""


# what the documentation shows


def shown(kind: str) -> Iterator[str]:
    found = [text for info, text in FENCE.findall((ROOT / "docs" / "ci.md").read_text()) if info == kind]
    assert found
    yield from found


def test_the_hook_and_its_configurations_are_valid(tmp_path: Path):
    def valid(what: str, *paths: Path) -> None:
        subprocess.run([BIN / "pre-commit", f"validate-{what}", *paths], check=True, env={"HOME": str(tmp_path)})

    valid("manifest", ROOT / ".pre-commit-hooks.yaml")
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    paths = []
    for number, text in enumerate(shown("pre-commit")):
        assert {each["id"] for repository in yaml.safe_load(text)["repos"] for each in repository["hooks"]} == {
            hook["id"]
        }
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text)
    valid("config", *paths)


def test_the_workflows_are_valid_and_give_inputs_that_there_are():
    for text in shown("github"):
        workflow = yaml.safe_load(text)
        workflow["on"] = workflow.pop(True)  # YAML 1.1's word for true
        schema("github-workflows").validate(workflow)
        steps = [step for each in workflow["jobs"].values() for step in each["steps"]]
        ours = [step for step in steps if "podgate" in step.get("uses", "")]
        assert ours
        for step in ours:
            assert {name for name, one in ACTION["inputs"].items() if one.get("required")} <= step["with"].keys()
            assert step["with"].keys() <= ACTION["inputs"].keys()


def test_the_pipelines_are_valid_and_give_inputs_that_there_are():
    for text in shown("gitlab"):
        pipeline = yaml.safe_load(text)
        schema("gitlab-ci").validate(pipeline)
        for include in pipeline["include"]:
            job(include["inputs"])
