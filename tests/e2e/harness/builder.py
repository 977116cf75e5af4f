"""buildah: a real builder of images, with folders and configuration of its own, and without any network."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.harness.processes import bare_environment
from tests.e2e.harness.registry import Registry

BUILD_SECONDS = 120.0
CONTAINERFILE = """\
FROM scratch
COPY hello /hello
CMD ["/hello"]
"""


class NoBuilder(Exception):
    """There is no builder on this machine that works; the text says why, and what would bring one."""


class Builder:
    """Builds images from nothing, and pushes them.

    Raises NoBuilder where there is no buildah, or one that this machine does not let work (as somebody else than root
    it needs user namespaces). Whatever fails after that is a failure.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("buildah")
        if program is None:
            raise NoBuilder("there is no buildah on the PATH: apt-get install buildah, or what your system has instead")
        context = folder / "context"
        context.mkdir(parents=True)
        (context / "Containerfile").write_text(CONTAINERFILE)
        (context / "hello").write_text("hello\n")
        configuration = folder / "home" / ".config" / "containers"
        configuration.mkdir(parents=True)
        (configuration / "policy.json").write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        (configuration / "registries.conf").write_text("unqualified-search-registries = []\n")
        # vfs and chroot are what works in a container too: no overlay to mount, and no runtime to start.
        storage = ("--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
        self._command = [program, *storage, "--registries-conf", str(configuration / "registries.conf")]
        self._environment = bare_environment(folder / "home", TMPDIR=str(folder), BUILDAH_ISOLATION="chroot")
        self._context = context
        self.version = self._run("--version").stdout.strip()
        tried = self._run("from", "scratch")
        if tried.returncode:
            raise NoBuilder(f"{self.version} does not work here: {_last_line(tried.stderr)}")

    def build(self, name: str, platform: str) -> None:
        """Builds an image for a platform."""
        self._must("build", "--isolation", "chroot", "--platform", platform, "-t", name, str(self._context))

    def make_list(self, name: str, images: Mapping[str, str]) -> None:
        """Makes a manifest list of images that were built, each for the platform given with it (empty: for what the
        image's own config says)."""
        self._must("manifest", "create", name)
        for image, platform in images.items():
            os, _, architecture = platform.partition("/")
            self._must("manifest", "add", *(["--os", os, "--arch", architecture] if platform else []), name, image)

    def push(self, name: str, registry: Registry, image: str, kind: str = "oci") -> str:
        """Pushes an image to `repository:tag` of a registry, in OCI's or docker's form; the reference to pull it by."""
        return self._push(["push", "--format", kind], name, registry, image)

    def push_list(self, name: str, registry: Registry, image: str, kind: str = "oci") -> str:
        """Pushes a manifest list and all that it names; `kind` and the result as in `push`."""
        form = {"oci": "oci", "docker": "v2s2"}[kind]
        return self._push(["manifest", "push", "--all", "--format", form], name, registry, image)

    def _push(self, command: list[str], name: str, registry: Registry, image: str) -> str:
        reference = f"{registry.host}/{image}"
        self._must(*command, "--quiet", "--tls-verify=false", name, f"docker://{reference}")
        return reference

    def _must(self, *words: str) -> None:
        done = self._run(*words)
        assert done.returncode == 0, f"buildah {' '.join(words)} ended with {done.returncode}: {done.stderr}"

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *words], env=self._environment, cwd=self._context, capture_output=True, text=True,
            timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word of why"])[-1]
