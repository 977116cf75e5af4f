"""The pieces for CI services, run as their runners run them: action.yml's steps, the job of templates/podgate.yml."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.command import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
TEMPLATE = (ROOT / "templates" / "podgate.yml").read_text()
EXPRESSION = re.compile(r"\$\{\{ (inputs|steps\.install\.outputs)\.([a-z-]+) \}\}")
INTERPOLATION = re.compile(r"\$\[\[ inputs\.([a-z-]+) \]\]")


def run_script(
    shell: list[str], script: str, environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a script from a file, as runners do."""
    path = folder.parent / "script.sh"
    path.write_text(script)
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [*shell, str(path)], cwd=folder, env={**own, **environment}, capture_output=True, text=True, check=False
    )


class Action:
    """The action, run as GitHub's runner runs it (actions/runner, ScriptHandlerHelpers.cs).

    `files` is where the runner has put the action's repository; `program` the podgate that its first step installed,
    empty where that is to be run.
    """

    def __init__(self, workspace: Path, files: Path = ROOT, program: str = "") -> None:
        self.workspace = workspace
        self.temporary = workspace.parent / "runner"
        self.temporary.mkdir()
        self.output, self.summary = self.temporary / "output", self.temporary / "summary"
        self._files = files
        self._program = program

    def install(self, environment: Mapping[str, str], **inputs: str) -> subprocess.CompletedProcess[str]:
        """The first step."""
        done = self._step(0, inputs, ".", environment)
        if done.returncode == 0:
            self._program = self.output.read_text().removeprefix("program=").rstrip("\n")
        return done

    def check(self, folder: str = ".", **inputs: str) -> subprocess.CompletedProcess[str]:
        """The second step, with the folder of the workspace that the job has gone into."""
        return self._step(1, inputs, folder, {})

    def _step(
        self, number: int, inputs: Mapping[str, str], folder: str, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        given = {name: one.get("default", "") for name, one in ACTION["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        step = ACTION["runs"]["steps"][number]
        filled = {}
        for name, value in step["env"].items():
            found = EXPRESSION.fullmatch(value)
            assert found is not None
            filled[name] = given[found[2]] if found[1] == "inputs" else {"program": self._program}[found[2]]
        filled |= {
            "GITHUB_ACTION_PATH": str(self._files),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temporary),
        }
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"]
        return run_script(shell, step["run"], {**environment, **filled}, self.workspace / folder)


def job(inputs: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """The job with its inputs filled in, in the values of the parsed file, as GitLab does it: an input that is all of a
    value keeps its type (docs.gitlab.com/ci/inputs, Input types)."""
    spec, jobs = yaml.safe_load_all(TEMPLATE)
    declared = spec["spec"]["inputs"]
    assert set(inputs) <= set(declared)
    given = {name: one.get("default") for name, one in declared.items()} | dict(inputs)
    assert None not in given.values()

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(key): filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        if not isinstance(value, str):
            return value
        if whole := INTERPOLATION.fullmatch(value):
            return given[whole[1]]
        return INTERPOLATION.sub(lambda found: _text(given[found[1]]), value)

    ((name, filled_in),) = filled(jobs).items()
    return str(name), filled_in


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
