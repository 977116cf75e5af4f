"""Karpenter NodePools: the nodes that may yet be made for a pod.

Sources: sigs.k8s.io/karpenter v1.15.0, pkg/apis/v1 (nodepool.go, labels.go) and pkg/controllers/provisioning/scheduling
(nodeclaimtemplate.go, nodeclaim.go). What is made of them here: docs/adr/0010-karpenter-nodepools.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Final

from webhook.core.candidates import Admission
from webhook.core.errors import MalformedObject
from webhook.core.node import ARCH_LABEL, OS_LABEL, WINDOWS_BUILD_LABEL, emulated_platforms, node_platform
from webhook.core.node_selector import fields_hold
from webhook.core.objects import Fields
from webhook.core.platform import Platform
from webhook.core.requirements import ANYTHING, Requirements, Values, compatible, gathered
from webhook.core.scheduling import (
    Node,
    NodeSelectorRequirement,
    Taint,
    parse_requirements,
    parse_taints,
)
from webhook.core.workload import PodConstraints

API_GROUP: Final = "karpenter.sh"
POOL_LABEL: Final = "karpenter.sh/nodepool"

_ALIASES: Final[Mapping[str, str]] = {
    "beta.kubernetes.io/arch": ARCH_LABEL,
    "beta.kubernetes.io/os": OS_LABEL,
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""Older names of labels, which Karpenter takes for the newer ones (NormalizedLabels)."""

