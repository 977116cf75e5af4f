"""Reviews of images that are known, as many as one core bears: podgate against a kopf handler that answers at once.

Both have the same server, on the same core, one after the other in short turns, so that whatever else the machine does
meanwhile falls on both. Each ratio is taken twice: by reviews a second, which is what counts, and by the time that the
process has had of the core for each, which other work on the machine hardly changes.
"""

import importlib
import statistics
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from tests.bench.figures import Figure
from tests.bench.machine import cpu_seconds
from tests.bench.reviews import pods_of, unlike
from tests.bench.served import Server, bare, place, podgate
from tests.bench.setting import Run, pushed, small_cluster
from tests.support.apiserver import node
from tests.support.registry import Registry

BAR: Final = 0.75
AT_ONCE: Final = 16
SECONDS: Final = 1.5
ROUNDS: Final = 6
IMAGES: Final = 100
PODS: Final = 1000


async def figures(run: Run) -> list[Figure]:
    """Reviews a second, and the ratios. Raises ModuleNotFoundError where the extra `speed` is not installed."""
    for name in ("uvloop", "orjson"):  # they serve both; without them it would be another figure
        importlib.import_module(name)
    with Registry() as registry:
        names = pushed(registry, IMAGES)
        alike, different = pods_of(names, PODS), unlike(names, 3 * PODS)
        async with AsyncExitStack() as stack:
            where = await stack.enter_async_context(place(run.folder / "warm", run.server, small_cluster()))
            ours = await stack.enter_async_context(podgate(where, registry, cache={"tagTTL": "1h"}))
            kopfs = await stack.enter_async_context(bare(where))
            found = await _compared(run, ours, kopfs, alike, "pods of a hundred templates")
            found += (await _compared(run, ours, kopfs, different, "pods that are all unlike"))[1:]
            _expect(await ours.decisions(), {"allow/match"})
    return [*found, await _warned(run)]


async def _compared(run: Run, ours: Server, kopfs: Server, reviews: Sequence[bytes], what: str) -> list[Figure]:
    for server in (ours, kopfs):
        await run.load.all_once(server.target, reviews, AT_ONCE)  # what is not known yet, and all processes at work
    rates: list[tuple[float, float]] = []
    costs: list[tuple[float, float]] = []
    for _ in range(run.rounds(ROUNDS)):
        (rate, cost), (other_rate, other_cost) = [await _turn(run, one, reviews) for one in (ours, kopfs)]
        rates.append((rate, other_rate))
        costs.append((cost, other_cost))
    by_rate = statistics.median(one / other for one, other in rates)
    by_cost = statistics.median(other / one for one, other in costs)
    name = f"warm: {what}, podgate against a bare kopf handler"
    return [
        Figure("warm: podgate", statistics.median(one for one, _ in rates), "reviews/s", timed=True),
        Figure(f"{name}, reviews a second", by_rate, "ratio", BAR, "least", timed=True),
        # Not `timed`: a handler that has become twice as slow is to be found on a machine that others use, too.
        Figure(f"{name}, reviews for the same CPU time", by_cost, "ratio", BAR, "least"),
    ]


async def _turn(run: Run, server: Server, reviews: Sequence[bytes]) -> tuple[float, float]:
    """Reviews a second, and seconds of the core for one."""
    before = cpu_seconds(server.pid)
    hits = await run.load.steadily(server.target, reviews, AT_ONCE, SECONDS)
    return hits.rate, (cpu_seconds(server.pid) - before) / len(hits.seconds)


async def _warned(run: Run) -> Figure:
    """What a warning takes, whose text is written anew for each pod, against an admission."""
    with Registry() as registry:
        names = pushed(registry, IMAGES)
        nodes = [*small_cluster(), node("odd", "riscv64")]
        async with place(run.folder / "warned", run.server, nodes) as where, podgate(where, registry) as ours:
            reviews = pods_of(names, PODS)
            await run.load.all_once(ours.target, reviews, AT_ONCE)
            turns = [await _turn(run, ours, reviews) for _ in range(2)]
            _expect(await ours.decisions(), {"warn/partial"})
    return Figure("warm: pods that are warned about", max(rate for rate, _ in turns), "reviews/s", timed=True)


def _expect(decisions: Mapping[str, Any], wanted: set[str]) -> None:
    """What was measured must be what was meant."""
    assert set(decisions) == wanted, decisions
