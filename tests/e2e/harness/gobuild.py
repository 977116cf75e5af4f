"""Runs the Go toolchain for minutes and keeps a person informed meanwhile."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Say = Callable[[str], None]
"""Takes one line for a person to read, at once."""

OLDEST_GO = (1, 21)
"""From 1.21 on a Go fetches the newer one that a module asks for; one before that cannot even read the go.mod."""

_OLDEST = ".".join(map(str, OLDEST_GO))

HEARTBEAT_SECONDS = 20.0
TAIL_LINES = 30
_NOT_A_PACKAGE = ("go: ", "#")


class BuildError(Exception):
    """A component could not be built; the text says why, and what to do."""


def say_on_stderr(line: str) -> None:
    """Progress goes to standard error, past whatever reads the results."""
    print(f"e2e: {line}", file=sys.stderr, flush=True)


def go_build(arguments: Sequence[str], title: str, say: Say, *, folder: Path, bin_folder: Path | None = None) -> None:
    """Runs `go build` or `go install` in `folder`, installing into `bin_folder`; raises BuildError."""
    go = _go()
    say(f"building {title}")
    started = time.monotonic()
    verb, *rest = arguments
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    for foreign in ("GOOS", "GOARCH", "GOBIN"):  # what is built runs here, and goes where it is told
        environment.pop(foreign, None)
    if bin_folder is not None:
        environment["GOBIN"] = str(bin_folder)
    # -buildvcs=false: a repository that git does not trust would fail the build, and nobody reads the stamp.
    command = [go, verb, "-v", "-trimpath", "-buildvcs=false", *rest]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # So that its compilers can be stopped with it. In a session of its own Linux would share the machine fairly
        # between it and all else, whatever its niceness (sched(7), autogroup).
        process_group=0,
    ) as process:
        try:
            lines = _follow(process, say, started)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        tail = "\n".join(lines[-TAIL_LINES:])
        raise BuildError(f"`{' '.join(command)}` in {folder} ended with {process.returncode}:\n{tail}")
    say(f"built in {_spell(time.monotonic() - started)}")


def _follow(process: "subprocess.Popen[str]", say: Say, started: float) -> list[str]:
    """Reads the output to its end and says every now and then how far it is."""
    lines: list[str] = []
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            packages = sum(1 for line in lines if not line.startswith(_NOT_A_PACKAGE))
            fetched = sum(1 for line in lines if line.startswith("go: downloading"))
            progress = f"{packages} packages compiled" if packages else f"{fetched} modules fetched"
            say(f"... {_spell(time.monotonic() - started)}: {progress}")

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))  # noqa: PERF401 - the other thread counts them as they come
    finally:
        ended.set()
        heart.join()
    return lines


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise BuildError(
            "the end-to-end tests run real Kubernetes components, which are built with Go, and there is no `go` on "
            f"the PATH. Install Go {_OLDEST} or later (https://go.dev/dl/). KUBEBUILDER_ASSETS may name a folder with "
            "etcd, kube-apiserver, kubectl, kube-scheduler and kube-controller-manager; the registry and helm are "
            "built with Go all the same, once"
        )
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
    match = re.match(r"go(\d+)\.(\d+)", version)
    if match and (int(match[1]), int(match[2])) < OLDEST_GO:
        raise BuildError(f"{go} is {version}; Go {_OLDEST} or later is needed (https://go.dev/dl/)")
    return go


def _spell(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
