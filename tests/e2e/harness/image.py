"""podgate's own image, built as `make image` does it, and run in a container by chroot."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.harness.builder import NoBuilder

ROOT = Path(__file__).parents[3]
EPOCH = 1_790_000_000
BUILD_SECONDS = 1500.0
"""Two platforms are done within two minutes on two idle cores; a machine may be busy."""
RUN_SECONDS = 120.0


class Built(NamedTuple):
    """An image of one platform in a layout: its manifest's digest, its config."""

    digest: str
    config: Mapping[str, Any]


def require_builder() -> None:
    """Raises NoBuilder where `make image` cannot work."""
    for program in ("buildah", "mmdebstrap"):
        if shutil.which(program) is None:
            raise NoBuilder(f"there is no {program} on the PATH: apt-get install {program}")
    if os.geteuid() != 0:
        raise NoBuilder("only root can make base images of Debian's packages")


def build(folder: Path, platforms: str) -> Path:
    """The OCI layout that `make image` makes, of a time that is given."""
    environment = {**os.environ, "PLATFORMS": platforms, "SOURCE_DATE_EPOCH": str(EPOCH)}
    for name in ("BASE", "BUILD_BASE"):
        environment.pop(name, None)
    with (folder / "build.log").open("w") as log:
        done = subprocess.run(
            [ROOT / "image" / "build.sh", folder], env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip
    said = (folder / "build.log").read_text()
    assert done.returncode == 0, said[-4000:]
    (entry,) = json.loads((folder / "podgate" / "index.json").read_text())["manifests"]
    assert said.splitlines()[-1] == entry["digest"]
    return folder / "podgate"


def images(layout: Path) -> dict[str, Built]:
    """What the index of a layout lists, by platform."""
    index = _blob(layout, json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])
    found = {}
    for entry in index["manifests"]:
        platform = f"{entry['platform']['os']}/{entry['platform']['architecture']}"
        found[platform] = Built(entry["digest"], _blob(layout, _blob(layout, entry["digest"])["config"]["digest"]))
    return found


def _blob(layout: Path, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return document


class Container:
    """A container of one platform's image: its root is at `root`, and `run` runs a command of it, as its user."""

    def __init__(self, layout: Path, architecture: str, folder: Path) -> None:
        storage = ("--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
        self._command = ["buildah", *storage]
        self._environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(folder)}
        (tag,) = {
            entry["annotations"]["org.opencontainers.image.ref.name"]
            for entry in json.loads((layout / "index.json").read_text())["manifests"]
        }
        # By a relative path: buildah takes capitals in one for a name that it does not know.
        source = f"oci:{layout.name}:{tag}"
        self._name = self._must("from", "--quiet", "--arch", architecture, source, cwd=layout.parent).splitlines()[-1]
        self.root = Path(self._must("mount", self._name).strip())

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """What a command did; its environment is the image's alone."""
        return self._buildah("run", self._name, "--", *words)

    def _must(self, *words: str, cwd: Path | None = None) -> str:
        done = self._buildah(*words, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _buildah(self, *words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *words], cwd=cwd, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=RUN_SECONDS, check=False,
        )  # fmt: skip
