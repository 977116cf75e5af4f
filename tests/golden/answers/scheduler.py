"""The scheduler's filters: the names of the golden file, mapped to webhook.core."""

from collections.abc import Sequence
from typing import Any

from webhook.core.node_selector import RequiredNodes
from webhook.core.scheduling import Taint, Toleration
from webhook.core.taints import untolerated
from webhook.core.workload import parse_pod_spec


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Whether the filters NodeName, NodeAffinity and TaintToleration admit the pod on the node, each by itself."""
    pod = parse_pod_spec(question["pod"])
    node = question["node"]
    name: str = node.get("name") or ""
    labels: dict[str, str] = node.get("labels") or {}
    taints = [Taint(one["key"], one.get("value", ""), one["effect"]) for one in node.get("taints") or ()]
    required = RequiredNodes(pod.node_selector, pod.affinity)
    result: dict[str, Any] = {
        "node_name": pod.node_name in ("", name),
        "affinity": required.admit(name, labels),
        "untolerated": _first(taints, pod.tolerations, comparing=False),
        "untolerated_comparing": _first(taints, pod.tolerations, comparing=True),
    }
    if required.problem and required.labels_fit(labels) and not result["affinity"]:
        result["affinity_error"] = required.problem
    return result


def _first(taints: Sequence[Taint], tolerations: Sequence[Toleration], *, comparing: bool) -> dict[str, str] | None:
    taint = untolerated(taints, tolerations, comparing=comparing)
    return None if taint is None else {"key": taint.key, "value": taint.value, "effect": taint.effect}
