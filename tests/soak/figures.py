"""The verdict, as figures with their bounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.figures import Figure
from tests.soak.judge import Judge
from tests.soak.measures import Sample, fitted_growth, window_growth

RATE: Final = 200
"""Reviews a second."""
GROWTH: Final = 5.0
"""Percent by which memory may grow once it is warm."""
LEAK: Final = 25.0
"""Percent that nothing explains which only fills up. A kibibyte lost for each review is twice that in five minutes."""
SHORT: Final = 20
"""Minutes of load below which a run cannot tell memory that fills up from memory that leaks, and need not have the
machine for itself: figures that hang on time are shown, and decide nothing."""
WITHOUT_CORE: Final = "of the time without a core that was wanted"
STARVED: Final = 50.0
"""Percent of the time without a core, from which on a short run says nothing: load, registries and the run itself have
none either then, answers are late, and what the run takes for right is no longer what podgate can know."""
_NEARLY: Final = 0.95
"""Of the rate that is aimed at, what has to come about: a run at another rate is another run."""


@dataclass(frozen=True)
class Ending:
    """What is known at the end. `samples`: under load, once warm. `rests`: without load, once warm and at the end.
    `sent_seconds`: how long the load lasted. `recovered`: of `asked_again` images of registries that were ill, those
    that got the right answer, within so many seconds. `refused_connections`: of one new one a second, those that came
    to nothing. `lag`: by how many seconds the run itself was late at worst."""

    judge: Judge
    samples: Sequence[Sample]
    rests: tuple[Sample, Sample]
    sent_seconds: float
    recovered: int
    asked_again: int
    recovery_seconds: float
    internal_errors: int
    unreadable: int
    logged: int
    trespassers: int
    faults: int
    met: int
    reloads: tuple[int, int]
    refusals: tuple[int, int]
    refused_connections: int
    lag: float
    wrong_certificates: int
    exit_code: int


def figures(end: Ending) -> list[Figure]:
    """All of them."""
    return [*_answers(end), *_errors(end), *_memory(end), *_flat(end), *_others(end)]


def _answers(end: Ending) -> list[Figure]:
    judge = end.judge
    return [
        Figure("minutes of load", end.sent_seconds / 60, "minutes"),
        Figure("reviews answered", judge.answered, "reviews"),
        Figure("reviews a second", judge.answered / end.sent_seconds, "a second", _NEARLY * RATE, "least", timed=True),
        Figure("reviews without an answer of status 200", judge.lost, "reviews", 0),
        Figure("answers after the API server's deadline", judge.late, "reviews", 0, timed=True),
        Figure("answers that are no AdmissionReview of what was asked", judge.malformed, "reviews", 0),
        Figure("wrong denials", judge.wrong_denials, "reviews", 0),
        Figure("wrong admissions", judge.wrong_admissions, "reviews", 0),
        Figure("other answers that nothing speaks for", judge.wrong_otherwise, "reviews", 0),
        Figure("p50", 1000 * judge.percentile(50), "ms"),
        Figure("p99", 1000 * judge.percentile(99), "ms"),
        Figure("slowest answer", 1000 * judge.percentile(100), "ms"),
    ]


def _errors(end: Ending) -> list[Figure]:
    return [
        Figure("reviews let through unchecked: podgate failed", end.internal_errors, "reviews", 0),
        Figure("reviews let through unchecked: not read", end.unreadable, "reviews", 0),
        Figure("lines logged as errors, but for settings refused", end.logged, "lines", 0),
        Figure("connections to an address that settings refuse", end.trespassers, "connections", 0),
        Figure("images right at last where registries had faults", end.recovered, "images", end.asked_again, "exactly"),
        Figure("seconds until they were", end.recovery_seconds, "s"),
        Figure("new connections that failed, of one a second", end.refused_connections, "connections", 0),
        Figure("certificates at the end that are not the newest", end.wrong_certificates, "certificates", 0),
        Figure("settings taken over", end.reloads[0], "files", end.reloads[1], "least"),
        Figure("settings refused", end.refusals[0], "files", end.refusals[1], "least"),
        Figure("faults that podgate met", end.met, f"of {end.faults}", end.faults // 2, "least"),
        Figure("exit code after SIGTERM", end.exit_code, "", 0, "exactly"),
    ]


def _memory(end: Ending) -> list[Figure]:
    before, after = end.rests
    grown = 100 * (after.rss / before.rss - 1)
    return [
        Figure("memory (RSS), most", max(sample.rss for sample in end.samples), "MiB"),
        _growth("memory (RSS), last quarter against first", window_growth(end.samples, _rss)),
        _growth("memory (RSS), rise of a line through all", fitted_growth(end.samples, _rss)),
        _growth("memory (PSS), last quarter against first", window_growth(end.samples, _pss)),
        Figure("memory (RSS) at rest, warm", before.rss, "MiB"),
        _growth("memory (RSS) at rest, at the end, against that", grown),
        Figure("the same, so much that it is a leak in a short run too", grown, "percent", LEAK),
    ]


def _growth(name: str, percent: float) -> Figure:
    """It hangs on time: what fills up while it gets warm is a slope, unless it is looked at for long enough."""
    return Figure(name, percent, "percent", GROWTH, timed=True)


def _flat(end: Ending) -> list[Figure]:
    """At rest nothing is under way, so that nothing may have been added."""
    found = []
    for name, unit, what in _FLAT:
        before, after = (what(sample) for sample in end.rests)
        found += [
            Figure(f"{name} under load, most", max(map(what, end.samples)), unit),
            Figure(f"{name} at rest, warm", before, unit),
            Figure(f"{name} at rest, at the end", after, unit, before + _KEPT),
        ]
    return found


def _others(end: Ending) -> list[Figure]:
    first, last = end.samples[0], end.samples[-1]
    busy, waited = last.cpu - first.cpu, last.waited - first.waited
    return [
        Figure("threads, most", max(sample.threads for sample in end.samples), "threads"),
        Figure("cache, most", max(sample.cached for sample in end.samples), "MiB", 8),
        Figure("Events that wait, most", max(sample.events for sample in end.samples), "Events", 1024),
        Figure("series of /metrics at the end", end.rests[1].series, "series"),
        Figure("of one core in use", 100 * busy / (last.at - first.at), "percent"),
        Figure(WITHOUT_CORE, 100 * waited / (last.at - first.at), "percent"),
        Figure("the run's own delay, longest", end.lag, "s"),
    ]


def _rss(sample: Sample) -> float:
    return sample.rss


def _pss(sample: Sample) -> float:
    return sample.pss


_KEPT: Final = 4
"""Of descriptors and tasks, how many more there may be at one moment than at another: connections to the API server
that are kept for the next question, watches that are begun anew."""
_FLAT: Final[Sequence[tuple[str, str, Callable[[Sample], float]]]] = (
    ("file descriptors", "descriptors", lambda sample: sample.descriptors),
    ("tasks", "tasks", lambda sample: sample.tasks),
)
