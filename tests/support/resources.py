"""The resources that the API server of tests has."""

from collections.abc import Mapping

PLURALS = (
    *("nodes", "namespaces", "secrets", "serviceaccounts", "runtimeclasses", "nodepools", "pods", "events"),
    *("leases", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "rollouts"),
    "replicationcontrollers",
)
CONFIGURATIONS = "validatingwebhookconfigurations"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "": (
        "pods Pod",
        "pods/ephemeralcontainers Pod",
        "pods/binding Binding",
        "bindings Binding",
        "replicationcontrollers ReplicationController",
        "podtemplates PodTemplate",
        "namespaces Namespace",
        "events Event",
    ),
    "apps": ("deployments Deployment", "replicasets ReplicaSet", "statefulsets StatefulSet", "daemonsets DaemonSet"),
    "batch": ("jobs Job", "cronjobs CronJob"),
    "argoproj.io": ("rollouts Rollout", "rollouts/scale Scale"),
    "apiextensions.k8s.io": ("customresourcedefinitions CustomResourceDefinition",),
}
"""What discovery tells of, all of it in version v1: the resource's name and its kind."""


KINDS: Mapping[str, tuple[str, str]] = {
    "nodes": ("v1", "Node"),
    "secrets": ("v1", "Secret"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "runtimeclasses": ("node.k8s.io/v1", "RuntimeClass"),
    "nodepools": ("karpenter.sh/v1", "NodePool"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
    CONFIGURATIONS: ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
} | {
    plural: (f"{group}/v1" if group else "v1", kind)
    for group, resources in GROUPS.items()
    for plural, kind in (resource.split() for resource in resources)
}
"""The apiVersion and kind that the server gives whatever it answers, as an object or as a list of them."""
