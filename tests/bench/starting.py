"""How long a command of the command line takes before it does anything: against what it is made of."""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.setting import Run

ROOT = Path(__file__).parents[2]
RUNS = 7

BARE = "import httpx, pydantic"
COMMAND = """
import sys
from webhook import cli
sys.argv = ["podgate", *sys.argv[1:]]
sys.stdin = open("/dev/null")
try:
    cli.main()
except SystemExit:
    pass
print(len(sys.modules), file=sys.stderr)
"""
COMMANDS = {
    "help": ["help", "check"],
    "inspect": ["inspect", "UPPER/no-name:"],
    "check --target": ["check", "--target", "linux/amd64", "-f", "/dev/null"],
}


async def figures(_: Run) -> list[Figure]:
    """CPU seconds of a process that has nothing to do, as a multiple of one that only imports the two largest parts."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        # Bytecode is there, as where podgate is installed.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        bare = _median(environment, BARE)[0]
        for name, arguments in COMMANDS.items():
            seconds, modules = _median(environment, COMMAND, *arguments)
            found.append(
                Figure(f"start of {name}: CPU time, to that of `{BARE}`", seconds / bare, "times", 4, timed=True)
            )
            found.append(Figure(f"start of {name}: modules loaded", modules, "modules"))
    return found


def _median(environment: dict[str, str], program: str, *arguments: str) -> tuple[float, int]:
    """CPU seconds, and what the last line of standard error counts."""
    runs = [_run(environment, program, *arguments) for _ in range(RUNS + 1)][1:]  # the first one writes the bytecode
    return statistics.median(seconds for seconds, _ in runs), runs[0][1]


def _run(environment: dict[str, str], program: str, *arguments: str) -> tuple[float, int]:
    with tempfile.TemporaryFile() as errors, Path(os.devnull).open("wb") as nothing:
        streams = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1), (os.POSIX_SPAWN_DUP2, errors.fileno(), 2)]
        command = [sys.executable, "-c", program, *arguments]
        child = os.posix_spawn(sys.executable, command, {**environment, "PYTHONPATH": str(ROOT)}, file_actions=streams)
        _, _, used = os.wait4(child, 0)
        errors.seek(0)
        lines = errors.read().splitlines()
    return used.ru_utime + used.ru_stime, json.loads(lines[-1]) if lines else 0
