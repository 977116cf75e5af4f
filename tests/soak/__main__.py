"""`make soak MINUTES=60`: a long time of load on `podgate serve`, while registries, tags, nodes, credentials, settings
and certificates change; prints tables, and writes build/soak.json.

Exits with 1 where memory, descriptors or tasks grow, where a review is lost or late, or an answer is wrong. In a run of
less than 20 minutes memory and times are shown, and decide nothing.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.document import write_into
from tests.bench.figures import Figure, held, machine, table, today, write
from tests.bench.load import program
from tests.soak.figures import RATE, SHORT, STARVED, WITHOUT_CORE, figures
from tests.soak.judge import Judge
from tests.soak.run import Outcome, run, say

FILE = Path("build/soak.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def asked(judge: Judge) -> str:
    """How often what was asked, and what the answers were, as a table."""
    rows = [("asked", "reviews", "answers", "")]
    for kind, found in judge.kinds.items():
        verdicts = ", ".join(f"{' '.join(verdict)} {count:,}" for verdict, count in found.verdicts.most_common())
        rows.append((kind, f"{found.count:,}", verdicts, f"WRONG: {found.wrong:,}" if found.wrong else ""))
    return _aligned(rows)


def changed(counts: Counter[str]) -> str:
    """What has changed meanwhile, as a table."""
    return _aligned([("changed meanwhile", "times"), *((what, f"{count:,}") for what, count in sorted(counts.items()))])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def report(outcome: Outcome, minutes: float) -> list[Figure]:
    """Prints all, writes the file; the figures."""
    found = figures(outcome.ending)
    judge = outcome.ending.judge
    print(asked(judge), changed(outcome.changes), table(found), sep="\n\n")
    print(f"\n{minutes:g} minutes at {RATE} reviews a second, {outcome.warm_seconds:.0f} s of them warm-up; "
          f"{machine()}, {today()}.")  # fmt: skip
    for problem in (*judge.problems, *outcome.errors[:20]):
        print(problem, file=sys.stderr)
    FILE.parent.mkdir(exist_ok=True)
    write(found, FILE)
    document = json.loads(FILE.read_text())
    document |= {
        "minutes": minutes,
        "warm": outcome.warm_seconds,
        "changes": outcome.changes,
        "problems": judge.problems,
        "samples": [asdict(sample) for sample in outcome.samples],
    }
    FILE.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    return found


def verdict(found: Sequence[Figure], minutes: float) -> int:
    """The exit code; says which figures of a short run were missed, and do not count."""
    short = minutes < SHORT
    without = next(figure.value for figure in found if figure.name == WITHOUT_CORE)
    if short and without > STARVED:
        print(f"podgate had no core for {without:.0f} percent of the time: a run this short says nothing of it then.")
        return 0
    if passed_over := [figure.name for figure in found if short and figure.timed and not figure.ok]:
        print(f"Less than {SHORT} minutes do not tell, and so do not fail: {'; '.join(passed_over)}.")
    return int(not held(found, short=short))


def main(arguments: Sequence[str]) -> int:
    """Runs it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("minutes", type=float, nargs="?", default=60.0, help="of load; fractions are allowed")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {PAGE.name}")
    asked_for = parser.parse_args(arguments)
    minutes: float = asked_for.minutes
    if not minutes > 0:
        parser.error("minutes must be more than 0")
    say(f"{program().name} sends {RATE} reviews a second for {minutes:g} minutes")
    with tempfile.TemporaryDirectory(prefix="podgate-soak-") as folder:
        outcome = asyncio.run(run(Path(folder), minutes))
    found = report(outcome, minutes)
    if asked_for.write:
        write_into(PAGE, found, "make soak")
    return verdict(found, minutes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
