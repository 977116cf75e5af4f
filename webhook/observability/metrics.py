"""Metrics: names and labels as docs/metrics.md lists them. No label takes an unbounded value."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from webhook.core.decision import of_daemon_set
from webhook.core.scheduling import Node
from webhook.ports import Observation

HOSTS_LIMIT: Final = 100
"""Registry hosts that get a label of their own; further ones, which anybody can name in a pod, are `other`."""
SHAPES_LIMIT: Final = 100
"""Platforms with runtimes that get labels of their own; a node says of itself which it is. The rest is `other`."""
OTHER: Final = "other"
"""The label's value for what is beyond a limit."""

_STATES: Final = {"closed": 0, "half-open": 1, "open": 2}
_CODES: Final = frozenset(str(status.value) for status in HTTPStatus)

_DECISION_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All of podgate's metrics in one registry of their own, so that several can live in one process (tests, demo)."""

    def __init__(self) -> None:
        # A time series `..._created` beside every counter is of use to OpenMetrics alone, which is not spoken here.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as the library has it
        self.registry = CollectorRegistry()
        self._hosts: set[str] = set()
        self._shapes: set[tuple[str, str]] = set()
        self._decisions = Counter(
            "podgate_decisions_total",
            "Decisions.",
            ["decision", "reason", "kind", "mode"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "podgate_decision_seconds",
            "Seconds from a review's arrival to its decision.",
            buckets=_DECISION_BUCKETS,
            registry=self.registry,
        )
        self._uncertain = Counter(
            "podgate_uncertain_total", "Decisions with an uncertain outcome, by why.", ["why"], registry=self.registry
        )
        self._errors = Counter(
            "podgate_internal_errors_total",
            "Reviews that were let through without a check, since podgate itself failed.",
            registry=self.registry,
        )
        self._unreadable = Counter(
            "podgate_unreadable_reviews_total",
            "Reviews that were let through without a check, since they could not be read.",
            registry=self.registry,
        )
        self._requests = Counter(
            "podgate_registry_requests_total",
            "Requests to registries, by HTTP status, or by what went wrong where there was no answer.",
            ["host", "method", "code"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "podgate_registry_request_seconds",
            "Seconds of one request to a registry.",
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._lookups = Counter(
            "podgate_cache_lookups_total", "Look-ups in the cache.", ["cache", "result"], registry=self.registry
        )
        self._providers = Counter(
            "podgate_credential_provider_runs_total",
            "Runs of credential provider plugins, by how they ended (ok, failed).",
            ["provider", "result"],
            registry=self.registry,
        )
        self._events = Counter(
            "podgate_events_total",
            "Events for warnings, by what became of them (written, repeated, gone, dropped, failed).",
            ["result"],
            registry=self.registry,
        )
        self._daemon_set_pods = Counter(
            "podgate_daemon_set_pods_warned_total",
            "Pods of DaemonSets that were let through with a warning.",
            ["reason"],
            registry=self.registry,
        )
        self._breakers = Gauge(
            "podgate_breaker_state",
            "Circuit breakers of registry hosts that have opened at least once: 0 closed, 1 half-open, 2 open.",
            ["host"],
            registry=self.registry,
        )
        self._reloads = Counter(
            "podgate_settings_reloads_total",
            "Changes of the settings file that were seen, by what became of them (applied, refused).",
            ["result"],
            registry=self.registry,
        )
        self._reloaded = Gauge(
            "podgate_settings_last_reload_successful",
            "Whether the settings file as it is now is good (1), or the settings before go on to count (0).",
            registry=self.registry,
        )
        self._reloaded.set(1)  # else it would not have started
        self._restart = Gauge(
            "podgate_settings_restart_needed",
            "Whether the settings file has changes that count from the next start on only.",
            registry=self.registry,
        )
        self._nodes = Gauge("podgate_nodes", "Nodes known.", ["platform", "runtime"], registry=self.registry)
        self._expiry = Gauge(
            "podgate_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, in seconds since 1970.",
            registry=self.registry,
        )

    def decided(self, observation: Observation) -> None:
        """Counts a decision."""
        judgement = observation.judgement
        self._decisions.labels(judgement.decision, judgement.reason, observation.kind, judgement.mode).inc()
        self._seconds.observe(observation.seconds)
        made = not observation.binding  # a pod that is bound has been counted before
        if made and judgement.decision == "warn" and of_daemon_set(judgement.workload):
            self._daemon_set_pods.labels(judgement.reason).inc()
        for why in observation.why:
            self._uncertain.labels(why).inc()

    def event(self, result: str) -> None:
        """Counts an Event, by what became of it."""
        self._events.labels(result).inc()

    def settings_read(self, *, good: bool) -> None:
        """Counts a change of the settings file."""
        self._reloads.labels("applied" if good else "refused").inc()
        self._reloaded.set(int(good))

    def restart_needed(self, *, needed: bool) -> None:
        """Shows whether the settings file has changes that wait for a restart."""
        self._restart.set(int(needed))

    def internal_error(self) -> None:
        """Counts a review that was let through without a check."""
        self._errors.inc()

    def unreadable(self) -> None:
        """Counts a review that was let through without a check, since it could not be read."""
        self._unreadable.inc()

    def requested(self, host: str, method: str, code: str, seconds: float) -> None:
        """Counts a request to a registry; `code` is its status, or podgate's word for the fault."""
        if code.isdecimal() and code not in _CODES:
            code = OTHER  # a registry may answer with any three digits
        self._requests.labels(self._label(host), method, code).inc()
        self._request_seconds.observe(seconds)

    def looked_up(self, cache: str, result: str) -> None:
        """Counts a look-up in a cache (hit, miss), what was thrown out of it (evicted), and what was shown although its
        time was up, since a registry was down (stale)."""
        self._lookups.labels(cache, result).inc()

    def breaker_moved(self, host: str, state: str) -> None:
        """Shows the state of a host's circuit breaker: closed, half-open or open. Hosts without a label of their own
        are not shown: one number cannot say how many of them there are."""
        label = self._label(host)
        if label != OTHER:
            self._breakers.labels(label).set(_STATES[state])

    def _label(self, host: str) -> str:
        """The host's own label, or the one for all that come too late for one."""
        if host not in self._hosts and len(self._hosts) < HOSTS_LIMIT:
            self._hosts.add(host)
        return host if host in self._hosts else OTHER

    def provider_ran(self, provider: str, result: str) -> None:
        """Counts a run of a credential provider plugin; settings name all that there are."""
        self._providers.labels(provider, result).inc()

    def measure_cache(self, size: Callable[[], float]) -> None:
        """Lets /metrics read the bytes that the cache holds."""
        gauge = Gauge("podgate_cache_bytes", "Bytes of documents that are remembered.", registry=self.registry)
        gauge.set_function(size)

    def measure_work(self, tasks: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Lets /metrics read how many asyncio tasks there are, and how many Events wait to be written."""
        gauge = Gauge("podgate_tasks", "Things under way: asyncio tasks that have not ended.", registry=self.registry)
        gauge.set_function(tasks)
        gauge = Gauge("podgate_events_waiting", "Events that wait to be written.", registry=self.registry)
        gauge.set_function(waiting)

    def show_nodes(self, nodes: Sequence[Node], shape: Callable[[Node], tuple[str, str]]) -> None:
        """Shows how many nodes there are of each platform and runtime."""
        counts: dict[tuple[str, str], int] = {}
        for node in nodes:
            labels = shape(node)
            if labels not in counts and len(counts) >= SHAPES_LIMIT:
                labels = (OTHER, OTHER)
            counts[labels] = counts.get(labels, 0) + 1
        for gone in self._shapes - counts.keys():
            self._nodes.remove(*gone)
        self._shapes = set(counts)
        for labels, count in counts.items():
            self._nodes.labels(*labels).set(count)

    def show_certificate(self, not_after: float) -> None:
        """Shows when the serving certificate ends (seconds since 1970)."""
        self._expiry.set(not_after)

    def text(self) -> bytes:
        """What /metrics answers: the Prometheus text format."""
        return generate_latest(self.registry)
