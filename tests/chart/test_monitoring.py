"""Dashboard and alerts speak of metrics that exist, with labels that they have."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from tests.support.chart import CHART
from webhook.observability.metrics import Metrics

OF_THE_API_SERVER = {"apiserver_admission_webhook_fail_open_count": {"name"}}
"""A metric of somebody else's; the end-to-end tests read it of a real API server."""
OF_THE_TARGET = {"namespace", "pod", "job", "instance", "le"}
"""Labels that Prometheus adds, and that of a histogram's buckets."""
FUNCTIONS = {"absent", "histogram_quantile", "increase", "max", "min", "rate", "sum", "time"}
WORDS = {"by", "label_values", "and", "or"}


def known() -> dict[str, set[str]]:
    """Names as Prometheus stores them, with their labels."""
    metrics = Metrics()
    metrics.measure_cache(lambda: 0.0)
    return {**OF_THE_API_SERVER, **dict(_stored(metrics.registry))}


def _stored(registry: CollectorRegistry) -> Iterator[tuple[str, set[str]]]:
    for collector, names in registry._collector_to_names.items():
        labels = set(getattr(collector, "_labelnames", ()))
        for name in names:
            yield name, labels


KNOWN = known()
DASHBOARD: dict[str, Any] = json.loads((CHART / "dashboards" / "podgate.json").read_text())
RUNBOOKS = CHART.parents[1] / "docs" / "runbooks"
ALERTS: list[dict[str, Any]] = yaml.safe_load((CHART / "alerts.yaml").read_text())


def expressions() -> list[tuple[str, str]]:
    """Every expression of dashboard and alerts, with where it stands."""
    found = [
        (f"panel {panel['title']}", target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
    ]
    variables = [(f"variable {each['name']}", each["query"]["query"]) for each in DASHBOARD["templating"]["list"][1:]]
    return found + variables + [(f"alert {alert['alert']}", alert["expr"]) for alert in ALERTS]


def faults(expression: str) -> list[str]:
    """What an expression names that is not there."""
    found = []
    bare = re.sub(r'"[^"]*"', '""', expression)
    labels_of = {}
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", bare):
        labels_of[name] = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    outside = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    grouped = {label for group in re.findall(r"\bby \(([^)]*)\)", outside) for label in re.split(r", *", group)}
    names = (
        set(re.findall(r"[a-zA-Z_:][\w:]*", re.sub(r"\bby \([^)]*\)", "", outside))) - FUNCTIONS - WORDS - OF_THE_TARGET
    )
    found += [f"no metric {name}" for name in sorted(names - KNOWN.keys())]
    has: set[str] = set().union(*(KNOWN.get(name, set()) for name in names), OF_THE_TARGET)
    found += [f"no label {label}" for label in sorted(grouped - has)]
    for name, labels in labels_of.items():
        found += [f"no label {label} of {name}" for label in sorted(labels - KNOWN.get(name, set()) - OF_THE_TARGET)]
    return found


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=lambda text: text)
def test_what_an_expression_names_exists(where: str, expression: str):
    assert faults(expression) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("sum(rate(podgate_decision_total[5m]))", "no metric podgate_decision_total"),
        ('sum(rate(podgate_decisions_total{verdict="deny"}[5m]))', "no label verdict of podgate_decisions_total"),
        ("sum by (host) (rate(podgate_decisions_total[5m]))", "no label host"),
        ("podgate_nodes / podgate_pods", "no metric podgate_pods"),
    ],
)
def test_what_does_not_exist_is_found(expression: str, fault: str):
    assert faults(expression) == [fault]


def test_every_metric_is_on_the_dashboard():
    shown = " ".join(expression for where, expression in expressions() if where.startswith("panel"))
    for name in {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in KNOWN}:
        if f"{name}_total" not in KNOWN:
            assert name in shown


def test_panels_do_not_lie_on_one_another():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_is_wrong_and_has_a_runbook(alert: dict[str, Any]):
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["description"]
    title, _, text = (RUNBOOKS / f"{alert['alert']}.md").read_text().partition("\n")
    assert title == f"# {alert['alert']}"
    assert "\n1. " in text


def test_every_runbook_belongs_to_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert["alert"] for alert in ALERTS}
