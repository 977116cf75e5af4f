"""The real components of the end-to-end tests: built once with the Go toolchain, and kept in a cache folder.

    python -m tests.e2e.harness.components [--all]       builds what is missing and prints where it is

--all builds what `make hygiene`, `make soak` and `make bench` need too. No package is needed to run this.

The control plane (etcd, kube-apiserver, kube-scheduler, kube-controller-manager, kubectl) is one binary of the Go
module in tests/e2e/controlplane, called through links; the registry is distribution's own, and helm is helm's. The
folder is PODGATE_CACHE, else podgate in XDG_CACHE_HOME, else ~/.cache/podgate. Where KUBEBUILDER_ASSETS is set, what
lies there is used instead.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.gobuild import BuildError, Say, go_build, say_on_stderr

KUBERNETES = "1.37.2"
REGISTRY_MODULE = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
HELM_MODULE = "helm.sh/helm/v4/cmd/helm@v4.3.1"
VEGETA_MODULE = "github.com/tsenart/vegeta/v12@v12.13.0"
GITLEAKS_MODULE = "github.com/zricethezav/gitleaks/v8@v8.30.1"
CONTROL_PLANE_MODULE = Path(__file__).resolve().parents[1] / "controlplane"
MODULE_FILES = ("main.go", "go.mod", "go.sum")
CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl", "kube-scheduler", "kube-controller-manager")
_MAJOR, _MINOR, _PATCH = KUBERNETES.split(".")
_VERSION_VARIABLES = {"gitVersion": f"v{KUBERNETES}", "gitMajor": _MAJOR, "gitMinor": _MINOR}
_LDFLAGS = " ".join(
    ["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in _VERSION_VARIABLES.items())]
)


@dataclass(frozen=True)
class Components:
    """Where the programs are. `own_control_plane` is false where KUBEBUILDER_ASSETS gave the API server."""

    programs: Mapping[str, Path]
    registry: Path
    helm: Path
    own_control_plane: bool


def components(environment: Mapping[str, str] | None = None, say: Say = say_on_stderr) -> Components:
    """All programs, after building what is missing. Raises BuildError, whose text says what to do."""
    environment = os.environ if environment is None else environment
    assets = environment.get("KUBEBUILDER_ASSETS", "")
    found = _assets(Path(assets)) if assets else {}
    cache = cache_folder(environment)
    missing = [name for name in CONTROL_PLANE if name not in found]
    if missing:
        if found:
            say(f"{', '.join(missing)}: not in KUBEBUILDER_ASSETS, taken from podgate's own build of {KUBERNETES}")
        built = control_plane(cache, say)
        found |= {name: built / name for name in missing}
    return Components(found, registry(cache, say), helm(cache, say), own_control_plane=not assets)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where built components are kept."""
    if chosen := environment.get("PODGATE_CACHE"):
        return Path(chosen).absolute()
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "podgate"


def control_plane(cache: Path, say: Say) -> Path:
    """The folder with the control plane's programs, as links to its one binary."""
    key = hashlib.sha256(_LDFLAGS.encode())
    for name in MODULE_FILES:
        key.update(b"\0" + name.encode() + b"\0" + (CONTROL_PLANE_MODULE / name).read_bytes())
    target = cache / f"controlplane-{machine()}-{key.hexdigest()[:16]}"
    with built_once(target, say) as folder:
        if folder is not None:
            title = f"Kubernetes {KUBERNETES}'s control plane (about 12 minutes on 2 cores the first time, 140 MB)"
            go_build(["build", "-ldflags", _LDFLAGS, "-o", str(folder / "controlplane"), "."],
                     title, say, folder=CONTROL_PLANE_MODULE)  # fmt: skip
            for name in CONTROL_PLANE:
                (folder / name).symlink_to("controlplane")
    return target


def registry(cache: Path, say: Say) -> Path:
    """The registry's program."""
    return _installed("registry", REGISTRY_MODULE, "the registry, distribution {} (about 3 minutes, 55 MB)", cache, say)


def helm(cache: Path, say: Say) -> Path:
    """Helm's program."""
    return _installed("helm", HELM_MODULE, "helm {} (about 4 minutes, 60 MB)", cache, say)


def vegeta(cache: Path, say: Say) -> Path:
    """The load generator of `make bench`, and of `make soak`."""
    return _installed("vegeta", VEGETA_MODULE, "the load generator, vegeta {} (half a minute, 13 MB)", cache, say)


def gitleaks(cache: Path, say: Say) -> Path:
    """The search for secrets of `make hygiene`, which alone needs it."""
    return _installed("gitleaks", GITLEAKS_MODULE, "the search for secrets, gitleaks {} (a minute, 16 MB)", cache, say)


def _installed(name: str, module: str, title: str, cache: Path, say: Say) -> Path:
    """A program that `go install` makes of a module; `title` says what it is and what it costs the first time."""
    version = module.rpartition("@")[2]
    target = cache / f"{name}-{machine()}-{version}"
    with built_once(target, say) as folder:
        if folder is not None:
            words = ["install", "-ldflags", "-s -w", module]
            go_build(words, title.format(version), say, folder=folder, bin_folder=folder)
    return target / name


@contextmanager
def built_once(target: Path, say: Say) -> Iterator[Path | None]:
    """Gives a new folder to build in, which becomes `target` at the end; None where `target` is there already.

    One builds at a time, the others wait for it. A build that ends half-way leaves nothing to be taken for whole.
    """
    if target.is_dir():
        yield None
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(target.name + ".lock"), say):
        if target.is_dir():
            yield None
            return
        building = target.with_name(target.name + ".building")
        shutil.rmtree(building, ignore_errors=True)  # of a build that was killed: we hold the lock
        building.mkdir()
        try:
            yield building
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    """Holds a file's lock, which the operating system gives back when its holder dies."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is building {path.stem}: waiting for it to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _assets(folder: Path) -> dict[str, Path]:
    """The programs in KUBEBUILDER_ASSETS, which must hold at least the server; kubectl may be on the PATH too."""
    found = {name: folder.absolute() / name for name in CONTROL_PLANE if os.access(folder / name, os.X_OK)}
    for name in ("etcd", "kube-apiserver"):
        if name not in found:
            raise BuildError(
                f"KUBEBUILDER_ASSETS is {folder}, but there is no program {name} there; unset it, or mend it"
            )
    if "kubectl" not in found and (kubectl := shutil.which("kubectl")):
        found["kubectl"] = Path(kubectl)
    return found


def machine() -> str:
    """Keeps apart what a home folder shared by several kinds of machine holds."""
    return f"{sys.platform}-{platform.machine()}"


def main(arguments: Sequence[str]) -> int:
    """Builds what is missing; 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.harness.components")
    parser.add_argument("--all", action="store_true", help="the load generator and the search for secrets too")
    wanted = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # 128 + 15; so that the compilers are stopped with it
    found: dict[str, Path] = {}
    try:
        if wanted.all:  # they are small, and wanted first
            cache = cache_folder(os.environ)
            found = {build.__name__: build(cache, say_on_stderr) for build in (gitleaks, vegeta)}
        ready = components()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, path in {**ready.programs, "registry": ready.registry, "helm": ready.helm, **found}.items():
        print(f"{name}\t{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
