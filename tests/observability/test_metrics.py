"""Metrics: what is counted, how many series there can be, and that docs/metrics.md tells of all of them."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from webhook.core.decision import Judgement
from webhook.core.platform import parse_platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node
from webhook.core.workload import parse_workload
from webhook.observability.metrics import HOSTS_LIMIT, SHAPES_LIMIT, Metrics
from webhook.ports import Observation

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
OBJECT = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "image": "reg.example/app:1"}]},
}
POD = parse_workload(OBJECT)
assert POD is not None

Decision = Literal["allow", "warn", "deny"]


def observation(decision: Decision = "deny", *why: str) -> Observation:
    assert POD is not None
    return Observation(Judgement(POD, decision, "mismatch", "deny"), "u-1", False, 0.02, why)


def of_daemon_set(decision: Decision) -> Observation:
    """A decision about a pod that a DaemonSet has made."""
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "u", "controller": True}
    owned = parse_workload({**OBJECT, "metadata": {"name": "web", "ownerReferences": [owner]}})
    assert owned is not None
    return Observation(Judgement(owned, decision, "mismatch", "deny"), "u-2", False, 0.02)


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, tuple(sorted(labels.items()))))


def test_decisions_are_counted_by_decision_reason_kind_and_mode():
    metrics = Metrics()
    for _ in range(2):
        metrics.decided(observation("deny", "image-unresolved", "platform-unknown"))
    labels = {"decision": "deny", "reason": "mismatch", "kind": "Pod", "mode": "deny"}
    assert value(metrics, "podgate_decisions_total", **labels) == 2
    assert value(metrics, "podgate_decision_seconds_count") == 2
    assert value(metrics, "podgate_decision_seconds_bucket", le="0.025") == 2
    assert value(metrics, "podgate_decision_seconds_bucket", le="0.01") == 0
    assert value(metrics, "podgate_uncertain_total", why="image-unresolved") == 2


def test_a_binding_is_counted_as_one():
    metrics = Metrics()
    metrics.decided(replace(observation("warn"), binding=True))
    labels = {"decision": "warn", "reason": "mismatch", "mode": "deny"}
    assert value(metrics, "podgate_decisions_total", kind="Binding", **labels) == 1
    assert value(metrics, "podgate_decisions_total", kind="Pod", **labels) is None


def test_pods_of_daemon_sets_are_counted_where_they_are_warned_of():
    metrics = Metrics()
    bound = replace(of_daemon_set("warn"), binding=True)  # it was counted when it was made
    for made in (of_daemon_set("warn"), of_daemon_set("warn"), of_daemon_set("allow"), observation("warn"), bound):
        metrics.decided(made)
    assert value(metrics, "podgate_daemon_set_pods_warned_total", reason="mismatch") == 2


def test_events_are_counted_by_what_became_of_them():
    metrics = Metrics()
    metrics.event("dropped")
    assert value(metrics, "podgate_events_total", result="dropped") == 1


def test_what_was_let_through_is_counted():
    metrics = Metrics()
    assert value(metrics, "podgate_internal_errors_total") == 0
    metrics.internal_error()
    metrics.unreadable()
    assert value(metrics, "podgate_internal_errors_total") == 1
    assert value(metrics, "podgate_unreadable_reviews_total") == 1


def test_registries_and_caches_are_counted():
    metrics = Metrics()
    metrics.requested("reg.example", "GET", "200", 0.03)
    metrics.requested("reg.example", "GET", "timeout", 5.0)
    metrics.looked_up("content", "hit")
    metrics.measure_cache(lambda: 12.0)
    assert value(metrics, "podgate_registry_requests_total", host="reg.example", method="GET", code="timeout") == 1
    assert value(metrics, "podgate_registry_request_seconds_count") == 2
    assert value(metrics, "podgate_cache_lookups_total", cache="content", result="hit") == 1
    assert value(metrics, "podgate_cache_bytes") == 12


def test_work_that_is_under_way_is_asked_for_when_metrics_are_shown():
    metrics, tasks = Metrics(), [1]
    metrics.measure_work(lambda: len(tasks), lambda: 7)
    tasks.append(2)
    assert (value(metrics, "podgate_tasks"), value(metrics, "podgate_events_waiting")) == (2, 7)


def test_hosts_that_anybody_can_name_do_not_grow_without_bound():
    metrics = Metrics()
    for number in range(HOSTS_LIMIT + 50):
        metrics.requested(f"reg-{number}.example", "GET", "200", 0.01)
    metrics.requested("reg-0.example", "GET", "200", 0.01)
    hosts = {dict(labels)["host"] for name, labels in samples(metrics) if name == "podgate_registry_requests_total"}
    assert len(hosts) == HOSTS_LIMIT + 1
    assert value(metrics, "podgate_registry_requests_total", host="other", method="GET", code="200") == 50
    assert value(metrics, "podgate_registry_requests_total", host="reg-0.example", method="GET", code="200") == 2


def test_statuses_that_http_does_not_have_share_a_label():
    metrics = Metrics()
    for number in range(100, 1000):
        metrics.requested("reg.example", "GET", str(number), 0.01)
    codes = {dict(labels)["code"] for name, labels in samples(metrics) if name == "podgate_registry_requests_total"}
    assert {"200", "404", "429", "503", "other"} <= codes
    assert len(codes) < 80


def nodes(*shapes: tuple[str, str]) -> list[Node]:
    return [
        Node(f"n{at}", parse_platform(platform), Runtime.parse(runtime))
        for at, (platform, runtime) in enumerate(shapes)
    ]


def shape(node: Node) -> tuple[str, str]:
    assert node.platform is not None
    return f"{node.platform.os}/{node.platform.architecture}", node.runtime.text


def test_nodes_are_shown_by_platform_and_runtime_and_those_that_are_gone_are_not():
    metrics = Metrics()
    old, new = ("linux/amd64", "containerd://1.7.27"), ("linux/amd64", "containerd://2.1.4")
    metrics.show_nodes(nodes(old, old, new), shape)
    assert value(metrics, "podgate_nodes", platform=old[0], runtime=old[1]) == 2
    metrics.show_nodes(nodes(new), shape)
    assert {labels for name, labels in samples(metrics) if name == "podgate_nodes"} == {
        (("platform", new[0]), ("runtime", new[1]))
    }


def test_runtimes_that_nodes_name_do_not_grow_without_bound():
    metrics = Metrics()
    metrics.show_nodes(nodes(*[("linux/amd64", f"containerd://2.1.{at}") for at in range(SHAPES_LIMIT + 20)]), shape)
    assert len([name for name, _ in samples(metrics) if name == "podgate_nodes"]) == SHAPES_LIMIT + 1
    assert value(metrics, "podgate_nodes", platform="other", runtime="other") == 20


def test_the_state_of_circuit_breakers():
    metrics = Metrics()
    for state, number in (("open", 2), ("half-open", 1), ("closed", 0)):
        metrics.breaker_moved("reg.example", state)
        assert value(metrics, "podgate_breaker_state", host="reg.example") == number


def test_circuit_breakers_of_more_hosts_than_there_are_labels_for_are_not_shown():
    """Anybody who may create a pod can name a host that is down."""
    metrics = Metrics()
    for number in range(300):
        metrics.breaker_moved(f"reg-{number}.example", "open")
    shown = [labels for name, labels in samples(metrics) if name == "podgate_breaker_state"]
    assert len(shown) == 100


def test_the_certificates_end():
    metrics = Metrics()
    metrics.show_certificate(1.8e9)
    assert value(metrics, "podgate_certificate_expiry_timestamp_seconds") == 1.8e9


def test_the_settings_file():
    metrics = Metrics()
    assert value(metrics, "podgate_settings_last_reload_successful") == 1
    metrics.settings_read(good=False)
    metrics.restart_needed(needed=True)
    assert value(metrics, "podgate_settings_last_reload_successful") == 0
    assert value(metrics, "podgate_settings_restart_needed") == 1
    metrics.settings_read(good=True)
    assert value(metrics, "podgate_settings_last_reload_successful") == 1
    for result in ("applied", "refused"):
        assert value(metrics, "podgate_settings_reloads_total", result=result) == 1


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """The table of docs/metrics.md: name, type and labels of each metric."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\| [^|]+ \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def registered() -> dict[str, tuple[str, frozenset[str]]]:
    metrics = Metrics()
    metrics.measure_cache(lambda: 0.0)
    metrics.measure_work(lambda: 0.0, lambda: 0.0)
    found = {}
    for collector, names in metrics.registry._collector_to_names.items():
        [family] = collector.describe() if hasattr(collector, "describe") else collector.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name in names or family.name in names
        found[name] = (family.type, frozenset(getattr(collector, "_labelnames")))  # noqa: B009 - no attribute for mypy
    return found


