"""`make bench`: prints one table and writes bench.json. Exits with 1 where a bound is missed."""

import asyncio
import sys
from pathlib import Path

from tests.bench import check, nodes, requests, scan, starting
from tests.bench.figures import table, write


async def main() -> int:
    parts = requests, nodes, starting, check, scan
    figures = [figure for part in parts for figure in await part.figures()]
    print(table(figures))
    write(figures, Path("bench.json"))
    return int(not all(figure.ok for figure in figures))


sys.exit(asyncio.run(main()))
