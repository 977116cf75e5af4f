"""An upgrade by Helm makes new pods where settings count from the next start on; those that run take the others up."""

from typing import Any

import pytest

from tests.e2e.harness.helm import Helm, named
from webhook.app.generations import AT_START
from webhook.settings import Settings

CHANGED: dict[str, Any] = {
    "mode": "deny",
    "namespaceLabel": "ignored",
    "decisions": {"partial": "deny"},
    "events": False,
    "kinds": [{"group": "argoproj.io", "resource": "rollouts"}],
    "nodes": {"transientTaints": ["a.example/"]},
    "exempt": {"namespaces": ["kube-system", "a"]},
    "registries": {"requestTimeout": "3s"},
    "cache": {"tagTTL": "10s"},
    "deadlineMargin": "2s",
    "log": {"level": "error"},
    "server": {"shutdownDelay": "20s"},
    "certificate": {"lifetime": "24h"},
    "traces": {"endpoint": "http://collector:4318/v1/traces"},
}
"""One change in each part of the settings."""

BINDING = "binding"
"""Which the chart sets by a value of its own."""


def pods(helm: Helm, values: dict[str, Any] | None = None) -> Any:
    return named(helm.template(values or {}))["Deployment/podgate"]["spec"]["template"]


def test_each_part_is_tried():
    assert {field.alias or name for name, field in Settings.model_fields.items()} - {BINDING} == CHANGED.keys()


@pytest.mark.parametrize("key", CHANGED)
def test_pods_are_replaced_where_settings_count_from_the_next_start_on_alone(helm: Helm, key: str):
    replaced = pods(helm) != pods(helm, {"settings": {key: CHANGED[key]}})
    assert replaced is (key in AT_START)


def test_annotations_of_the_users_own_stay(helm: Helm):
    annotations = pods(helm, {"podAnnotations": {"a.example/b": "c"}})["metadata"]["annotations"]
    assert annotations["a.example/b"] == "c"
    assert len(annotations) == 2
