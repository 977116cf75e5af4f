"""The pieces for CI services with what they really run: pre-commit, pip, helm, a registry."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.e2e.harness.helm import CHART, Helm
from tests.e2e.harness.podgate import ROOT, pod, podgate_settings
from tests.e2e.harness.registry import Registry
from tests.support import images
from tests.support.ci import Action

BIN = Path(sys.executable).parent
SARIF = Draft7Validator(json.loads((ROOT / "tests" / "report" / "schemas" / "sarif-2.1.0.json").read_text()))
UNREACHED = ("Temporary failure in name resolution", "Failed to establish a new connection", "ConnectTimeoutError")
"""What pip says where there is no package index."""


def run(
    *command: str | Path, folder: Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program as somebody without a kubeconfig, and skips where a package index was wanted and is not there."""
    own = {**os.environ, "KUBECONFIG": os.devnull, **(environment or {})}
    done = subprocess.run(command, cwd=folder, env=own, input=stdin, capture_output=True, text=True, check=False)
    skip_without_index(done)
    return done


def skip_without_index(done: subprocess.CompletedProcess[str]) -> None:
    for sign in UNREACHED:
        if done.returncode and sign in done.stdout + done.stderr:
            pytest.skip(f"there is no package index: {sign}")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of podgate's, as a code host would have it: what the pieces need, committed."""
    folder = tmp_path_factory.mktemp("source") / "podgate"
    shutil.copytree(ROOT / "webhook", folder / "webhook", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "ci", folder / "ci")
    for name in (".pre-commit-hooks.yaml", "action.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    """Everything in a folder as a commit, of a repository that is made where there is none; its name."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--no-verify", "-m", "files")):
        done = run("git", *words, folder=folder)
        assert done.returncode == 0, done.stderr
    return run("git", "rev-parse", "HEAD", folder=folder).stdout.strip()


@pytest.fixture
def workspace(registry: Registry, tmp_path: Path) -> Path:
    """Somebody's repository: one manifest that runs on amd64 alone, one that runs everywhere, one file that is none."""
    registry.push("ci/app", images.multi("linux/amd64"), "1")
    registry.push("ci/app", images.multi("linux/amd64", "linux/arm64"), "2")
    folder = tmp_path / "workspace"
    (folder / "deploy").mkdir(parents=True)
    for name, tag in (("one", "1"), ("both", "2")):
        (folder / "deploy" / f"{name}.yaml").write_text(yaml.safe_dump(pod(name, f"{registry.host}/ci/app:{tag}")))
    (folder / "values.yaml").write_text("replicas: 3\n")
    (folder / "settings.json").write_text(json.dumps(podgate_settings()))
    return folder


def test_pre_commit_runs_the_hook(source: Path, workspace: Path, tmp_path: Path):
    revision = run("git", "rev-parse", "HEAD", folder=source).stdout.strip()
    arguments = ["--target=linux/arm64", "--config=settings.json"]
    hook = {"id": "podgate-check", "files": "^deploy/", "args": arguments}
    configuration = {"repos": [{"repo": str(source), "rev": revision, "hooks": [hook]}]}
    (workspace / ".pre-commit-config.yaml").write_text(json.dumps(configuration))
    commit(workspace)
    environment = {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}

    def hooked(*words: str) -> subprocess.CompletedProcess[str]:
        return run(BIN / "pre-commit", "run", "--color=never", *words, folder=workspace, environment=environment)

    failed = hooked("--all-files")
    assert failed.returncode == 1, failed.stderr
    assert "deny   Pod default/one" in failed.stdout
    assert "1 allow, 0 warn, 1 deny, 0 skipped" in failed.stdout
    assert hooked("--files", "deploy/both.yaml").returncode == 0
    skipped = hooked("--files", "values.yaml")
    assert (skipped.returncode, "(no files to check)" in skipped.stdout) == (0, True)


def test_the_action_installs_itself_and_checks(source: Path, workspace: Path):
    action = Action(workspace, source)
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    installed = action.install(pip, python=sys.executable)
    skip_without_index(installed)
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.startswith("podgate, version ")
    action.output.unlink()
    ran = action.check(files="deploy", targets="linux/arm64", config="settings.json", sarif="podgate.sarif")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("::error file=deploy/one.yaml,line=")
    SARIF.validate(json.loads((workspace / "podgate.sarif").read_text()))
    assert not run("git", "status", "--porcelain", folder=source).stdout  # nothing was built in the action's own files


def test_an_old_python_is_told_what_is_wanted(source: Path, workspace: Path):
    old = workspace.parent / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = Action(workspace, source).install({}, python=str(old))
    assert done.returncode == 2
    assert "::error title=podgate::podgate needs Python 3.11 or later" in done.stdout


def test_a_chart_that_helm_renders_goes_through_a_pipe(helm: Helm, registry: Registry, tmp_path: Path):
    """podgate's own chart, of an image for amd64 alone."""
    registry.push("ci/podgate", images.multi("linux/amd64"), "1")
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(podgate_settings()))
    rendered = helm.must("template", "gate", CHART, "--namespace", "gate", values={
        "image": {"repository": f"{registry.host}/ci/podgate", "tag": "1"},
    })  # fmt: skip
    program, config = BIN / "podgate", ("--config", settings)

    def checked(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return run(program, "check", *config, *words, folder=tmp_path, stdin=rendered)

    annotated = checked("--target", "linux/arm64", "-o", "github", "--report", "sarif=podgate.sarif")
    assert annotated.returncode == 1
    *commands, last = annotated.stdout.splitlines()
    lines = rendered.split("\n")
    image = f"{registry.host}/ci/podgate:1"
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip().strip('"').endswith(image)]
    found = [re.match(r"::error title=(\w+) [^:]*%3A mismatch::stdin, line (\d+): ", line) for line in commands]
    assert [int(one[2]) for one in found if one] == numbers
    assert [one[1] for one in found if one and one[1] != "Job"] == ["Deployment"]
    assert f"{len(numbers)} deny" in last
    assert "of other kinds passed over" in annotated.stderr
    log: dict[str, Any] = json.loads((tmp_path / "podgate.sarif").read_text())
    SARIF.validate(log)
    regions = [one["locations"][0]["physicalLocation"]["region"] for one in log["runs"][0]["results"]]
    assert {
        lines[one["startLine"] - 1][one["startColumn"] - 1 : one["endColumn"] - 1].strip('"') for one in regions
    } == {image}
    assert checked("--target", "linux/amd64").returncode == 0
