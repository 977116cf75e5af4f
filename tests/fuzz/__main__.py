"""`make fuzz`: inputs that are damaged on purpose, and the laws that podgate must keep whatever comes.

    python -m tests.fuzz [--target NAME[,NAME]] [--count N] [--seed N] [--fresh] [--short] [--write]

Each target gets --count inputs (a million for all of them together, where it is not said). They depend on --seed and
their number alone. The first failure is reduced, printed, kept in tests/fuzz/corpus, and ends the run with 1.

How far it got stands in ~/.cache/podgate/fuzz (PODGATE_CACHE): a run that was interrupted goes on where it was, as long
as neither podgate nor the inputs have changed. --fresh forgets that. --short: every 25th of the usual number, always
the same inputs, and no note of it. --write: puts what the whole million came to into docs/fuzzing.md.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.document import write_into
from tests.bench.figures import Figure, machine, today
from tests.e2e.harness.components import cache_folder
from tests.fuzz.catalogue import CORPUS, COUNTS, TARGETS, keep, kept
from tests.fuzz.failing import Failure, failure_of, reduced
from tests.fuzz.laws import Target
from tests.fuzz.mutate import Mutator
from tests.oracles import words
from tests.oracles.progress import Progress, State

SOURCES: Final = (
    "webhook",
    "tests/fuzz",
    "tests/support",
    "tests/oracles/inputs/common.py",
    "tests/golden",
    "tests/admission/reviews",
)
"""What inputs and answers depend on."""
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "fuzzing.md"
SHORT: Final = 25
NOTED: Final = 500
"""Inputs after which it is noted how far the run is."""
TWICE: Final = 4
"""Every how many inputs one is looked at twice."""


@dataclass(frozen=True)
class Run:
    """One target's part of a run. `progress` None: nothing is noted. `corpus`: where failures are kept."""

    name: str
    seed: int
    count: int
    progress: Progress | None
    corpus: Path = CORPUS


def fuzz(run: Run, target: Target) -> Failure | None:
    """Looks at what is kept, and at the inputs that are left; the first failure, reduced."""
    corpus = kept(run.name, run.corpus)
    for data in corpus:
        if isinstance(found := failure_of(target, data, twice=True), Failure):
            return found
    usual = target.seeds()
    times = 1 + 2 * len(corpus) // len(usual)  # what is kept is odd as it is: two of three are made of what is usual
    mutator = Mutator(run.name, [*usual * times, *corpus], run.seed)
    begun = run.progress.asked(run) if run.progress is not None else 0
    kinds: Counter[str] = Counter()
    started, worked = time.monotonic(), time.process_time()
    for number in range(begun, run.count):
        twice = number % TWICE == 0
        found = failure_of(target, mutator.made(number), twice=twice)
        if isinstance(found, Failure):
            say(f"{run.name}: a failure by input {number} of seed {run.seed}; looking for the smallest that shows it")
            smallest = reduced(target, found, twice=twice)
            say(f"kept in {keep(run.name, smallest.data, run.corpus)}")
            return smallest
        kinds[found.kind] += 1
        if run.progress is not None and (number + 1) % NOTED == 0:
            run.progress.save(run, number + 1)
    if run.progress is not None:
        run.progress.save(run, run.count)
    made = run.count - begun
    cost = (
        f"{time.monotonic() - started:.0f} s, {(time.process_time() - worked) * 1000 / max(made, 1):.2f} ms of CPU each"
    )
    print(f"{run.name}: {run.count} inputs, seed {run.seed}, and {len(corpus)} kept, 0 failures ({cost})", flush=True)
    print("  " + ", ".join(f"{kind} {count * 100 / made:.1f}%" for kind, count in kinds.most_common(12)), flush=True)
    return None


def say(line: str) -> None:
    """Progress goes to standard error, past whatever reads the results."""
    print(f"fuzz: {line}", file=sys.stderr, flush=True)


def main(given: Sequence[str] | None = None) -> int:
    """0: every law held. 1: one did not."""
    options = _options(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like an interruption
    progress = None
    if not options.short:
        progress = Progress(cache_folder(os.environ) / "fuzz" / "mutated", fresh=options.fresh, sources=SOURCES)
    try:
        for name in options.target:
            run = _begun(name, options, progress)
            if run is None:
                continue
            with TARGETS[name]() as target:
                if (found := fuzz(run, target)) is not None:
                    _show(name, found)
                    return 1
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        return 130  # as a shell has it for SIGINT
    done = figures({name: _count(name, options) for name in options.target})
    print(f"{done[-2].value:,} inputs in all, 0 failures; {machine()}, {today()}", flush=True)
    if options.write:
        write_into(PAGE, done, "make fuzz")
    return 0


def figures(counts: Mapping[str, int]) -> list[Figure]:
    """Of a run that no failure has ended. `counts`: how many inputs each target had."""
    each = [Figure(name, count, "inputs") for name, count in counts.items()]
    return [*each, Figure("all", sum(counts.values()), "inputs"), Figure("inputs that broke a law", 0, "inputs", 0)]


def _count(name: str, options: argparse.Namespace) -> int:
    """How many inputs a target gets."""
    count: int = options.count or COUNTS[name] // (SHORT if options.short else 1)
    return count


def _show(name: str, found: Failure) -> None:
    """Prints a failure."""
    print(f"{name}: {found.mark}\n{found.words}\ninput ({len(found.data)} bytes):\n{found.data[:2000]!r}", flush=True)


def _begun(name: str, options: argparse.Namespace, progress: Progress | None) -> Run | None:
    """The run that was begun, where one was and nothing else is asked for; else a new one. None: it is done already."""
    count = _count(name, options)
    if progress is None:
        return Run(name, 1 if options.seed is None else options.seed, count, None)
    state = progress.state(name)
    if state is not None and options.seed in (None, state.seed):
        if state.asked >= count:
            print(f"{name}: {state.asked} inputs, seed {state.seed}, done before, 0 failures", flush=True)
            return None
        say(f"{name}: going on with seed {state.seed} after {state.asked} inputs")
        return Run(name, state.seed, count, progress)
    run = Run(name, random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed, count, progress)
    say(f"{name}: {run.count} inputs, seed {run.seed}")
    progress.begin(State(name, run.seed, 0))
    return run


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", type=words.names(TARGETS, "target"), default=list(TARGETS), metavar="NAME[,NAME]")
    parser.add_argument("--count", type=words.count, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--fresh", action="store_true", help="forget how far the run before got")
    parser.add_argument("--short", action="store_true", help="a small number of inputs, always the same")
    parser.add_argument("--write", action="store_true", help=f"put the figures of a whole run into {PAGE.name}")
    options = parser.parse_args(given)
    if options.write and (options.short or options.count or set(options.target) != set(TARGETS)):
        parser.error("--write takes a whole run: all targets, with as many inputs as they usually get")
    return options


if __name__ == "__main__":
    sys.exit(main())
