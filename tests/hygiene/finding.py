"""What a check of the tree comes to, and the tree that it looks at."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Finding:
    """`state`: `ok`; `failed`, and then the build fails; `skipped`: it could not be looked at, and `lines` say why."""

    state: Literal["ok", "failed", "skipped"]
    lines: tuple[str, ...]


def ok(*lines: str) -> Finding:
    """Nothing is wrong; what was looked at."""
    return Finding("ok", lines)


def skipped(*lines: str) -> Finding:
    """It could not be looked at, and why."""
    return Finding("skipped", lines)


def concluded(problems: list[str], *otherwise: str) -> Finding:
    """Failed where there are problems."""
    return Finding("failed", tuple(problems)) if problems else ok(*otherwise)


def tracked(root: Path = ROOT) -> list[Path]:
    """The files that git has, relative to the root, without those that have been taken away."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    return [Path(name) for name in done.stdout.decode().split("\0") if name and (root / name).is_file()]


def ran(command: list[str], folder: Path = ROOT) -> tuple[int, str]:
    """A program's exit code and all that it says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()
