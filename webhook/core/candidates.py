"""Candidate nodes: those that the default scheduler's own filters would admit, and what stands in where there are none.

Transient taints are passed over on purpose: a cordoned node may be back tomorrow, a wrong architecture will not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from webhook.core.gotext import to_lower
from webhook.core.node import ARCH_LABEL, OS_LABEL, node_platform
from webhook.core.node_selector import LabelTest, RequiredNodes
from webhook.core.platform import Platform, normalized
from webhook.core.scheduling import Node, NodeSelectorRequirement, Taint, Toleration
from webhook.core.taints import DAEMON_TOLERATIONS, RUNNING, SCHEDULING, is_transient, untolerated
from webhook.core.workload import PodConstraints

_DEFAULT_OS: Final = "linux"
"""What a node has that only an architecture is demanded of."""


_MOST_STAND_INS: Final = 64
"""Platforms that a pod can demand; one that names more, where Kubernetes knows some twenty, demands none in earnest."""


def candidates(
    constraints: PodConstraints,
    nodes: Iterable[Node],
    *,
    transient: Sequence[str] = (),
    daemon_set: bool = False,
) -> tuple[Node, ...]:
    """The nodes that a pod with these constraints may land on, in the given order.

    `transient` are prefixes of further taints that come and go (settings: nodes.transientTaints). With
    spec.nodeName no scheduler is asked: that node only, and the kubelet looks at selector, affinity and NoExecute
    taints alone (k8s.io/kubernetes v1.37.2, pkg/kubelet/lifecycle/predicate.go). `daemon_set`: the constraints are
    those of a DaemonSet's template, whose controller chooses the nodes itself, and adds tolerations to each pod.
    """
    admission = Admission(constraints, transient, daemon_set=daemon_set)
    return tuple(filter(admission.admits, nodes))


class Admission:
    """What a pod demands, made ready to be asked about many nodes: `candidates` says by which rules."""

    __slots__ = ("_effects", "_tolerations", "_transient", "node_name", "required")

    def __init__(self, constraints: PodConstraints, transient: Sequence[str] = (), *, daemon_set: bool = False) -> None:
        self.node_name = constraints.node_name
        self.required = RequiredNodes(constraints.node_selector, constraints.affinity)
        self._tolerations = constraints.tolerations + (DAEMON_TOLERATIONS if daemon_set else ())
        self._effects = RUNNING if constraints.node_name and not daemon_set else SCHEDULING
        self._transient = transient

    def admits(self, node: Node) -> bool:
        """Whether the pod may land on a node."""
        if self.node_name and node.name != self.node_name:
            return False
        return self.required.admit(node.name, node.labels) and self.tolerates(node.taints)

    def tolerates(self, taints: Iterable[Taint]) -> bool:
        """Whether the pod's tolerations cover all taints that last."""
        lasting = (taint for taint in taints if not is_transient(taint.key, self._transient))
        return untolerated(lasting, self._tolerations, self._effects) is None


def refused_by_kubelet(constraints: PodConstraints, node: Node) -> bool:
    """Whether the node's kubelet refuses the pod for its os, wherever the scheduler put it.

    It does where its own os is not spec.os.name, or not the pod's own label kubernetes.io/os (predicate.go). A node
    that does not say which os it has refuses nothing as far as is known.
    """
    os = node.platform.os if node.platform is not None else node.labels.get(OS_LABEL, "")
    return bool(os) and (constraints.os_name not in ("", os) or constraints.os_label not in (None, os))


def merge_runtime_class(
    constraints: PodConstraints, node_selector: Mapping[str, str], tolerations: Sequence[Toleration]
) -> PodConstraints | None:
    """What the pods of a template demand once the API server has added their RuntimeClass's scheduling.

    None: the two selectors contradict each other, so that the API server refuses every such pod and there are no
    candidates. For templates only; in a pod it has been done (k8s.io/kubernetes, plugin/pkg/admission/runtimeclass).
    """
    merged = {**node_selector, **constraints.node_selector}
    if any(merged[key] != value for key, value in node_selector.items()):
        return None
    further = tuple(one for one in tolerations if one not in constraints.tolerations)
    return replace(constraints, node_selector=merged, tolerations=constraints.tolerations + further)


