"""What is built once is built once, and who cannot build is told what to do."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.harness.components import CONTROL_PLANE, _locked, cache_folder, components, gitleaks
from tests.e2e.harness.gobuild import BuildError
from tests.e2e.harness.podgate import ROOT
from tests.e2e.harness.processes import wait_until

# A toolchain that answers at once: what Go makes of the modules is shown by every other test of this folder.
GO = """#!/bin/sh
case "$1" in
env) echo "${FAKE_GO_VERSION:-go1.26.8}"; exit 0 ;;
build) while [ "$1" != -o ]; do shift; done; target=$2 ;;
install) while [ $# -gt 1 ]; do shift; done; program=${1%@*}
  case "${program##*/}" in v[0-9]*) program=${program%/*} ;; esac # a major version is not a name
  target=$GOBIN/${program##*/} ;;
esac
echo "$target" >>"$FAKE_GO_CALLS"
sleep 0.5
if [ -n "$FAKE_GO_FAILS" ]; then echo "no space left on device" >&2; exit 1; fi
printf '#!/bin/sh\\n' >"$target" && chmod +x "$target"
"""


@pytest.fixture
def toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` on the PATH that notes what it is asked for; gives the file with the notes."""
    bin_folder = tmp_path / "bin"
    program(bin_folder / "go", GO)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    calls = tmp_path / "calls"
    calls.touch()
    monkeypatch.setenv("FAKE_GO_CALLS", str(calls))
    return calls


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    """Writes a program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"PODGATE_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/podgate"),
        ({"PODGATE_CACHE": "", "XDG_CACHE_HOME": ""}, str(Path.home() / ".cache" / "podgate")),
    ],
)
def test_the_cache_folder(environment: Mapping[str, str], folder: str):
    assert cache_folder(environment) == Path(folder)


def test_two_runs_at_once_build_each_component_once(tmp_path: Path, toolchain: Path):
    command = [sys.executable, "-m", "tests.e2e.harness.components"]
    environment = {**os.environ, "PODGATE_CACHE": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": ""}
    runs = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert len(toolchain.read_text().splitlines()) == 3
    assert results[0][0] == results[1][0]
    for line in results[0][0].splitlines():
        name, path = line.split("\t")
        assert os.access(path, os.X_OK), name


@pytest.mark.parametrize("ended", [False, True])
def test_all_are_built_the_small_ones_first_and_none_when_it_is_ended(tmp_path: Path, toolchain: Path, ended: bool):
    cache = tmp_path / "cache"
    command = [sys.executable, "-m", "tests.e2e.harness.components", "--all"]
    environment = {**os.environ, "PODGATE_CACHE": str(cache), "KUBEBUILDER_ASSETS": ""}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        if ended:
            wait_until("the second to be built", lambda: len(toolchain.read_text().splitlines()) == 2, 30)
            run.terminate()
        names = [line.split("\t")[0] for line in run.communicate(timeout=60)[0].splitlines()]
    built = [Path(line).name for line in toolchain.read_text().splitlines()]
    if ended:
        assert (run.returncode, built, names) == (143, ["gitleaks", "vegeta"], [])
        assert [path.name for path in cache.iterdir() if path.is_dir()] == [gitleaks(cache, print).parent.name]
    else:
        assert (run.returncode, built) == (0, ["gitleaks", "vegeta", "controlplane", "registry", "helm"])
        assert names == [*CONTROL_PLANE, "registry", "helm", "gitleaks", "vegeta"]


def test_who_has_to_wait_for_another_run_is_told_so(tmp_path: Path):
    said: list[str] = []

    def second() -> None:
        with _locked(tmp_path / "registry.lock", said.append):
            said.append("mine")

    with _locked(tmp_path / "registry.lock", said.append):
        thread = threading.Thread(target=second)
        thread.start()
        wait_until("the second to wait", lambda: said, 10)
        assert said == ["another run is building registry: waiting for it to end"]
    thread.join(10)
    assert said[1:] == ["mine"]


def test_a_build_that_failed_leaves_nothing_and_shows_its_last_words(tmp_path: Path, toolchain: Path, monkeypatch):
    monkeypatch.setenv("FAKE_GO_FAILS", "yes")
    said: list[str] = []
    with pytest.raises(BuildError, match="no space left on device"):
        components({"PODGATE_CACHE": str(tmp_path / "cache")}, said.append)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]
    assert "about 12 minutes" in said[0]
    monkeypatch.delenv("FAKE_GO_FAILS")
    ready = components({"PODGATE_CACHE": str(tmp_path / "cache")}, said.append)
    assert set(ready.programs) == set(CONTROL_PLANE)


def test_without_go_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"Install Go 1\.21 or later"):
        components({"PODGATE_CACHE": str(tmp_path / "cache")})


def test_a_go_that_is_too_old_is_told_apart(tmp_path: Path, toolchain: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.19.8")
    with pytest.raises(BuildError, match=r"is go1\.19\.8; Go 1\.21 or later is needed"):
        components({"PODGATE_CACHE": str(tmp_path / "cache")})
    assert toolchain.read_text() == ""


def test_assets_are_used_instead_and_only_what_they_lack_is_built(tmp_path: Path, toolchain: Path):
    assets = tmp_path / "assets"
    for name in ("etcd", "kube-apiserver", "kubectl"):
        program(assets / name)
    said: list[str] = []
    ready = components({"PODGATE_CACHE": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(assets)}, said.append)
    assert not ready.own_control_plane
    parents = {name: ready.programs[name].parent for name in CONTROL_PLANE}
    assert {name for name, parent in parents.items() if parent == assets} == {"etcd", "kube-apiserver", "kubectl"}
    assert said[0].startswith("kube-scheduler, kube-controller-manager: not in KUBEBUILDER_ASSETS")
    for name in ("kube-scheduler", "kube-controller-manager"):
        program(assets / name)
    toolchain.write_text("")
    environment = {"PODGATE_CACHE": str(tmp_path / "other"), "KUBEBUILDER_ASSETS": str(assets)}
    assert components(environment, said.append).programs["kube-scheduler"] == assets / "kube-scheduler"
    assert [Path(line).name for line in toolchain.read_text().splitlines()] == ["registry", "helm"]


def test_assets_without_a_server_are_refused(tmp_path: Path):
    program(tmp_path / "assets" / "etcd")
    with pytest.raises(BuildError, match="there is no program kube-apiserver"):
        components({"PODGATE_CACHE": str(tmp_path), "KUBEBUILDER_ASSETS": str(tmp_path / "assets")})
