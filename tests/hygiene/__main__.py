"""`make hygiene`: what podgate is made of, and what lies in its tree.

    python -m tests.hygiene [NAME...]

Each check prints a line and what it looked at. One that cannot be made here says so, aloud, and why. Ends with 1 where
one failed.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.hygiene import advisories, licences, tree, wheel
from tests.hygiene.finding import Finding

CHECKS: Final[Mapping[str, tuple[str, Callable[[], Finding]]]] = {
    "lock": ("the lock file is up to date", tree.lock),
    "licences": ("licences of the locked dependencies", licences.check),
    "advisories": ("known vulnerabilities of the locked dependencies", advisories.check),
    "secrets": ("secrets in the tree", tree.secrets),
    "paths": ("paths of somebody's machine in the tree", tree.machine_paths),
    "wheel": ("wheel and sdist, built twice, have the same bytes", wheel.check),
    "go": ("Go modules are what go.sum says", tree.go_modules),
}


def main(names: Sequence[str]) -> int:
    """0: nothing is wrong, though some of it may not have been looked at. 1: something is. 2: no such check."""
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"no check {', '.join(unknown)}; there are: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    states = []
    for name in names or CHECKS:
        title, check = CHECKS[name]
        found = _made(check)
        states.append(found.state)
        print(f"{found.state.upper() if found.state != 'ok' else 'ok':8}{name}: {title}", flush=True)
        for line in found.lines:
            print(f"          {line}", flush=True)
    print(f"{states.count('ok')} ok, {states.count('failed')} failed, {states.count('skipped')} skipped")
    return int("failed" in states)


def _made(check: Callable[[], Finding]) -> Finding:
    """What a check comes to. One that does not come to its end has failed, and the others are made all the same."""
    try:
        return check()
    except subprocess.CalledProcessError as error:
        return Finding("failed", (str(error), *os.fsdecode(error.stderr or b"").splitlines()[-10:]))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told and not raised
        return Finding("failed", (f"{type(error).__name__}: {error}",))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