_ALWAYS_THERE: Final = frozenset(
    {
        ARCH_LABEL,
        OS_LABEL,
        POOL_LABEL,
        "karpenter.sh/capacity-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    }
)
"""Labels that every node of Karpenter's has, with values that the provider chooses where nobody else does."""

_WELL_KNOWN: Final = _ALWAYS_THERE | {WINDOWS_BUILD_LABEL}

_PROVIDER_DOMAINS: Final = (
    "karpenter.k8s.aws",
    "karpenter.azure.com",
    "karpenter.k8s.gcp",
    "eks.amazonaws.com",
    "topology.k8s.aws",
    "topology.ebs.csi.aws.com",
    "kubernetes.azure.com",
    "cloud.google.com",
)
"""Domains in which providers define well-known labels of their own. Others that begin with `karpenter.` count, too."""

_HOSTNAME: Final = "kubernetes.io/hostname"
_NO_HOST: Final = "\0"
"""The name of a node to come: one that nobody can have named."""

_ARCHITECTURES: Final[Mapping[str, tuple[str, ...]]] = {"linux": ("amd64", "arm64"), "windows": ("amd64",)}
"""Architectures that Karpenter has names for (labels.go), with the systems that there are kubelets for."""

_MOST_PLATFORMS: Final = 64
"""Platforms of one pool that are told apart; one that names more names none in earnest."""


MOST_COMPARED: Final = 4096
"""Terms of a pod that are compared with NodePools, all in all. A pod may have ten thousands, each of which would have
to be compared with each pool; what might be made beyond these is not known."""


@dataclass(frozen=True, slots=True)
class NodePool:
    """A karpenter.sh/v1 NodePool as far as it says what nodes are made of it.

    `requirements` are what it leaves open by label, its own labels among them. `unread`: it stands for all that there
    may be, since they could not be read (UNREAD).
    """

    name: str
    requirements: Requirements
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    emulates: tuple[Platform, ...] = ()
    deleting: bool = False
    unread: bool = False


UNREAD_NAME: Final = "NodePools that could not be read"
"""What messages call the nodes that may be made of unread NodePools; no node has such a name."""

UNREAD: Final = NodePool(UNREAD_NAME, {}, unread=True)
"""Stands for NodePools that could not be read. What may be made of them is uncertain for every pod that has no node."""


def parse_node_pool(obj: Mapping[str, object]) -> NodePool:
    """A NodePool as the API server serves it. Raises MalformedObject with the path to a field of a wrong type."""
    top = Fields.of(obj)
    metadata = top.demand("metadata")
    name = metadata.text("name")
    if not name:
        raise MalformedObject("is missing", metadata.at("name"))
    template = top.demand("spec").demand("template")
    spec = template.inner("spec")
    about = template.inner("metadata")
    labels = {**about.string_map("labels"), POOL_LABEL: name, **_node_class(spec.inner("nodeClassRef"))}
    fixed = tuple(NodeSelectorRequirement(key, "In", (value,)) for key, value in labels.items())
    demanded = (*parse_requirements(spec, "requirements"), *fixed, *_OF_ALL)
    return NodePool(
        name=name,
        requirements=gathered(demanded, _ALIASES),
        labels=labels,
        taints=parse_taints(spec, "taints"),
        emulates=emulated_platforms(labels, about.string_map("annotations")),
        deleting=metadata.get("deletionTimestamp") is not None,
    )


_OF_ALL: Final = (
    NodeSelectorRequirement("karpenter.sh/registered", "In", ("true",)),
    NodeSelectorRequirement("karpenter.sh/initialized", "In", ("true",)),
    NodeSelectorRequirement(_HOSTNAME, "In", (_NO_HOST,)),
)
"""What a node that Karpenter has made has, when pods come to it."""


def _node_class(reference: Fields) -> dict[str, str]:
    """The label by which a node names the NodeClass it was made with."""
    group, kind = reference.text("group"), reference.text("kind")
    return {f"{group}/{kind.lower()}": reference.text("name")} if group and kind else {}


def nodes_to_come(pools: Iterable[NodePool], constraints: PodConstraints, admission: Admission) -> Iterator[Node]:
    """The nodes that may be made of NodePools for a pod: of each pool one for each platform that the two leave open.

    Where a pool says no os or no architecture, the platform is None and `may_be` holds the likeliest. None at all:
    Karpenter makes no node for the pod. A node to come is not one that the pod names. Of a pod with more terms than are
    compared, a pool has a node whose platform nobody knows.
    """
    if admission.node_name:
        return
    demands, all_of_them = _demands(admission)
    for pool, most in _shares(tuple(pools), len(demands)):
        if demands and not pool.deleting and admission.tolerates(pool.taints):
            yield from _made_of(pool, demands[:most], constraints, cut=most < len(demands) or not all_of_them)


def _shares(pools: Sequence[NodePool], demands: int) -> Iterator[tuple[NodePool, int]]:
    """The pools, each with the number of demands that are compared with it."""
    most = min(demands, MOST_COMPARED // max(1, len(pools)) or 1)
    return ((pool, most) for pool in pools)


def _demands(admission: Admission) -> tuple[list[Requirements], bool]:
    """What each term of a pod demands of a node to come, each once and read once, however many pools there are; and
    whether these are all."""
    open_to_new = (term for term in admission.required.usable_terms() if fields_hold(term, None))
    read = (gathered(term.expressions, _ALIASES) for term in islice(open_to_new, MOST_COMPARED))
    demands: list[Requirements] = list({frozenset(demand.items()): demand for demand in read}.values())
    return demands, next(open_to_new, None) is None


def _made_of(
    pool: NodePool, demands: Iterable[Requirements], constraints: PodConstraints, *, cut: bool = False
) -> Iterator[Node]:
    """`cut`: the pod demands more, which is not looked at."""
    if pool.unread:
        yield Node(UNREAD_NAME, None)
        return
    found: set[object] = set()
    most = _most_made_of(pool, constraints)
    for demand in demands:
        left = _left(pool, demand)
        for node in _nodes(pool, left, constraints) if left is not None else ():
            key = node.platform, node.labels.get(OS_LABEL), node.labels.get(ARCH_LABEL)
            if key not in found:
                found.add(key)
                yield node
        if len(found) == most:
            return  # a pod may have thousands of terms
    if cut:
        yield Node(f"nodepool {pool.name}", None, taints=pool.taints)


def _most_made_of(pool: NodePool, constraints: PodConstraints) -> int | None:
    """Nodes that can be told apart of a pool whatever a pod demands; None where a pod may name more than the pool."""
    nodes = list(_nodes(pool, pool.requirements, constraints))
    told = all(node.platform is not None and node.platform.os != "windows" for node in nodes)
    return len(nodes) if told else None


def _left(pool: NodePool, wanted: Requirements) -> Requirements | None:
    """What a pool and a term of a pod leave open; None where they exclude each other."""
    if not compatible(pool.requirements, wanted, _is_open):
        return None
    left = dict(pool.requirements)
    for key, values in wanted.items():
        left[key] = left.get(key, ANYTHING).met(values)
    return None if any(left[key].none for key in _ALWAYS_THERE & left.keys()) else left


def _is_open(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    return key in _WELL_KNOWN or (
        bool(slash) and domain != API_GROUP and (domain.startswith("karpenter.") or domain in _PROVIDER_DOMAINS)
    )


def _nodes(pool: NodePool, left: Requirements, constraints: PodConstraints) -> Iterator[Node]:
    systems, architectures = left.get(OS_LABEL, ANYTHING), left.get(ARCH_LABEL, ANYTHING)
    builds = sorted(left.get(WINDOWS_BUILD_LABEL, ANYTHING).named) if _names(left.get(WINDOWS_BUILD_LABEL)) else [""]
    base = {key: values.only for key, values in left.items() if values.only is not None and key != WINDOWS_BUILD_LABEL}
    base = {key: value for key, value in {**base, **pool.labels}.items() if value != _NO_HOST}
    platforms = product(_named(systems), _named(architectures), builds)
    for number, (system, architecture, build) in enumerate(platforms):
        if number >= _MOST_PLATFORMS:
            return
        if system == "windows" and architecture not in ("", *_ARCHITECTURES["windows"]):
            continue  # there are no such nodes
        if system != "windows" and build != builds[0]:
            continue  # a build is Windows'
        told = {OS_LABEL: system, ARCH_LABEL: architecture, WINDOWS_BUILD_LABEL: build if system == "windows" else ""}
        labels = {**base, **{key: value for key, value in told.items() if value}}
        node = Node(f"nodepool {pool.name}", node_platform({}, labels), labels=labels, taints=pool.taints)
        may_be = () if node.platform else tuple(_likeliest(systems, architectures, labels, constraints))
        yield replace(node, emulates=pool.emulates, may_be=may_be)


def _names(values: Values | None) -> bool:
    return values is not None and not values.others and bool(values.named)


def _named(values: Values) -> list[str]:
    """The values that are named, in order; an empty one where they are left to the provider."""
    return sorted(values.named) if _names(values) else [""]


def _likeliest(
    systems: Values, architectures: Values, labels: Mapping[str, str], constraints: PodConstraints
) -> Iterator[Platform]:
    """The platforms that a provider is likeliest to choose where it may."""
    wanted = labels.get(OS_LABEL) or constraints.os_name or constraints.os_label or "linux"
    system = wanted if systems.allows(wanted) else next(filter(systems.allows, _ARCHITECTURES), "")
    for architecture in (labels.get(ARCH_LABEL),) if ARCH_LABEL in labels else _ARCHITECTURES.get(system, ()):
        if architectures.allows(str(architecture)):
            found = node_platform({}, {**labels, OS_LABEL: system, ARCH_LABEL: str(architecture)})
            if found is not None:
                yield found
