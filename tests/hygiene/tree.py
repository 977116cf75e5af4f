"""Checks of the tree itself: secrets, paths of somebody's machine, the lock file, Go's modules."""

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.e2e.harness.components import cache_folder, gitleaks
from tests.e2e.harness.gobuild import BuildError, say_on_stderr
from tests.hygiene.finding import ROOT, Finding, concluded, ran, skipped, tracked

RULES: Final = ROOT / "tests" / "hygiene" / "gitleaks.toml"

_MACHINES = re.compile(rb"(?<![\w.:-])/(?:home|Users|root|work|tmp|mnt|private)/[\w.-]+")
PLACES: Final[Mapping[str, str]] = {
    "/home/ann": "a made-up user's, in tests of helper programs",
    "/home/nonroot": "of the image",
}
"""Absolute paths that look like those of a machine and are none, and why."""

_PLANTED: Final = "planted.txt"


def _token() -> str:
    """What looks like a token of GitHub's; made here, or it would be found here."""
    return f"token = {'gh' + 'p_'}{hashlib.sha256(b'podgate').hexdigest()[:36]}\n"


def secrets(root: Path = ROOT) -> Finding:
    """What looks like a password, a key or a token in the files that git has, by gitleaks."""
    if shutil.which("go") is None:
        return skipped("no Go, by which gitleaks is built")
    try:
        program = gitleaks(cache_folder(os.environ), say_on_stderr)
    except BuildError as error:
        return skipped(f"gitleaks could not be built: {error}")
    files = tracked(root)
    with tempfile.TemporaryDirectory(prefix="podgate-hygiene-") as scratch:
        copied = Path(scratch) / "tree"
        for file in files:
            (copied / file.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file, copied / file)
        (copied / _PLANTED).write_text(_token())
        report = Path(scratch) / "report.json"
        options = [
            "--no-banner",
            "--log-level=error",
            f"--config={RULES}",
            "--report-format=json",
            f"--report-path={report}",
        ]
        code, said = ran([str(program), "dir", ".", *options, "--redact", "--exit-code=3"], copied)
        if code not in (0, 3):
            return Finding("failed", (f"gitleaks ended with {code}: {said}",))
        found = json.loads(report.read_text())
    if not any(one["File"] == _PLANTED for one in found):
        return Finding("failed", ("gitleaks does not even find what was put there for it",))
    found = [one for one in found if one["File"] != _PLANTED]
    problems = [f"{one['File']}:{one['StartLine']}: {one['RuleID']}: {one['Match'][:80]}" for one in found]
    return concluded(sorted(set(problems)), f"{len(files)} files, by {program.name}")


def machine_paths(root: Path = ROOT) -> Finding:
    """Absolute paths of somebody's machine."""
    problems, number = [], 0
    for file in tracked(root):
        content = (root / file).read_bytes()
        if b"\0" in content[:8192] or "corpus" in file.parts:  # no text; inputs that were damaged on purpose
            continue
        number += 1
        for place, line in enumerate(content.splitlines(), 1):
            found = {match[0].decode() for match in _MACHINES.finditer(line)} - set(PLACES)
            problems += [f"{file}:{place}: {path}" for path in sorted(found)]
    return concluded(problems, f"{number} text files")


def lock() -> Finding:
    """Whether the lock file is what pyproject.toml asks for."""
    code, said = ran([str(Path(sys.executable).with_name("uv")), "lock", "--check", "--quiet"])
    return concluded([said or "uv.lock is out of date"] if code else [], "uv.lock is what pyproject.toml asks for")


def go_modules(root: Path = ROOT) -> Finding:
    """Whether what Go has downloaded for the modules of this tree is what go.sum says."""
    if shutil.which("go") is None:
        return skipped("no Go")
    problems, good = [], []
    for file in tracked(root):
        if file.name != "go.mod":
            continue
        code, said = ran(["go", "mod", "verify"], root / file.parent)
        if code:
            problems.append(f"{file}: {said}")
        else:
            good.append(str(file.parent))
    return concluded(problems, f"all modules verified, of {', '.join(good)}")