def demanded_platforms(constraints: PodConstraints) -> tuple[Node, ...]:
    """Stand-ins for the nodes that a pod without any candidate waits for: one for each platform that it demands.

    Each has no name, no known runtime, and the labels that the pod asks of it. Every term must demand an architecture,
    or nothing is known, and the answer is empty; so it is where no node could ever meet the demand (see `misspelt`),
    and where the pod names more platforms than there are.
    """
    found: dict[tuple[str, str], Node] = {}
    for term in RequiredNodes(constraints.node_selector, constraints.affinity).usable_terms():
        demand = _demand(term.expressions)
        for key in (OS_LABEL, ARCH_LABEL):
            if key in demand and len(demand[key]) <= _MOST_STAND_INS:  # with more of them there is no answer
                demand[key] = tuple(value for value in demand[key] if value == usual_value(key, value))
        if not all(demand.values()):
            continue  # the term contradicts itself
        architectures = tuple(filter(None, demand.pop(ARCH_LABEL, ())))
        if not architectures:
            return ()
        systems = tuple(filter(None, demand.pop(OS_LABEL, ()))) or _unasked_os(constraints, term.expressions)
        if not systems:
            return ()
        if len(systems) * len(architectures) > _MOST_STAND_INS:
            return ()
        asked = {key: values[0] for key, values in demand.items() if len(values) == 1}
        for os, architecture in product(systems, architectures):
            labels = {**asked, OS_LABEL: os, ARCH_LABEL: architecture}
            found.setdefault((os, architecture), Node(None, node_platform({}, labels), labels=labels))
    return tuple(found.values()) if len(found) <= _MOST_STAND_INS else ()


def usual_value(key: str, value: str) -> str:
    """How kubelets write an os or an architecture in the label `key`: amd64 for x86_64, and in lower case."""
    if key == OS_LABEL:
        return to_lower(value)
    return normalized(Platform("", value)).architecture


def misspelt(constraints: PodConstraints) -> tuple[str, str] | None:
    """The first label of a platform that a pod demands with a value which kubelets write in another way, so that no
    node has it: the label, and that value. None where there is none, or not among the first that the pod names."""
    terms = constraints.affinity.terms if constraints.affinity else ()
    asked: list[tuple[str, tuple[str, ...]]] = [(key, (value,)) for key, value in constraints.node_selector.items()]
    near = (one for term in terms[:_MOST_STAND_INS] for one in term.expressions if one.operator == "In")
    asked += [(one.key, one.values) for one in near]
    platforms = [(key, values[:_MOST_STAND_INS]) for key, values in asked if key in (OS_LABEL, ARCH_LABEL)]
    named = ((key, value) for key, values in platforms[:_MOST_STAND_INS] for value in values)
    return next((pair for pair in named if pair[1] != usual_value(*pair)), None)


def _unasked_os(constraints: PodConstraints, term: Sequence[NodeSelectorRequirement]) -> tuple[str, ...]:
    """The os of a node that no label is demanded of: the pod's own, else linux; none where the term rules that out."""
    os = constraints.os_name or constraints.os_label or _DEFAULT_OS
    about = (LabelTest(requirement) for requirement in term if requirement.key == OS_LABEL)
    return (os,) if all(test.holds({OS_LABEL: os}) for test in about) else ()


def _demand(term: Sequence[NodeSelectorRequirement]) -> dict[str, tuple[str, ...]]:
    """For each label that some In names: the values, in order, that all requirements about it leave open."""
    about: dict[str, list[NodeSelectorRequirement]] = {}
    for requirement in term:
        about.setdefault(requirement.key, []).append(requirement)
    demand = {}
    for key, requirements in about.items():
        named = [value for item in requirements if item.operator == "In" for value in item.values]
        tests = [LabelTest(item) for item in requirements]
        left = (value for value in dict.fromkeys(named) if all(test.holds({key: value}) for test in tests))
        if named:
            demand[key] = tuple(left)
    return demand
