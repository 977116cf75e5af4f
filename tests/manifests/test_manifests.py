"""The plain manifests hold together, and with the code."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.admission.handlers import RESOURCES
from webhook.admission.lifecycle import SERVING_SECONDS
from webhook.admission.times import LONGEST_TIMEOUT
from webhook.app.certificate import NAMESPACE_VARIABLE, POD_VARIABLE
from webhook.app.reload import UID_VARIABLE
from webhook.core.kinds import JUDGED
from webhook.settings import Settings, load_settings, parse_settings

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"


def documents(name: str) -> list[Any]:
    """What a file of manifests/ holds."""
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


@pytest.fixture
def webhook() -> Any:
    """The one webhook of the configuration."""
    (configuration,) = documents("webhook.yaml")
    (found,) = configuration["webhooks"]
    return found


def test_the_samples_are_those_of_the_demo():
    delivered = {entry.name: entry.read_text() for entry in (files("webhook.demo") / "samples").iterdir()}
    assert {path.name: path.read_text() for path in (MANIFESTS / "samples").iterdir()} == delivered


def test_kustomize_is_given_every_manifest():
    (kustomization,) = documents("kustomization.yaml")
    there = {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == there


def test_everything_lives_in_the_namespace_and_is_named_as_the_others_name_it(webhook: Any):
    objects = [one for path in MANIFESTS.glob("*.yaml") for one in documents(path.name) if "metadata" in one]
    namespaces = {one["metadata"].get("namespace") for one in objects}
    assert namespaces == {None, "podgate"}
    by_kind = {one["kind"]: one for one in objects}
    pod = by_kind["Deployment"]["spec"]["template"]
    assert by_kind["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert by_kind["Service"]["spec"]["ports"][0]["targetPort"] in ports
    service = webhook["clientConfig"]["service"]
    assert (service["namespace"], service["name"]) == ("podgate", by_kind["Service"]["metadata"]["name"])
    assert service["port"] == by_kind["Service"]["spec"]["ports"][0]["port"]
    assert pod["spec"]["serviceAccountName"] == by_kind["ServiceAccount"]["metadata"]["name"]
    assert by_kind["ClusterRoleBinding"]["roleRef"]["name"] == by_kind["ClusterRole"]["metadata"]["name"]


def test_the_deployment_runs_podgate_where_its_settings_look():
    (deployment,) = documents("deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    server = Settings().server
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"https": server.port, "metrics": server.metrics_port}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    folder, name = container["args"][-1].rsplit("/", 1)
    assert mounts[folder] == "settings"
    (config_map,) = documents("settings.yaml")
    assert name in config_map["data"]
    # After SIGTERM it serves on, and then ends the reviews that are open.
    assert pod["terminationGracePeriodSeconds"] > SERVING_SECONDS + LONGEST_TIMEOUT


def test_the_settings_are_some_that_podgate_takes():
    (config_map,) = documents("settings.yaml")
    settings = parse_settings(yaml.safe_load(config_map["data"]["settings.yaml"]))
    assert (settings.mode, settings.certificate.mode) == ("warn", "selfManaged")


def test_the_certificate_has_its_places_its_rights_and_nothing_else(webhook: Any):
    own = Settings().certificate
    secret, lease = documents("certificate.yaml")
    assert [one["metadata"] for one in (secret, lease)] == [{"name": own.secret, "namespace": "podgate"}] * 2
    # what is rendered would be put back by each `kubectl apply`
    assert "data" not in secret
    assert "spec" not in lease
    assert "caBundle" not in webhook["clientConfig"]
    assert webhook["clientConfig"]["service"]["name"] == own.service
    (configuration,) = documents("webhook.yaml")
    assert configuration["metadata"]["name"] == own.webhook_configuration
    roles = {one["kind"]: one for one in documents("rbac.yaml")}
    named = {
        (resource, name, verb)
        for kind in ("ClusterRole", "Role")
        for rule in roles[kind]["rules"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ())
        for verb in rule["verbs"]
    }
    assert named == {
        *{("secrets", own.secret, verb) for verb in ("get", "update")},
        *{("leases", own.secret, verb) for verb in ("get", "update")},
        *{("validatingwebhookconfigurations", own.webhook_configuration, verb) for verb in ("get", "patch")},
    }
    assert all("resourceNames" in rule for rule in roles["Role"]["rules"])
    (deployment,) = documents("deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    fields = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in container["env"]}
    assert fields == {
        NAMESPACE_VARIABLE: "metadata.namespace",
        POD_VARIABLE: "metadata.name",
        UID_VARIABLE: "metadata.uid",
    }


def test_every_kind_that_is_judged_is_sent_and_no_other(webhook: Any):
    sent = {
        (group, resource.partition("/")[0])
        for rule in webhook["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert sent == {(group, f"{kind.lower()}s") for group, kind in JUDGED}
    assert sent <= {(group, resource) for group, _, resource in RESOURCES}


def test_podgate_cannot_keep_itself_or_the_cluster_from_coming_back(webhook: Any):
    (expression,) = webhook["namespaceSelector"]["matchExpressions"]
    assert expression["operator"] == "NotIn"
    assert set(expression["values"]) == {"kube-system", "podgate"}
    assert webhook["failurePolicy"] == "Ignore"
    assert all(operation in ("CREATE", "UPDATE") for rule in webhook["rules"] for operation in rule["operations"])


def test_the_role_lists_no_secrets_and_writes_nothing_but_events_and_what_it_names():
    role = next(one for one in documents("rbac.yaml") if one["kind"] == "ClusterRole")
    for rule in role["rules"]:
        assert "*" not in [*rule["resources"], *rule["apiGroups"]]
        writes = set(rule["verbs"]) - {"get", "list", "watch"}
        if "resourceNames" not in rule:
            assert writes == ({"create"} if rule["resources"] == ["events"] else set())
        assert "pods" not in rule["resources"]  # where bindings are judged, and there alone
        if "secrets" in rule["resources"]:
            assert rule["verbs"] == ["get"]


def test_the_component_of_bindings_adds_what_judging_them_takes(webhook: Any):
    (component,) = documents("components/binding/kustomization.yaml")
    added = {}
    for patch in component["patches"]:
        (operation,) = yaml.safe_load(patch["patch"])
        added[patch["target"]["kind"]] = (operation["op"], operation["path"], operation["value"])
        there = [one for path in MANIFESTS.glob("*.yaml") for one in documents(path.name) if "metadata" in one]
        named = patch["target"]["name"]
        assert [one["kind"] for one in there if one["kind"] == patch["target"]["kind"]] == [patch["target"]["kind"]]
        assert named in {one["metadata"]["name"] for one in there if one["kind"] == patch["target"]["kind"]}
    assert added["ClusterRole"] == ("add", "/rules/-", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    op, path, rule = added["ValidatingWebhookConfiguration"]
    assert (op, path) == ("add", "/webhooks/0/rules/-")
    assert rule == {**webhook["rules"][0], "resources": ["pods/binding", "bindings"], "operations": ["CREATE"]}
    op, path, variable = added["Deployment"]
    assert (op, path) == ("add", "/spec/template/spec/containers/0/env/-")
    assert load_settings(None, {variable["name"]: variable["value"]}).binding == "warn"


def test_the_component_for_files_serves_them():
    (component,) = documents("components/certificate-files/kustomization.yaml")
    (patch,) = component["patches"]
    assert patch["target"] == {"kind": "Deployment", "name": "podgate"}
    variable, mount, volume = (operation["value"] for operation in yaml.safe_load(patch["patch"]))
    settings = load_settings(None, {variable["name"]: variable["value"]})
    assert settings.certificate.mode == "files"
    assert (mount["mountPath"], mount["name"]) == (settings.server.certificate_dir, volume["name"])
    assert volume["secret"]["secretName"] == "podgate-tls"


def test_the_components_are_where_the_kustomization_says():
    named = re.findall(r"^# - (components/.*)$", (MANIFESTS / "kustomization.yaml").read_text(), re.MULTILINE)
    assert set(named) == {f"components/{each.name}" for each in (MANIFESTS / "components").iterdir()}
    assert all((MANIFESTS / each / "kustomization.yaml").is_file() for each in named)
