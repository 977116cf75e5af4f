"""`make fuzz`: podgate against the Go originals, on inputs that are made for it.

    python -m tests.oracles.fuzz [--oracle NAME[,NAME]] [--count N] [--seed N] [--fresh]

For each oracle it makes --count different inputs (100,000), asks the Go program of this folder and tests/golden's
answer.py, each a process of its own, and compares as the golden files are compared. The first disagreement is reduced
to the smallest input that still shows it, printed, and ends the run with 1. Without Go it says so and ends with 0.

How far it got stands in ~/.cache/podgate/fuzz (PODGATE_CACHE): a run that was interrupted goes on where it was, as long
as neither podgate's core nor the inputs have changed since. --fresh forgets that; --seed begins with this seed.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.components import cache_folder
from tests.e2e.harness.gobuild import BuildError, say_on_stderr
from tests.golden.compare import COMPARED
from tests.oracles import words
from tests.oracles.answerers import Answerer, Broken, ours
from tests.oracles.differ import Pair, shown
from tests.oracles.originals import original
from tests.oracles.progress import Progress, State
from tests.oracles.questions import questions
from tests.oracles.reduce import reduced

COUNT = 100_000
BATCH = 2_000
"""Inputs that are asked at once. What is in memory is two batches, and eight bytes of each input."""


@dataclass(frozen=True)
class Run:
    """One oracle's part of a run."""

    name: str
    seed: int
    count: int


def fuzz(run: Run, pair: Pair, progress: Progress) -> bool:
    """Compares on the inputs that are left; whether all agreed. Raises Broken where a program gives no answers."""
    made = questions(run.name, run.seed)
    asked = progress.asked(run)
    for _ in range(asked):  # the same inputs as before: making them is quick, asking is not
        next(made)
    started = time.monotonic()
    batch = [next(made) for _ in range(min(BATCH, run.count - asked))]
    while batch:
        waiting = pair.start(batch)
        following = [next(made) for _ in range(min(BATCH, run.count - asked - len(batch)))]
        if found := pair.first_disagreement(batch, waiting):
            say(f"{run.name}: a disagreement after {asked} inputs; looking for the smallest input that shows it")
            print(shown(run.name, run.seed, reduced(found, pair)), flush=True)
            return False
        asked += len(batch)
        progress.save(run, asked)
        batch = following
    seconds = time.monotonic() - started
    print(f"{run.name}: {run.count} inputs, seed {run.seed}, 0 disagreements ({seconds:.0f} s)", flush=True)
    return True


def say(line: str) -> None:
    """Progress goes to standard error, past whatever reads the results."""
    print(f"fuzz: {line}", file=sys.stderr, flush=True)


def main(given: Sequence[str] | None = None) -> int:
    """0: all agreed, or there is no Go. 1: a disagreement. 2: something could not be built or gave no answers."""
    options = _options(given)
    if shutil.which("go") is None:
        print("skipped: no Go. The originals are Go programs; install Go (https://go.dev/dl/) to be able to ask them.")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like an interruption: nothing is left in memory
    cache = cache_folder(os.environ)
    progress = Progress(cache / "fuzz", fresh=options.fresh)
    try:
        for name in options.oracle:
            run = _begun(name, options, progress)
            with ExitStack() as stack:
                memory = stack.enter_context(tempfile.TemporaryDirectory(dir=_memory(), prefix="podgate-fuzz-"))
                program = original(name, cache, say_on_stderr)
                environment = {**os.environ, "TMPDIR": memory}  # the oracle hosts writes files for each input
                asked = stack.enter_context(Answerer([str(program)], environment))
                answering = stack.enter_context(Answerer(ours(name), environment))
                if not fuzz(run, stack.enter_context(Pair(name, asked, answering)), progress):
                    return 1
    except (BuildError, Broken) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        return 130  # as a shell has it for SIGINT
    return 0


def _begun(name: str, options: argparse.Namespace, progress: Progress) -> Run:
    """The run that was begun, where one was and nothing else is asked for; else a new one."""
    seed, state = options.seed, progress.state(name)
    if state is not None and seed in (None, state.seed) and state.asked < options.count:
        say(f"{name}: going on with seed {state.seed} after {state.asked} inputs")
        return Run(name, state.seed, options.count)
    run = Run(name, random.SystemRandom().randrange(1 << 32) if seed is None else seed, options.count)
    say(f"{name}: {run.count} inputs, seed {run.seed}")
    progress.begin(State(name, run.seed, 0))
    return run


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    shared = Path("/dev/shm")  # Linux's; elsewhere the usual temporary folder
    return str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--oracle", type=words.names(COMPARED, "oracle"), default=list(COMPARED), metavar="NAME[,NAME]")
    parser.add_argument("--count", type=words.count, default=COUNT, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--fresh", action="store_true", help="forget how far the run before got")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
