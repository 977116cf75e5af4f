"""`make bench`: prints one table and writes bench.json.

    python -m tests.bench [--short] [--only PART]... [--write docs/performance.md]

It exits with 1 where a bound is missed. A short run (SHORT=1), for machines that others use as well, takes fewer
rounds, and fails for counts, sizes and what hangs on the CPU time of two processes alone: other times that are missed
there are shown, and decide nothing.
"""

import argparse
import asyncio
import math
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import check, footprint, nodes, requests, scan, starting, storm, through_api, warm
from tests.bench.document import write_into
from tests.bench.figures import Figure, held, table, write
from tests.bench.setting import Run, running

PARTS: dict[str, Callable[[Run], Awaitable[list[Figure]]]] = {
    "requests": requests.figures,
    "storm": storm.figures,
    "warm": warm.figures,
    "nodes": nodes.figures,
    "footprint": footprint.figures,
    "through-api": through_api.figures,
    "starting": starting.figures,
    "check": check.figures,
    "scan": scan.figures,
}


async def measured(part: str, run: Run) -> list[Figure]:
    """The figures of a part. One that fails is a figure too: one that is missed."""
    started = time.monotonic()
    print(f"bench: {part}", end="", file=sys.stderr, flush=True)
    try:
        return await PARTS[part](run)
    except Exception:  # noqa: BLE001  # whatever it is, the other parts are measured all the same
        print(file=sys.stderr)
        traceback.print_exc()
        return [Figure(f"{part}: it has failed", math.nan, "")]
    finally:
        print(f": {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


async def main(arguments: list[str]) -> int:
    """Runs it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--short", action="store_true", help="fewer rounds, and times decide nothing")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be given several times")
    parser.add_argument("--write", type=Path, help="put the table into this document")
    asked = parser.parse_args(arguments)
    if asked.write is not None and (asked.short or asked.only):
        parser.error("--write takes a whole run: a document's table is of all parts, at their full length")
    figures: list[Figure] = []
    with running(short=asked.short) as run:
        for part in asked.only or PARTS:
            figures += await measured(part, run)
    print(table(figures))
    write(figures, Path("bench.json"))
    if asked.write is not None:
        write_into(asked.write, figures)
    return int(not held(figures, short=asked.short))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
