"""The real helm, against a cluster of the tests, or against none."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.harness.cluster import Result
from tests.e2e.harness.podgate import ROOT
from tests.e2e.harness.processes import Process, bare_environment

CHART = ROOT / "charts" / "podgate"
HELM_SECONDS = 120.0


class HelmFailed(AssertionError):
    """A helm that had to succeed did not."""


class Helm:
    """Runs helm in an environment of its own. `kubeconfig` None: without a cluster."""

    def __init__(self, program: Path, folder: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        self._folder = folder
        more = {"KUBECONFIG": str(kubeconfig)} if kubeconfig is not None else {}
        self._environment = bare_environment(folder / "home", **more)

    def __call__(self, *arguments: str | Path, values: Any = None) -> Result:
        """Runs it; `values` are those of a file, given as `--values`."""
        done = subprocess.run(
            self._command(arguments, values),
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._folder,
            timeout=HELM_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str | Path, values: Any = None) -> str:
        """Runs one that has to succeed, and gives its standard output; raises HelmFailed."""
        result = self(*arguments, values=values)
        if result.code:
            raise HelmFailed(f"helm {' '.join(map(str, arguments))} ended with {result.code}: {result.stderr}")
        return result.stdout

    def begin(self, *arguments: str | Path, values: Any = None) -> Process:
        """Begins to run one that waits for something. Whoever takes it stops it."""
        return Process("helm", self._command(arguments, values), self._folder, self._environment)

    def template(
        self, values: Any = None, *more: str, release: tuple[str, str] = ("podgate", "podgate")
    ) -> list[dict[str, Any]]:
        """The objects that the chart renders, hooks too; `release` is its name and its namespace."""
        text = self.must("template", release[0], CHART, "--namespace", release[1], *more, values=values)
        return [document for document in yaml.safe_load_all(text) if document is not None]

    def _command(self, arguments: tuple[str | Path, ...], values: Any) -> list[str]:
        command = [str(self._program), *map(str, arguments)]
        if values is not None:
            path = self._folder / "values.yaml"
            path.write_text(values if isinstance(values, str) else json.dumps(values))  # JSON is YAML
            command += ["--values", str(path)]
        return command


def named(objects: list[dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
    """Objects by kind and name, such as `Service/podgate`; each but once."""
    by_name = {f"{one['kind']}/{one['metadata']['name']}": one for one in objects}
    assert len(by_name) == len(objects)
    return by_name
