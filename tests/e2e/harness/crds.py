"""The APIs of the Prometheus operator and of cert-manager, as small as they can be: what the chart uses of them."""

from typing import Any


def crd(group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A CustomResourceDefinition as small as it can be: of the spec, what the chart uses of it."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": {"type": "object", **spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
DURATION = {
    "type": "string",
    "pattern": "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}
ISSUER = {"type": "object", "required": ["name"], "properties": {"name": TEXT, "kind": TEXT, "group": TEXT}}


def fields(required: list[str], **properties: Any) -> dict[str, Any]:
    """A mapping's schema."""
    return {"type": "object", "required": required, "properties": properties}


RULE = fields(["expr"], alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": DURATION})

CRDS = [
    crd(
        "monitoring.coreos.com",
        "ServiceMonitor",
        fields(
            ["endpoints", "selector"],
            jobLabel=TEXT,
            selector=fields([], matchLabels=TEXTS),
            endpoints={
                "type": "array",
                "items": fields([], port=TEXT, interval=DURATION, scrapeTimeout=DURATION, path=TEXT),
            },
        ),
    ),
    crd(
        "monitoring.coreos.com",
        "PrometheusRule",
        fields(
            [],
            groups={
                "type": "array",
                "items": fields(
                    ["name"],
                    name={"type": "string", "minLength": 1},
                    rules={
                        "type": "array",
                        "items": RULE,
                    },
                ),
            },
        ),
    ),
    crd(
        "cert-manager.io",
        "Certificate",
        fields(
            ["issuerRef", "secretName"],
            issuerRef=ISSUER,
            secretName=TEXT,
            commonName={"type": "string", "maxLength": 64},
            dnsNames={"type": "array", "items": TEXT},
            duration=TEXT,
            renewBefore=TEXT,
            isCA={"type": "boolean"},
            usages={"type": "array", "items": {"enum": ["server auth", "digital signature"], "type": "string"}},
            privateKey=fields([], algorithm=TEXT, size={"type": "integer"}, rotationPolicy=TEXT),
        ),
    ),
    crd("cert-manager.io", "Issuer", fields([], selfSigned=fields([]), ca=fields(["secretName"], secretName=TEXT))),
]
"""Written after the APIs of the Prometheus operator and of cert-manager."""
