"""`make faults`: runs the whole matrix and prints it as a table.

Exits with 1 where an answer is wrong, something is left behind, or docs/reliability.md says otherwise; with --write the
table there is made anew instead.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.catalogue import illnesses
from tests.faults.certificates import make_certificates
from tests.faults.matrix import run
from tests.faults.table import PAGE, markdown, rows_in, rows_of, verdicts, with_table
from tests.faults.webhook import Pace

PACE = Pace(timeout=5, request_timeout=2.0)


def main(arguments: Sequence[str]) -> int:
    """`arguments`: --write, and parts of names of faults, where not all are to be run."""
    wanted = [word for word in arguments if word != "--write"]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="podgate-faults-") as name:
        certificates = make_certificates(Path(name))
        chosen = [one for one in illnesses(certificates.bad) if not wanted or any(word in one.name for word in wanted)]
        found = asyncio.run(run(chosen, certificates, Path(name), PACE))
    rows = rows_of(found)
    print(markdown(rows))
    slowest = max(told.seconds for told in found.told.values())
    print(
        f"{len(found.told)} answers in {time.monotonic() - started:.0f} s, the slowest after {slowest:.1f} of "
        f"{PACE.timeout} s",
        file=sys.stderr,
    )
    problems = list(found.problems)
    if "--write" in arguments:
        PAGE.write_text(with_table(PAGE.read_text(), markdown(rows)))
    else:
        kept = rows_in(PAGE.read_text())
        problems += [
            f"{PAGE.name} says otherwise of {name}: {kept.get(name)}"
            for name, row in rows.items()
            if verdicts(kept.get(name, ())) != verdicts(row)
        ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


sys.exit(main(sys.argv[1:]))
