"""What to add to a pod so that only nodes remain on which it runs: the advice that goes with `partial`.

The best advice holds for nodes that do not exist yet, so that labels which say what a node is come first, those of the
pool it belongs to next, and names of nodes last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook.core.grouping import NodeGroup
from webhook.core.node import ARCH_LABEL, OS_LABEL, VARIANT_LABEL, WINDOWS_BUILD_LABEL
from webhook.core.node_selector import LabelTest
from webhook.core.scheduling import NodeSelectorRequirement

HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
"""A node's own label, as a rule its name (k8s.io/api, core/v1/well_known_labels.go)."""

_KIND_LABELS: Final = (
    (ARCH_LABEL,),
    (OS_LABEL,),
    (OS_LABEL, ARCH_LABEL),
    (VARIANT_LABEL,),
    (WINDOWS_BUILD_LABEL,),
)
"""Labels that say what a node is, alone or together, in the order of preference."""

_POOL_LABELS: Final = (
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "doks.digitalocean.com/node-pool",
    "node.kubernetes.io/instance-type",
)
"""Labels of pools, whose nodes are all of one make. Other labels separate nodes by chance only, and are not advised."""

_TOLD: Final = tuple(dict.fromkeys((*(key for keys in _KIND_LABELS for key in keys), *_POOL_LABELS)))
"""Every label that is advised, names apart."""

_MOST_NAMES: Final = 8
"""Nodes that are advised by name: a longer list nobody would put into a manifest, nor keep up to date there."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What to add: nodeSelector entries, or requirements of required node affinity; never both.

    Terms of an affinity are ORed, so that requirements go into every term that is there already: a term of their own
    would widen the choice.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[NodeSelectorRequirement, ...] = ()

    def __str__(self) -> str:
        """As one writes it in a manifest, on one line: `nodeSelector kubernetes.io/arch: amd64`."""
        if self.node_selector:
            return f"nodeSelector {', '.join(f'{key}: {value}' for key, value in self.node_selector.items())}"
        texts = (f"{one.key} {one.operator} [{', '.join(one.values)}]" for one in self.requirements)
        return f"required node affinity {' and '.join(texts)}"

    def parts(self, kept: Sequence[Mapping[str, str]], shut_out: Sequence[Mapping[str, str]]) -> bool:
        """Whether it keeps each of some nodes, by their labels, and none of others."""
        return all(map(self.holds, kept)) and not any(map(self.holds, shut_out))

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether a node with these labels remains."""
        selected = all(labels.get(key) == value for key, value in self.node_selector.items())
        return selected and all(LabelTest(one).holds(labels) for one in self.requirements)


def narrow(running: Sequence[NodeGroup], failing: Sequence[NodeGroup]) -> Narrowing | None:
    """The best narrowing that keeps every running node and no failing one; None where nothing tells them apart.

    All are candidates of one pod, so that what the pod demands already is met by all of them and never advised again.
    Nodes on which the outcome is not known are left out by the caller: they may remain or not. What it costs follows
    the kinds of nodes that there are, not their number.
    """
    if not running or not failing:
        return None
    kept, shut_out = _kinds(running), _kinds(failing)
    found = next((way for way in _ways(kept, shut_out) if way.parts(kept, shut_out)), None)
    if found is not None or min(_count(running), _count(failing)) > _MOST_NAMES:
        return found
    kept, shut_out = _labels(running), _labels(failing)
    return next((way for way in _ways_by_name(kept, shut_out) if way.parts(kept, shut_out)), None)


def _count(groups: Sequence[NodeGroup]) -> int:
    return sum(map(len, groups))


def _kinds(groups: Sequence[NodeGroup]) -> list[Mapping[str, str]]:
    return [labels for group in groups for labels in group.kinds(_TOLD)]


def _labels(groups: Sequence[NodeGroup]) -> list[Mapping[str, str]]:
    return [node.labels for group in groups for node in group]


def _ways(kept: Sequence[Mapping[str, str]], shut_out: Sequence[Mapping[str, str]]) -> Iterator[Narrowing]:
    """Narrowings to be tried that hold for nodes to come as well, the best first; none is promised to work."""
    for keys in (*_KIND_LABELS, *((key,) for key in _POOL_LABELS)):
        yield from _by_values(keys, kept)
    for key in (ARCH_LABEL, OS_LABEL):
        yield from _without(key, shut_out)  # running nodes may lack the label, which NotIn does not mind


def _ways_by_name(kept: Sequence[Mapping[str, str]], shut_out: Sequence[Mapping[str, str]]) -> Iterator[Narrowing]:
    """Narrowings that name nodes, those that name fewer first."""
    for count, operator in sorted([(len(kept), "In"), (len(shut_out), "NotIn")]):
        if count <= _MOST_NAMES:
            yield from _by_values((HOSTNAME_LABEL,), kept) if operator == "In" else _without(HOSTNAME_LABEL, shut_out)


def _by_values(keys: Sequence[str], kept: Sequence[Mapping[str, str]]) -> Iterator[Narrowing]:
    """The values of the nodes that are kept, of one label or of several at once."""
    values = {key: tuple(dict.fromkeys(labels[key] for labels in kept if key in labels)) for key in keys}
    if all(len(found) == 1 for found in values.values()):
        yield Narrowing({key: found[0] for key, found in values.items()})
    elif all(values.values()):
        yield Narrowing(requirements=tuple(NodeSelectorRequirement(key, "In", found) for key, found in values.items()))


def _without(key: str, shut_out: Sequence[Mapping[str, str]]) -> Iterator[Narrowing]:
    values = tuple(dict.fromkeys(labels[key] for labels in shut_out if key in labels))
    if values:
        yield Narrowing(requirements=(NodeSelectorRequirement(key, "NotIn", values),))
