"""What is measured of the process, every few seconds, and how it has grown."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.machine import cpu_seconds
from tests.soak.webhook import Webhook, value


@dataclass(frozen=True)
class Sample:
    """`at`: seconds since the start of the load. rss, pss: MiB of memory, the second with what is shared divided among
    those who share it. series: lines of /metrics. cpu: seconds since the start of the process; waited: those in which
    its main thread had something to do, and no core."""

    at: float
    rss: float
    pss: float
    descriptors: int
    threads: int
    cpu: float
    waited: float
    tasks: int
    cached: float
    events: int
    series: int


async def sampled(at: float, webhook: Webhook) -> Sample:
    """The process as it is now (proc_pid_smaps, proc_pid_status, sched-stats)."""
    place = Path(f"/proc/{webhook.pid}")
    memory = _numbers(place / "smaps_rollup")
    descriptors = len(list((place / "fd").iterdir()))  # before it is asked: the connection for that is none of the load
    metrics = await webhook.metrics()
    return Sample(
        at=at,
        rss=memory["Rss"] / 1024,
        pss=memory["Pss"] / 1024,
        descriptors=descriptors,
        threads=_numbers(place / "status")["Threads"],
        cpu=cpu_seconds(webhook.pid),
        waited=int((place / "schedstat").read_text().split()[1]) / 1e9,
        tasks=int(value(metrics, "podgate_tasks")),
        cached=value(metrics, "podgate_cache_bytes") / (1 << 20),
        events=int(value(metrics, "podgate_events_waiting")),
        series=len(metrics),
    )


def _numbers(file: Path) -> dict[str, int]:
    """The fields of such a file whose value begins with a number."""
    fields = (line.partition(":") for line in file.read_text().splitlines())
    return {name: int(rest.split()[0]) for name, _, rest in fields if rest.split() and rest.split()[0].isdigit()}


def window_growth(samples: Sequence[Sample], what: Callable[[Sample], float]) -> float:
    """By how many percent the median of the last quarter is above that of the first."""
    quarter = max(1, len(samples) // 4)
    first = statistics.median(map(what, samples[:quarter]))
    last = statistics.median(map(what, samples[-quarter:]))
    return 100 * (last - first) / first if first else float("nan")


def fitted_growth(samples: Sequence[Sample], what: Callable[[Sample], float]) -> float:
    """By how many percent a straight line through all of them rises from the first to the last."""
    times = [sample.at for sample in samples]
    if len(set(times)) < 2:
        return float("nan")
    slope, start = statistics.linear_regression(times, [what(sample) for sample in samples])
    first = start + slope * times[0]
    return 100 * slope * (times[-1] - times[0]) / first if first else float("nan")
