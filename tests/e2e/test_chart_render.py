"""The chart, rendered by the real helm over all its switches: each object is one that a real API server takes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.harness.chart_values import CASES, DIGEST
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.crds import CRDS
from tests.e2e.harness.helm import CHART, Helm, named
from tests.support.chart_readme import read
from webhook.settings import Settings, parse_settings

SERVED = ("--api-versions", "monitoring.coreos.com/v1")
NAMESPACES = ("chart-probe", "team-a", "team-b")
RELEASE = ("probe", "chart-probe")
"""Names that no other test uses: those of the manifests may be taken."""


Take = Callable[[list[dict[str, Any]]], str]


@pytest.fixture(scope="module")
def refusals(cluster: Cluster) -> Iterator[Take]:
    """What a real API server has against objects, none of which it stores; empty where it takes all of them."""
    for one in CRDS:
        cluster.must("create", "-f", "-", stdin=one)
    for one in CRDS:
        cluster.must("wait", "--for=condition=Established", f"crd/{one['metadata']['name']}", "--timeout=30s")
    for name in NAMESPACES:
        cluster.must("create", "namespace", name)

    def ask(objects: list[dict[str, Any]]) -> str:
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        result = cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=everything)
        assert result.stdout.count("(server dry run)") == len(objects) or result.code
        # Of the image, which is nowhere, a podgate that other tests have installed may say something.
        return "\n".join(line for line in result.stderr.splitlines() if not line.startswith("Warning: podgate: "))

    yield ask
    for one in CRDS:
        cluster.must("delete", "crd", one["metadata"]["name"])
    for name in NAMESPACES:
        cluster.must("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("case", CASES)
def test_a_real_api_server_takes_every_object(helm: Helm, refusals: Take, case: str):
    objects = helm.template(CASES[case], *SERVED, release=RELEASE)
    assert refusals(objects) == ""
    assert all(one["metadata"].get("namespace") in (None, *NAMESPACES) for one in objects)
    (config_map,) = (one for one in objects if "settings.yaml" in one.get("data", {}))
    settings = yaml.safe_load(config_map["data"]["settings.yaml"])
    assert isinstance(parse_settings(settings), Settings)


def test_an_object_that_no_api_server_takes_is_noticed(refusals: Take):
    """The check before can fail: by a field that there is not, in a built-in kind and in one of a CRD."""
    for api, kind, spec in (
        ("v1", "Service", {"ports": [{"port": 1}], "prots": []}),
        ("monitoring.coreos.com/v1", "ServiceMonitor", {"selector": {}, "endpoints": [], "prots": []}),
    ):
        one = {"apiVersion": api, "kind": kind, "metadata": {"name": "a", "namespace": NAMESPACES[0]}, "spec": spec}
        found = refusals([one])
        assert "unknown field" in found
        assert "prots" in found


def test_every_value_is_switched_somewhere():
    """A value that no case gives has not been seen in a rendering but with its default."""
    text = (CHART / "values.yaml").read_text()
    untouched = {value.key for value in read(text) if not value.key.startswith("settings.")}
    for values in CASES.values():
        untouched -= {value for value in untouched if _given(values, value.split("."))}
    assert untouched - WITHOUT_A_CASE == set()


WITHOUT_A_CASE = {
    "autoscaling.minReplicas",
    "autoscaling.targetCPUUtilizationPercentage",
    "certificates.certManager.duration",
    "certificates.certManager.renewBefore",
    "check.timeoutSeconds",
    "check.resources",
}
"""Numbers and the like that a default renders as well as any other."""


def _given(values: Any, path: list[str]) -> bool:
    return not path or (isinstance(values, dict) and path[0] in values and _given(values[path[0]], path[1:]))


def test_helm_lint_has_nothing_against_it(helm: Helm):
    for values in ({}, CASES["metrics of the operator"]):
        assert "0 chart(s) failed" in helm.must("lint", "--strict", CHART, values=values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"image": {"tag": "1", "digest": DIGEST}}, "image.tag and image.digest"),
        ({"podDisruptionBudget": {"minAvailable": 1}}, "podDisruptionBudget.minAvailable and maxUnavailable"),
        ({"podDisruptionBudget": {"maxUnavailable": None}}, "set minAvailable or maxUnavailable"),
        ({"autoscaling": {"enabled": True, "minReplicas": 9}}, "autoscaling.minReplicas is greater"),
        ({"rbac": {"pullSecrets": {"scope": "namespaces"}}}, "rbac.pullSecrets.namespaces: name some"),
        ({"rbac": {"pullSecrets": {"namespaces": ["a"]}}}, "goes with scope namespaces, not with cluster"),
        (
            {"rbac": {"create": False, "pullSecrets": {"scope": "namespaces", "namespaces": ["a"]}}},
            "rbac.create is false",
        ),
        ({"certificates": {"existingSecret": {"name": "a"}}}, "certificates.existingSecret goes with"),
        (
            {"certificates": {"certManager": {"issuerRef": {"name": "a"}}}},
            "certificates.certManager.issuerRef goes with",
        ),
        ({"certificates": {"mode": "existingSecret"}}, "certificates.existingSecret.name: name the Secret"),
        (
            {"certificates": {"mode": "existingSecret", "existingSecret": {"name": "a"}}},
            "certificates.existingSecret.caBundle",
        ),
        (
            {"registryHosts": {"a": {"hosts.toml": ""}}, "settings": {"registries": {"hostsDir": "/b"}}},
            "registryHosts and settings.registries.hostsDir",
        ),
        (
            {"webhook": {"timeoutSeconds": 2}, "settings": {"deadlineMargin": "2s"}},
            "settings.deadlineMargin leaves nothing",
        ),
        ({"settings": {"server": {"port": 8080}}}, "settings.server.port and settings.server.metricsPort"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_contradict_one_another_are_refused(helm: Helm, values: dict[str, Any], words: str):
    result = helm("template", "podgate", CHART, values=values)
    assert result.code
    assert words in result.stderr


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicas": 3}, "additional properties 'replicas' not allowed"),
        ({"settings": {"cache": {"tagTtl": "5s"}}}, "additional properties 'tagTtl' not allowed"),
        ({"affinity": {"nodeAfinity": {}}}, "additional properties 'nodeAfinity' not allowed"),
        ({"replicaCount": "two"}, "got string, want integer"),
        ({"settings": {"mode": "strict"}}, "value must be one of"),
        (
            {"settings": {"certificate": {"mode": "files"}}},
            "at '/settings/certificate': additional properties 'mode' not allowed",
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("command", ["template", "lint"])
def test_helm_refuses_a_misspelt_key_and_a_wrong_type(helm: Helm, values: dict[str, Any], words: str, command: str):
    arguments = ("template", "podgate", CHART) if command == "template" else ("lint", CHART)
    result = helm(*arguments, values=values)
    assert result.code
    assert words in result.stdout + result.stderr


def test_old_clusters_are_refused(helm: Helm):
    assert helm("template", "podgate", CHART, "--kube-version", "1.30.0").code == 0
    # What vendors append must not look like a version before the first.
    assert helm("template", "podgate", CHART, "--kube-version", "1.30.2-gke.100").code == 0
    result = helm("template", "podgate", CHART, "--kube-version", "1.29.9")
    assert "incompatible with Kubernetes v1.29.9" in result.stderr


def test_the_operators_kinds_are_left_out_where_they_are_not_served(helm: Helm):
    kinds = {one["kind"] for one in helm.template(CASES["metrics of the operator"])}
    assert not kinds & {"ServiceMonitor", "PrometheusRule"}
    served = named(helm.template(CASES["metrics of the operator"], *SERVED))
    (group,) = served["PrometheusRule/podgate"]["spec"]["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["team"] == "platform"
        assert rule["annotations"]["runbook_url"] == f"https://runbooks.example/podgate/{rule['alert']}.md"
    metrics = served["Service/podgate-metrics"]
    wanted = served["ServiceMonitor/podgate"]["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= metrics["metadata"]["labels"].items()
    assert not wanted.items() <= served["Service/podgate"]["metadata"]["labels"].items()


def test_no_way_to_a_certificate_uses_the_secret_of_another(helm: Helm):
    """Helm takes no object over that somebody else has made: an upgrade to another way would end there."""
    own = named(helm.template({}))
    issued = named(helm.template({"certificates": {"mode": "certManager"}}))
    secret = issued["Certificate/podgate"]["spec"]["secretName"]
    assert f"Secret/{secret}" not in own
    volumes = issued["Deployment/podgate"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tls", "secret": {"secretName": secret}} in volumes
