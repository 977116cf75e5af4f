"""What is built and installed is what is tested: the demo runs from the wheel, with its samples in it."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.command import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree by the build backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a new environment: the wheel is in it, and beside it the dependencies of this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)],
        capture_output=True,
        check=True,
        timeout=120,
    )
    (library,) = (folder / "lib").glob("python*/site-packages")
    # A .pth comes after the environment's own packages, so that podgate is the wheel's.
    (library / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin"


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs outside of the source tree."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demo_runs_from_the_wheel(scripts: Path, tmp_path: Path):
    ran = run(scripts / "podgate", "demo", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    for words in ("denied the request: ", "Warning: podgate: ", "pod/web created (not stored: demo)"):
        assert words in ran.stdout
    where = run(scripts / "python", "-c", "import webhook; print(webhook.__file__)", folder=tmp_path)
    assert where.stdout.startswith(str(scripts.parent))


@pytest.mark.parametrize("command", [["podgate"], ["kubectl-podgate"], ["python", "-m", "webhook"]])
def test_the_names_of_the_command(scripts: Path, tmp_path: Path, command: list[str]):
    ran = run(scripts / command[0], *command[1:], "--version", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("podgate, version ")


def test_what_is_installed_beside_the_command(scripts: Path, tmp_path: Path):
    """Its man page, and what kubectl asks for the rest of a word."""
    page = scripts.parent / "share" / "man" / "man1" / "podgate.1"
    assert page.read_text() == (ROOT / "docs" / "man" / "podgate.1").read_text()
    ran = run(scripts / "kubectl_complete-podgate", "insp", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("inspect\t")
    assert ran.stdout.endswith("\n:4\n")


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"webhook", "podgate"}
    assert [name for name in names if name.endswith("LICENSE")]
    samples = [Path(name).name for name in names if name.startswith("webhook/demo/samples/")]
    assert sorted(samples) == sorted(path.name for path in (ROOT / "manifests" / "samples").iterdir())
    assert {"webhook/demo/nodes.yaml", "webhook/report/html.css", "webhook/report/html.js"} <= set(names)
    assert "webhook/py.typed" in names
