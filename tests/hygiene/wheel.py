"""Whether wheel and sdist depend on their sources alone: each is built twice, and has to have the same bytes."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.hygiene.finding import ROOT, Finding, concluded, tracked


def check(root: Path = ROOT) -> Finding:
    """Built in two folders of different names, from files of different times and modes, under two umasks, and where it
    is never the same day: the two time zones are 26 hours apart."""
    with tempfile.TemporaryDirectory(prefix="podgate-hygiene-") as scratch:
        one = built(root, Path(scratch) / "a", umask=0o022, time=1_600_000_000, zone="EAST-14")
        other = built(root, Path(scratch) / "another place", umask=0o077, time=1_700_000_123, zone="WEST12")
    problems = [f"{name}: other bytes the second time" for name in one if one[name] != other.get(name)]
    if set(one) != set(other) or len(one) != 2:
        problems.append(f"built: {sorted(one)}, and then {sorted(other)}")
    return concluded(problems, *(f"{name} sha256:{digest}" for name, digest in sorted(one.items())))


def built(root: Path, folder: Path, *, umask: int, time: int, zone: str) -> dict[str, str]:
    """Wheel and sdist of the files that git has, copied to a folder: digests by name. `time`: that of the files;
    `zone`: the time zone, as POSIX writes it in TZ."""
    for file in tracked(root):  # all of them: what the build does not find, it leaves out without a word
        (folder / file.parent).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, folder / file)
        (folder / file).chmod(0o666 & ~umask)
        os.utime(folder / file, (time, time))
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", "out"],
        cwd=folder, env={**environment, "HOME": str(folder), "TZ": zone}, umask=umask, capture_output=True, check=True,
    )  # fmt: skip
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (folder / "out").iterdir()}
