"""Values for the chart, by what they switch: together they give each value that has something to switch."""

from copy import deepcopy
from typing import Any

DIGEST = f"sha256:{'0' * 64}"
PEM = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
CASES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "names": {"nameOverride": "gate", "commonLabels": {"team": "platform"}, "podLabels": {"a": "b"}},
    "long names": {"fullnameOverride": "a" * 63},
    "image by digest": {"image": {"repository": "reg.example/podgate", "digest": DIGEST, "pullPolicy": "Always"}},
    "image by tag": {
        "image": {"repository": "reg.example:5000/podgate", "tag": "1.0"},
        "imagePullSecrets": [{"name": "a"}],
    },
    "one replica": {"replicaCount": 1, "podDisruptionBudget": {"enabled": False}},
    "budget of what must be there": {"podDisruptionBudget": {"maxUnavailable": None, "minAvailable": "50%"}},
    "autoscaling": {"autoscaling": {"enabled": True, "maxReplicas": 9}},
    "scheduling": {
        "nodeSelector": {"pool": "infra"},
        "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}
                ]
            }
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "priorityClassName": "system-cluster-critical",
    },
    "pods": {
        "podAnnotations": {"a": "b"},
        "deploymentAnnotations": {"c": "d"},
        "hostNetwork": True,
        "resources": {"limits": {"cpu": 2}},
        "livenessProbe": {"initialDelaySeconds": 5, "failureThreshold": 9},
        "readinessProbe": {"timeoutSeconds": 3},
        "terminationGracePeriodSeconds": 90,
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ssl/private-ca", "readOnly": True}],
    },
    "no security contexts": {
        "podSecurityContext": None,
        "securityContext": None,
        "resources": None,
        "nodeSelector": None,
    },
    "service": {"service": {"port": 8443, "annotations": {"a": "b"}}},
    "ServiceAccount of yours": {"serviceAccount": {"create": False, "name": "mine"}},
    "ServiceAccount of a cloud": {"serviceAccount": {"name": "named", "annotations": {"a": "b"}}},
    "roles of yours": {"rbac": {"create": False}},
    "pull secrets of some namespaces": {
        "rbac": {"pullSecrets": {"scope": "namespaces", "namespaces": ["team-a", "team-b"]}}
    },
    "no pull secrets": {"rbac": {"pullSecrets": {"scope": "none"}}},
    "webhook": {
        "webhook": {
            "failurePolicy": "Fail",
            "timeoutSeconds": 5,
            "exemptNamespaces": [],
            "namespaceSelector": {
                "matchLabels": {"a": "b"},
                "matchExpressions": [{"key": "podgate", "operator": "NotIn", "values": ["off"]}],
            },
            "objectSelector": {"matchExpressions": [{"key": "podgate", "operator": "DoesNotExist"}]},
            "matchConditions": [{"name": "not-argo", "expression": 'request.userInfo.username != "argo"'}],
            "annotations": {"a": "b"},
        }
    },
    "certificate of cert-manager": {"certificates": {"mode": "certManager"}},
    "certificate of an issuer": {
        "certificates": {"mode": "certManager", "certManager": {"issuerRef": {"name": "ours", "kind": "ClusterIssuer"}}}
    },
    "certificate of yours": {
        "certificates": {"mode": "existingSecret", "existingSecret": {"name": "mine", "caBundle": PEM}}
    },
    "certificate of yours, trusted by others": {
        "certificates": {"mode": "existingSecret", "existingSecret": {"name": "mine"}},
        "webhook": {"annotations": {"cert-manager.io/inject-ca-from-secret": "podgate/mine"}},
    },
    "registries": {
        "credentialSecrets": ["team-registry", "other.registry"],
        "registryHosts": {
            "docker.io": {"hosts.toml": 'server = "https://mirror.example"\n', "ca.crt": PEM},
            "reg.example:5000": {"hosts.toml": 'server = "http://reg.example:5000"\n'},
            "_default": {"hosts.toml": ""},
        },
    },
    "no check": {"check": {"enabled": False}},
    "network policy": {"networkPolicy": {"enabled": True}},
    "network policy, narrow": {
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"ports": [{"port": 443, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}],
        }
    },
    "metrics": {
        "metrics": {
            "service": {"enabled": True, "annotations": {"prometheus.io/scrape": "true"}},
            "dashboard": {"enabled": True, "annotations": {"grafana_folder": "podgate"}, "labels": {"x": "y"}},
        }
    },
    "metrics of the operator": {
        "metrics": {
            "serviceMonitor": {"enabled": True, "labels": {"release": "p"}, "interval": "30s", "scrapeTimeout": "10s"},
            "prometheusRule": {
                "enabled": True,
                "labels": {"release": "p"},
                "alertLabels": {"team": "platform"},
                "runbookURL": "https://runbooks.example/podgate/",
            },
        }
    },
    "settings": {
        "settings": {
            "mode": "deny",
            "binding": "warn",
            "events": False,
            "kinds": [
                {"group": "argoproj.io", "resource": "rollouts"},
                {"group": "example.com", "resource": "things", "podTemplate": ".pod-template.inner"},
            ],
            "nodes": {"nodePools": False, "declared": [{"platform": "linux/arm64", "labels": {"pool": "new"}}]},
            "registries": {"credentials": [{"dockerConfigFile": "/etc/podgate/credentials/a/b", "namespaces": ["*"]}]},
            "cache": {"maxBytes": 67108864},
            "server": {"port": 9443, "metricsPort": 9090, "certificateDir": "/tls"},
        }
    },
    "settings taken away": {"settings": {"server": None, "cache": None, "nodes": None, "exempt": {"namespaces": []}}},
    "further objects": {
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}},
            'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include "podgate.fullname" . }}-text\n',
        ]
    },
}
"""Values by what they switch."""


def together(*names: str) -> dict[str, Any]:
    """Several cases laid over one another."""
    values: dict[str, Any] = {}
    for name in names:
        _lay(values, CASES[name])
    return values


def _lay(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay(below[key], value)
        else:
            below[key] = deepcopy(value)


CASES["all kinds at once"] = together(
    "names", "image by digest", "autoscaling", "scheduling", "pods", "service", "ServiceAccount of a cloud",
    "pull secrets of some namespaces", "webhook", "certificate of cert-manager", "registries", "network policy, narrow",
    "metrics", "metrics of the operator", "settings", "further objects",
)  # fmt: skip
CASES["as little as can be"] = together(
    "one replica", "no security contexts", "ServiceAccount of yours", "roles of yours", "certificate of yours",
    "no check", "settings taken away",
)  # fmt: skip
