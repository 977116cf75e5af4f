"""podgate's image: built for two platforms, run, looked into, and built again to the same digest."""

import platform
import struct
import tomllib
from pathlib import Path

import pytest

from tests.e2e.harness.builder import NoBuilder
from tests.e2e.harness.image import EPOCH, ROOT, Built, Container, build, images, require_builder

NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
MACHINES = {"amd64": 62, "arm64": 183}
"""e_machine of ELF files: EM_X86_64 and EM_AARCH64."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image for both platforms; without a builder these tests are skipped, and say why."""
    try:
        require_builder()
    except NoBuilder as error:
        pytest.skip(str(error))
    return build(tmp_path_factory.mktemp("image"), "linux/amd64,linux/arm64")


@pytest.fixture(scope="module")
def built(layout: Path) -> dict[str, Built]:
    return images(layout)


@pytest.fixture(scope="module")
def container(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Of the image for this machine."""
    return Container(layout, NATIVE, tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="module")
def foreign(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Of the image for the other platform, which does not run here."""
    (architecture,) = MACHINES.keys() - {NATIVE}
    return Container(layout, architecture, tmp_path_factory.mktemp("foreign"))


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def machines(root: Path) -> set[int]:
    """The machines of all ELF files below a folder: its header has e_machine at byte 18, here in little endian."""
    heads = []
    for path in files(root):
        with path.open("rb") as file:
            heads.append(file.read(20))
    return {struct.unpack("<H", head[18:20])[0] for head in heads if head[:4] == b"\x7fELF"}


def test_the_index_has_both_platforms(built: dict[str, Built]):
    assert built.keys() == {"linux/amd64", "linux/arm64"}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, (_, config) in built.items():
        assert f"{config['os']}/{config['architecture']}" == name
        assert config["created"] == "2026-09-21T14:13:20Z"
        assert config["config"]["User"] == "65532:65532"
        assert config["config"]["Entrypoint"] == ["podgate"]
        assert config["config"]["Labels"]["org.opencontainers.image.version"] == version
        assert config["config"]["Labels"]["org.opencontainers.image.created"] == config["created"]


def test_it_runs(container: Container):
    version = container.run("podgate", "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("podgate, version ")
    demo = container.run("podgate", "demo")
    assert demo.returncode == 0, demo.stderr
    assert "Error from server (Forbidden)" in demo.stdout
    assert "pod/web created (not stored: demo)" in demo.stdout
    plugin = container.run("kubectl-podgate", "check", "--help")
    assert plugin.returncode == 0, plugin.stderr


def test_it_runs_as_nobody_and_writes_nothing(container: Container):
    said = container.run("python3", "-c", "import os, webhook; print(os.getuid(), os.getgid())")
    assert said.stdout.split() == ["65532", "65532"]
    writable = [
        path for path in files(container.root / "opt") + files(container.root / "usr") if path.stat().st_mode & 0o6022
    ]
    assert not writable
    owners = {path.stat().st_uid for path in (container.root / "opt").rglob("*") if not path.is_symlink()}
    assert owners == {0}


def test_every_module_that_a_start_reads_is_compiled(container: Container):
    """Python says on -v what it compiles for want of bytecode: "code object from" a source file."""
    said = container.run("python3", "-v", "-c", "import webhook.cli, webhook.app.serve, kubernetes, kopf, httpx")
    assert said.returncode == 0
    assert "# code object from '/opt/podgate/lib" in said.stderr
    compiled = [line for line in said.stderr.splitlines() if "# code object from" in line and "__pycache__" not in line]
    assert compiled == []


def test_there_is_no_shell_and_no_package_manager(container: Container, foreign: Container):
    for each in (container, foreign):
        programs = {path.name for folder in ("usr/bin", "usr/sbin") for path in (each.root / folder).iterdir()}
        assert {name for name in programs if not name.startswith("python3")} == set()
        assert {path.name for path in (each.root / "opt/podgate/bin").iterdir()} <= {
            "podgate", "kubectl-podgate", "kubectl_complete-podgate", "python", "python3", "python3.13",
        }  # fmt: skip
    assert container.run("sh", "-c", "true").returncode != 0


def test_each_is_of_its_own_architecture(container: Container, foreign: Container):
    for each, machine in ((container, MACHINES[NATIVE]), (foreign, sum(MACHINES.values()) - MACHINES[NATIVE])):
        for folder in ("usr", "opt"):
            assert machines(each.root / folder) == {machine}
    # What is no program is the same in both.
    (ours, theirs) = (
        {path.relative_to(each.root): path for path in files(each.root / "opt")} for each in (container, foreign)
    )
    assert {path for path in ours if path.suffix == ".py"} == {path for path in theirs if path.suffix == ".py"}


def test_its_files_are_of_one_time(container: Container):
    assert {int(path.stat().st_mtime) for path in files(container.root / "opt")} == {EPOCH}


def test_building_it_again_gives_the_same(built: dict[str, Built], tmp_path: Path):
    """Its bases too are made anew. One platform will do: both are made in one way."""
    again = images(build(tmp_path, f"linux/{NATIVE}"))
    assert again == {f"linux/{NATIVE}": built[f"linux/{NATIVE}"]}
