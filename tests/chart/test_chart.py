"""The chart's files hold together, and with the code. What needs Helm is in tests/e2e."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.support.chart import CHART, made
from tests.support.chart_readme import Undescribed, read
from webhook.settings import Settings, parse_settings

ROOT = CHART.parents[1]
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
VALIDATOR = Draft7Validator(SCHEMA)

OF_HELM = {"global", "enabled"}
"""Values that Helm and charts around this one give to every chart."""


@pytest.mark.parametrize("path", made(), ids=lambda path: path.name)
def test_what_is_made_is_made_of_what_there_is(path: Path):
    assert path.read_text() == made()[path], "run `make chart`"


def test_versions_are_those_of_the_package():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert chart["kubeVersion"] == ">=1.30.0-0"


def test_the_schema_is_one_and_takes_the_values_as_they_are():
    Draft7Validator.check_schema(SCHEMA)
    VALIDATOR.validate(VALUES)


def objects(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every part of a schema that speaks of a mapping."""
    if isinstance(node, list):
        return [found for number, each in enumerate(node) for found in objects(each, f"{path}/{number}")]
    if not isinstance(node, dict):
        return []
    below = [found for key, each in node.items() for found in objects(each, f"{path}/{key}")]
    return [(path, node), *below] if node.get("type") == "object" else below


def test_no_level_takes_a_key_that_it_does_not_know():
    """Each mapping has its keys, or is a map whose values have a form; what is open says why."""
    found = objects(SCHEMA)
    assert len(found) > 80
    for path, node in found:
        if isinstance(node["additionalProperties"], bool):
            assert node["additionalProperties"] is False or "$comment" in node, path


def test_schema_and_values_have_the_same_keys():
    def compare(schema: dict[str, Any], values: dict[str, Any], path: str) -> None:
        if "$ref" in schema:
            schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
        if "properties" not in schema or path in OPEN:
            return
        assert set(schema["properties"]) - (OF_HELM if not path else set()) == set(values), path
        for key, value in values.items():
            if isinstance(value, dict):
                compare(schema["properties"][key], value, f"{path}.{key}" if path else key)

    compare(SCHEMA, VALUES, "")


OPEN = {value.key for value in read((CHART / "values.yaml").read_text()) if isinstance(value.default, dict)}
"""Values that are mappings as a whole: some of their keys have defaults, others not."""


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"image": {"tagg": "1"}},
        {"settings": {"mod": "deny"}},
        {"settings": {"cache": {"tagTtl": "5s"}}},
        {"settings": {"certificate": {"mode": "files"}}},
        {"settings": {"nodes": {"declared": [{"platform": "linux/arm64", "runtimes": "x"}]}}},
        {"affinity": {"nodeAffinity": {"required": []}}},
        {"tolerations": [{"keys": "a"}]},
        {"extraVolumes": [{"name": "a", "secret": {"name": "b"}}]},
        {"extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "a", "nam": "b"}}}]},
        {"resources": {"request": {}}},
        {"podSecurityContext": {"runAsNonRot": True}},
        {"networkPolicy": {"metricsFrom": [{"podSelect": {}}]}},
        {"webhook": {"objectSelector": {"matchLabel": {}}}},
    ],
    ids=json.dumps,
)
def test_a_misspelt_key_is_refused(values: dict[str, Any]):
    assert not VALIDATOR.is_valid(values)


@pytest.mark.parametrize(
    "values",
    [
        {"replicaCount": "two"},
        {"replicaCount": -1},
        {"image": {"digest": "sha256:1"}},
        {"image": {"tag": "a b"}},
        {"image": {"pullPolicy": "Sometimes"}},
        {"settings": {"mode": "strict"}},
        {"settings": {"mode": False}},
        {"settings": {"cache": {"tagTTL": "a minute"}}},
        {"settings": {"cache": {"maxBytes": "32 MB"}}},
        {"settings": {"registries": {"concurrencyPerHost": 2000}}},
        {"settings": {"registries": {"deniedAddresses": ["intranet"]}}},
        {"webhook": {"timeoutSeconds": 31}},
        {"webhook": {"failurePolicy": "Open"}},
        {"rbac": {"pullSecrets": {"scope": "all"}}},
        {"certificates": {"mode": "none"}},
        {"certificates": {"existingSecret": {"caBundle": "LS0tLS1"}}},
        {"commonLabels": {"a": "not a label"}},
        {"podAnnotations": {"a": 1}},
        {"podDisruptionBudget": {"maxUnavailable": "half"}},
        {"extraObjects": [{"kind": "ConfigMap"}]},
        {"metrics": {"prometheusRule": {"runbookURL": "docs"}}},
        {"service": {"port": 0}},
    ],
    ids=json.dumps,
)
def test_a_wrong_type_or_value_is_refused(values: dict[str, Any]):
    assert not VALIDATOR.is_valid(values)


@pytest.mark.parametrize(
    "values",
    [
        {"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}},
        {"settings": {"cache": {"tagTTL": "1m30s", "negativeTTL": 0, "maxBytes": 67108864, "staleFor": "1.5h"}}},
        {"settings": {"registries": {"hostsDir": None, "deniedAddresses": ["10.0.0.0/8", "fd00::/8", "192.0.2.1"]}}},
        {"settings": {"nodes": {"declared": [{"platform": "windows/amd64:10.0.20348.1", "labels": {"a": ""}}]}}},
        {"image": {"digest": f"sha256:{'0' * 64}"}},
        {"extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "a", "name": "b", "optional": True}}}]},
        {"extraVolumes": [{"name": "a", "emptyDir": {"sizeLimit": "1Mi"}}]},
        {"networkPolicy": {"egress": [{"ports": [{"port": 443}, {"port": "dns", "protocol": "UDP"}]}]}},
        {"podDisruptionBudget": {"maxUnavailable": None, "minAvailable": "50%"}},
        {"extraObjects": ["kind: ConfigMap"]},
        {"global": {"anything": 1}, "enabled": True},
    ],
    ids=json.dumps,
)
def test_what_is_right_is_taken(values: dict[str, Any]):
    VALIDATOR.validate(values)


def test_the_settings_are_podgates_own_but_for_the_mode():
    """All of them are there, with the defaults that `serve` has without a file."""
    assert parse_settings(VALUES["settings"]) == Settings(mode="warn")


def test_a_value_without_a_description_is_an_error():
    text = "# -- Fine.\na: 1\nb:\n  # -- Fine too,\n  # over two lines.\n  c: 2\n"
    assert [(value.key, value.description) for value in read(text)] == [
        ("a", "Fine."),
        ("b.c", "Fine too, over two lines."),
    ]
    with pytest.raises(Undescribed, match=r"b\.d "):
        read(f"{text}  d: 3\n")


def test_the_readme_has_every_value():
    keys = [value.key for value in read((CHART / "values.yaml").read_text())]
    assert len(keys) == len(set(keys)) > 90
    table = re.findall(r"^\| `([^`]+)` \|", (CHART / "README.md").read_text(), re.MULTILINE)
    assert table[-len(keys) :] == keys