def test_the_documentation_tells_of_all_metrics_and_of_no_other():
    assert documented() == registered()


@pytest.mark.parametrize("name", registered())
def test_names_follow_the_conventions(name: str):
    """https://prometheus.io/docs/practices/naming/: a prefix for the application, base units, _total for a counter."""
    kind, labels = registered()[name]
    assert re.fullmatch(r"podgate_[a-z]+(_[a-z]+)*", name)
    assert name.endswith("_total") is (kind == "counter")
    assert not re.search(r"_(count|sum|bucket|info|created)$", name)  # suffixes that formats have a meaning for
    assert not labels & {"le", "quantile", "job", "instance", "namespace", "pod"}  # the format's, and the target's
    assert all(re.fullmatch(r"[a-z]+", label) for label in labels)
    assert not re.search(r"milli|micro|nano|kilo|mega|percent|minutes|hours", name)
    if kind == "histogram":
        assert name.endswith("_seconds")
    if "timestamp" in name:
        assert name.endswith("_timestamp_seconds")


def test_what_promtool_would_say_of_the_text():
    """promtool check metrics, which is not at hand: each family has a help text and a type before its samples, once,
    no sample stands twice, and no name is that of two families."""
    lines = shown_whole().text().decode().splitlines()
    helps = [line.split(" ", 3)[2:] for line in lines if line.startswith("# HELP")]
    types = [line.split(" ")[2] for line in lines if line.startswith("# TYPE")]
    assert [name for name, _ in helps] == types
    assert len(set(types)) == len(types) == len(documented())
    for _, text in helps:
        assert re.fullmatch(r"[A-Z].*\.", text)
    family = ""
    seen = set()
    for line in lines:
        if line.startswith("# TYPE"):
            family = line.split(" ")[2]
        elif not line.startswith("#"):
            series = line.rpartition(" ")[0]
            assert series not in seen
            seen.add(series)
            assert re.fullmatch(rf"{family}(_bucket|_sum|_count)?", series.partition("{")[0])


def shown_whole() -> Metrics:
    """Every metric with a sample at least."""
    metrics = Metrics()
    metrics.measure_cache(lambda: 0.0)
    metrics.measure_work(lambda: 0.0, lambda: 0.0)
    metrics.decided(observation("warn", "short-name"))
    metrics.decided(of_daemon_set("warn"))
    metrics.event("written")
    metrics.settings_read(good=True)
    metrics.requested("reg.example", "GET", "200", 0.1)
    metrics.looked_up("content", "miss")
    metrics.breaker_moved("reg.example", "open")
    metrics.provider_ran("ecr", "ok")
    metrics.show_nodes(nodes(("linux/amd64", "containerd://2.1.4")), shape)
    return metrics


def test_no_series_beside_those_that_are_documented():
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name, _ in samples(shown_whole())}
    assert names == set(documented())
