"""Fuzzing that is guided by which lines an input reaches, by atheris, where that is installed (the extra group `fuzz`).

    python -m tests.fuzz.guided TARGET [--seconds N] [--keep]

It begins with the target's seeds and with what is kept, and collects in ~/.cache/podgate/fuzz/guided/TARGET whatever
reaches something new; the next run goes on from there. A broken law ends it with 1, and the input is reduced, printed
and kept, as by `make fuzz`. --keep: of what was collected, what reaches more than seeds and kept inputs do is kept in
tests/fuzz/corpus, the smallest first, as far as there is room (MOST_KEPT inputs and bytes for each target).
"""

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.e2e.harness.components import cache_folder

MOST_KEPT: Final = (40, 30_000)
"""Inputs, and bytes: each costs every test run something."""
LARGEST: Final = 1 << 16
ROOT: Final = Path(__file__).resolve().parents[2]
LOOKER: Final = """\
#!{python}
import sys
sys.path.insert(0, {root!r})
import atheris
with atheris.instrument_imports(include=["webhook"]):
    from tests.fuzz.catalogue import TARGETS
from tests.fuzz.failing import Failure, failure_of
target = TARGETS[{name!r}]().__enter__()
def look(data):
    found = failure_of(target, data, twice=False)
    if isinstance(found, Failure):
        raise RuntimeError(found.words)
atheris.Setup(sys.argv, look)
atheris.Fuzz()
"""
"""The program that atheris drives. It is one of its own: libFuzzer ends the process that it runs in, and starts it by
its name again to merge."""


def main(given: Sequence[str] | None = None) -> int:
    """0: no law was broken, or there is no atheris. 1: one was. 2: it came to no run at all."""
    parser = argparse.ArgumentParser(
        prog="guided", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args(given)
    if importlib.util.find_spec("atheris") is None:
        print("skipped: no atheris. `uv sync --all-extras --group fuzz` installs it where it has a wheel (Linux).")
        return 0
    folder = cache_folder(os.environ) / "fuzz" / "guided" / options.target
    with tempfile.TemporaryDirectory(prefix="podgate-fuzz-") as scratch:
        known = Path(scratch) / "known"
        _write(options.target, known)
        folder.mkdir(parents=True, exist_ok=True)
        if code := _run(options, folder, known, Path(scratch)):
            return code
        if options.keep:
            _keep(options.target, folder, known, Path(scratch))
    return 0


def _write(name: str, folder: Path) -> None:
    """The seeds and what is kept, as files."""
    from tests.fuzz.catalogue import TARGETS, kept  # noqa: PLC0415  # not in the process that atheris watches

    folder.mkdir()
    with TARGETS[name]() as target:
        for data in (*target.seeds(), *kept(name)):
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def _libfuzzer(name: str, scratch: Path, *arguments: str) -> int:
    """Runs the program with libFuzzer's arguments; its exit code."""
    program = scratch / "guided"
    program.write_text(LOOKER.format(python=sys.executable, root=str(ROOT), name=name))
    program.chmod(0o700)
    return subprocess.run([str(program), *arguments], check=False).returncode


def _run(options: argparse.Namespace, folder: Path, known: Path, scratch: Path) -> int:
    """A run of so many seconds; 0, or what to end with."""
    limits = [f"-max_total_time={options.seconds}", f"-max_len={LARGEST}", "-print_final_stats=1", "-timeout=60"]
    code = _libfuzzer(options.target, scratch, *limits, f"-artifact_prefix={scratch}/failed-", str(folder), str(known))
    failed = sorted(scratch.glob("failed-*"))
    if not failed:
        if code:
            print(f"{options.target}: the program that atheris drives ended with {code}, and no input is to blame")
        return 2 if code else 0
    from tests.fuzz.catalogue import TARGETS, keep  # noqa: PLC0415  # as above
    from tests.fuzz.failing import Failure, failure_of, reduced  # noqa: PLC0415

    with TARGETS[options.target]() as target:
        found = failure_of(target, failed[0].read_bytes(), twice=False)
        if isinstance(found, Failure):
            found = reduced(target, found, twice=False)
            print(f"{options.target}: {found.mark}\n{found.words}\nkept in {keep(options.target, found.data)}")
            return 1
    print(
        f"{options.target}: libFuzzer gave up, and the input breaks no law by itself: {failed[0].read_bytes()[:500]!r}"
    )
    return 2


def _keep(name: str, folder: Path, known: Path, scratch: Path) -> None:
    """Keeps what reaches more than the known inputs, the smallest first."""
    from tests.fuzz.catalogue import keep, kept  # noqa: PLC0415  # as above

    merged = scratch / "merged"
    merged.mkdir()
    _libfuzzer(name, scratch, "-merge=1", f"-max_len={LARGEST}", str(merged), str(known), str(folder))
    old = {file.read_bytes() for file in known.iterdir()}
    new = sorted((data for file in merged.iterdir() if (data := file.read_bytes()) not in old), key=len)
    there = kept(name)
    number, size = len(there), sum(map(len, there))
    for data in new:
        number, size = number + 1, size + len(data)
        if number > MOST_KEPT[0] or size > MOST_KEPT[1]:
            break
        print(f"kept: {keep(name, data)}")


if __name__ == "__main__":
    sys.exit(main())
