"""Taints against tolerations, and the taints that come and go.

Sources: ToleratesTaint in k8s.io/api v0.37.2, core/v1/toleration.go; FindMatchingUntoleratedTaint in
k8s.io/component-helpers v0.37.2, scheduling/corev1; AddOrUpdateDaemonPodTolerations in k8s.io/kubernetes v1.37.2,
pkg/controller/daemon/util.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from webhook.core.gotext import atoi
from webhook.core.scheduling import Taint, Toleration

SCHEDULING: Final = frozenset({"NoSchedule", "NoExecute"})
"""The effects that keep a pod off a node when it is scheduled; PreferNoSchedule only scores."""

RUNNING: Final = frozenset({"NoExecute"})
"""The effect that the kubelet itself refuses, whoever chose the node."""

TRANSIENT: Final[Mapping[str, str]] = {
    "node.kubernetes.io/not-ready": "the node lifecycle controller takes it away when the node is ready",
    "node.kubernetes.io/unreachable": "the node lifecycle controller takes it away when the node is heard of again",
    "node.kubernetes.io/unschedulable": "a cordon: somebody works on the node and will uncordon it",
    "node.kubernetes.io/memory-pressure": "the kubelet's condition: gone when memory is free again",
    "node.kubernetes.io/disk-pressure": "the kubelet's condition: gone when the disk has been cleaned up",
    "node.kubernetes.io/pid-pressure": "the kubelet's condition: gone when processes have ended",
    "node.kubernetes.io/network-unavailable": "gone when the network plugin has set up the node",
    "node.kubernetes.io/out-of-service": "set by hand while a node is shut down, taken away when it is back",
    "node.cloudprovider.kubernetes.io/uninitialized": "gone when the cloud's controller has seen the new node",
    "node.cloudprovider.kubernetes.io/shutdown": "the instance is stopped, and may be started again",
    "ToBeDeletedByClusterAutoscaler": "a node on its way out; the next one of its group has not got it",
    "DeletionCandidateOfClusterAutoscaler": "a node that may go; taken away when it is needed after all",
    "startup-taint.cluster-autoscaler.kubernetes.io/": "declared to be gone once the node has started",
    "ignore-taint.cluster-autoscaler.kubernetes.io/": "the older spelling of startup-taint",
    "status-taint.cluster-autoscaler.kubernetes.io/": "declared to be a passing state of the node",
    "karpenter.sh/": "Karpenter's own: a node not yet registered, or about to be replaced by another",
    "readiness.k8s.io/": "the node readiness controller takes each away when the node's condition holds",
    "node.cluster.x-k8s.io/uninitialized": "gone when Cluster API has labelled the new node",
    "node.gardener.cloud/critical-components-not-ready": "gone when the node's system pods run",
    "cni.istio.io/not-ready": "gone when Istio's network plugin runs on the node",
    "aws-node-termination-handler/": "an instance on its way out, or under maintenance; another comes in its place",
    "cloud.google.com/impending-node-termination": "an instance on its way out; another comes in its place",
    "remediator.kubernetes.azure.com/unschedulable": "the node is being repaired",
    "remediator.aks.microsoft.com/unschedulable": "the older spelling of the same",
}
"""Taints that say nothing of tomorrow, and why. A key that ends in a slash stands for all keys that begin with it."""

AGENT_NOT_READY: Final = "/agent-not-ready"
"""How the keys end that network plugins and storage drivers ask for until they run on a node: node.cilium.io,
ebs.csi.aws.com, disk.csi.azure.com and others."""

DAEMON_TOLERATIONS: Final = (
    Toleration("node.kubernetes.io/not-ready", "Exists", effect="NoExecute"),
    Toleration("node.kubernetes.io/unreachable", "Exists", effect="NoExecute"),
    Toleration("node.kubernetes.io/disk-pressure", "Exists", effect="NoSchedule"),
    Toleration("node.kubernetes.io/memory-pressure", "Exists", effect="NoSchedule"),
    Toleration("node.kubernetes.io/pid-pressure", "Exists", effect="NoSchedule"),
    Toleration("node.kubernetes.io/unschedulable", "Exists", effect="NoSchedule"),
)
"""What the DaemonSet controller adds to every pod it makes. The one for network-unavailable, which only pods of the
host network get, is left out: that taint is transient."""

_TRANSIENT_PREFIXES: Final = tuple(key for key in TRANSIENT if key.endswith("/"))
_CANONICAL = re.compile(r"0|-?[1-9][0-9]*")


def is_transient(key: str, prefixes: Iterable[str] = ()) -> bool:
    """Whether a taint is of those that come and go. `prefixes` are further ones (settings: nodes.transientTaints)."""
    if key in TRANSIENT or key.endswith(AGENT_NOT_READY):
        return True
    return any(key.startswith(prefix) for prefix in (*_TRANSIENT_PREFIXES, *prefixes) if prefix)


def tolerates(toleration: Toleration, taint: Taint, *, comparing: bool = False) -> bool:
    """Whether a toleration covers a taint.

    `comparing` switches on the operators Gt and Lt (feature gate TaintTolerationComparisonOperators, off in a stock
    1.37), which compare the taint's value to the toleration's as numbers.
    """
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    match toleration.operator:
        case "" | "Equal":
            return toleration.value == taint.value
        case "Exists":
            return True
        case "Gt" | "Lt" if comparing:
            return _compares(toleration, taint)
        case _:
            return False


def _compares(toleration: Toleration, taint: Taint) -> bool:
    """Gt and Lt; a value that is not an integer as people write it compares with nothing."""
    wanted, given = _canonical_int64(toleration.value), _canonical_int64(taint.value)
    if wanted is None or given is None:
        return False
    return given > wanted if toleration.operator == "Gt" else given < wanted


def _canonical_int64(text: str) -> int | None:
    return atoi(text) if _CANONICAL.fullmatch(text) else None


def untolerated(
    taints: Iterable[Taint],
    tolerations: Sequence[Toleration],
    effects: Collection[str] = SCHEDULING,
    *,
    comparing: bool = False,
) -> Taint | None:
    """The first taint with one of the effects that no toleration covers; None where all are covered."""
    for taint in taints:
        if taint.effect in effects and not any(tolerates(one, taint, comparing=comparing) for one in tolerations):
            return taint
    return None
