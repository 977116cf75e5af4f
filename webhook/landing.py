"""Where pods may land: on the nodes of the cluster, on those that settings declare, and on nodes that may yet be made.

Nodes are indexed once for each snapshot of them, whoever asks.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from webhook.aside import aside
from webhook.core.candidates import Admission, demanded_platforms
from webhook.core.grouping import NodeGroup, NodeIndex
from webhook.core.nodepools import NodePool, nodes_to_come
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint
from webhook.core.shapes import shape_node
from webhook.core.workload import PodConstraints
from webhook.ports import Cluster
from webhook.settings_nodes import DeclaredNode, Nodes

_MANY_TERMS: Final = 64
"""Terms of an affinity up to which candidates are looked for at once."""

UNKNOWN_NAME: Final = "nodes that there was no time to look at"
"""What messages call the nodes that a pod with ten thousands of terms may land on."""

_NEVER_SEEN: Final[Sequence[Node]] = ()


class Landing:
    """The candidates of pods in one cluster."""

    def __init__(self, settings: Nodes, cluster: Cluster) -> None:
        self._settings = settings
        self._cluster = cluster
        self._declared = declared_nodes(settings.declared)
        self._snapshot = _NEVER_SEEN
        self._index = NodeIndex(self._declared, settings.transient_taints)

    @property
    def landscape(self) -> tuple[Sequence[Node], Sequence[NodePool]]:
        """All that candidates are looked for among, apart from settings: nodes (the same object as long as nothing has
        changed) and NodePools."""
        return self._cluster.nodes(), self._pools()

    def candidates(self, constraints: PodConstraints, *, daemon_set: bool) -> tuple[NodeGroup, ...]:
        """The nodes that pods with these constraints may land on, in groups, or what stands in where there are none.

        `daemon_set`: they are those of a DaemonSet's template.
        """
        return self._candidates(self._indexed(), self._pools(), constraints, daemon_set=daemon_set)

    async def candidates_by(
        self, deadline: float | None, constraints: PodConstraints, *, daemon_set: bool
    ) -> tuple[NodeGroup, ...]:
        """The same; beside the event loop for pods with many terms, which would hold it up. A node of which nothing is
        known, where the deadline (a time of the loop's clock, None: there is none) comes first."""
        if constraints.affinity is None or len(constraints.affinity.terms) <= _MANY_TERMS:
            return self.candidates(constraints, daemon_set=daemon_set)
        nodes, pools = self._indexed().nodes, self._pools()

        def work() -> tuple[NodeGroup, ...]:  # by an index of its own: the other one is the event loop's
            index = NodeIndex(nodes, self._settings.transient_taints)
            return self._candidates(index, pools, constraints, daemon_set=daemon_set)

        try:
            async with asyncio.timeout_at(deadline):
                return await aside(work)
        except TimeoutError:
            return _apart((Node(UNKNOWN_NAME, None),))

    def _candidates(
        self, index: NodeIndex, pools: Sequence[NodePool], constraints: PodConstraints, *, daemon_set: bool
    ) -> tuple[NodeGroup, ...]:
        admission = Admission(constraints, self._settings.transient_taints, daemon_set=daemon_set)
        to_come = tuple(nodes_to_come(pools, constraints, admission))
        found = (*index.candidates(admission), *_apart(to_come, len(index.nodes)))
        if found or constraints.node_name:
            return found
        return _apart(demanded_platforms(constraints))

    def _indexed(self) -> NodeIndex:
        """The index of the nodes as they are now; the same one as long as the cluster gives the same nodes."""
        nodes = self._cluster.nodes()
        if nodes is not self._snapshot:
            self._index = NodeIndex((*nodes, *self._declared), self._settings.transient_taints)
            self._snapshot = nodes
        return self._index

    def _pools(self) -> Sequence[NodePool]:
        return self._cluster.node_pools() if self._settings.node_pools else ()


def _apart(nodes: Sequence[Node], start: int = 0) -> tuple[NodeGroup, ...]:
    return tuple(NodeGroup.of((node,), start + number) for number, node in enumerate(nodes))


def declared_nodes(shapes: Sequence[DeclaredNode]) -> tuple[Node, ...]:
    """Node shapes of the settings as nodes, each once, named for what it is: by its platform, and where several have
    the same one by what else tells it apart."""
    distinct: list[DeclaredNode] = []
    for shape in shapes:
        if shape not in distinct:
            distinct.append(shape)
    return tuple(_declared(shape, distinct) for shape in distinct)


def _declared(shape: DeclaredNode, among: Sequence[DeclaredNode]) -> Node:
    taints = (Taint(taint.key, taint.value, taint.effect) for taint in shape.taints)
    alike = [_details(other) for other in among if other.platform == shape.platform]
    telling = [detail for detail in _details(shape) if not all(detail in others for others in alike)]
    name = " ".join(["declared", shape.platform, *telling])
    return shape_node(name, shape.platform, Runtime.parse(shape.runtime), shape.labels, taints)


def _details(shape: DeclaredNode) -> list[str]:
    """What a shape has beside its platform, as kubectl writes it."""
    taints = (f"{taint.key}{'=' if taint.value else ''}{taint.value}:{taint.effect}" for taint in shape.taints)
    return [*(f"{key}={value}" for key, value in shape.labels.items()), *taints, *filter(None, [shape.runtime])]
