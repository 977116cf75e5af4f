"""A cluster from files: the objects that are given count as if they were in a cluster."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from webhook.cluster.documents import SourcedObject, located
from webhook.cluster.objects import (
    object_labels,
    object_name,
    object_namespace,
    parse_pull_secret,
    service_account_secrets,
)
from webhook.cluster.pulling import SecretSource, read_pull_secrets
from webhook.cluster.state import Store
from webhook.core.errors import ClusterUnavailable, MalformedObject
from webhook.core.keyring import PullSecret
from webhook.core.nodepools import NodePool, parse_node_pool
from webhook.core.scheduling import Node, RuntimeClass, parse_node, parse_runtime_class
from webhook.core.workload import PodConstraints

_Raw = Mapping[str, object]


_COUNTED: Final = frozenset(
    {
        ("v1", "Node"),
        ("v1", "Namespace"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("karpenter.sh/v1", "NodePool"),
        ("node.k8s.io/v1", "RuntimeClass"),
    }
)


def counts(obj: _Raw) -> bool:
    """Whether an object is of a kind that FileCluster.add takes over."""
    return (obj.get("apiVersion"), obj.get("kind")) in _COUNTED


class FullCluster(SecretSource, Protocol):
    """A cluster that lies behind files: LiveCluster, as far as FileCluster asks it."""

    def nodes(self) -> Sequence[Node]:
        """All nodes; the same object as long as nothing has changed."""
        ...

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """A namespace's labels; None where it is not known."""
        ...

    async def read_namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace that is not known. Raises ClusterUnavailable."""
        ...

    def node_pools(self) -> Sequence[NodePool]:
        """All NodePools."""
        ...

    async def runtime_class(self, name: str) -> RuntimeClass | None:
        """A RuntimeClass; None where it is not known."""
        ...


class FileCluster:
    """A `ports.Cluster` of given objects, optionally before a cluster that holds the rest.

    Nodes, NodePools, Namespaces, Secrets, ServiceAccounts and RuntimeClasses count; other kinds are passed over. Of two
    objects of one kind and name the later counts, as if both had been applied.
    """

    def __init__(self, *, before: FullCluster | None = None, admitted: bool = True) -> None:
        """`before`: the cluster that is asked for what the files do not hold.

        `admitted`: whether pods have been through ServiceAccount admission (reviews), or are as somebody wrote them.
        """
        self._before = before
        self._admitted = admitted
        self._nodes: Store[Node] = Store()
        self._merged: tuple[Sequence[Node], Sequence[Node], tuple[Node, ...]] = ((), (), ())
        self._pools: dict[str, NodePool] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._secrets: dict[tuple[str, str], _Raw] = {}
        self._accounts: dict[tuple[str, str], tuple[str, ...]] = {}
        self._runtime_classes: dict[str, RuntimeClass] = {}

    @classmethod
    def from_documents(
        cls,
        objects: Iterable[_Raw],
        *,
        namespace: str = "default",
        nodes: Iterable[Node] = (),
        before: FullCluster | None = None,
        admitted: bool = True,
    ) -> "FileCluster":
        """A cluster of objects (and of nodes that come from elsewhere, as from `--target`).

        `namespace` is that of objects that name none. Raises MalformedObject with the path within the object.
        """
        cluster = cls(before=before, admitted=admitted)
        for obj in objects:
            cluster.add(obj, namespace)
        for node in nodes:
            cluster.add_node(node)
        return cluster

    @classmethod
    def from_sources(cls, documents: Iterable[SourcedObject]) -> "FileCluster":
        """A cluster of a file's documents. Raises MalformedObject with the document's source before the path; also for
        an object of no kind at all: the answer of a login page that somebody has saved is no cluster without nodes."""
        cluster = cls()
        for source, obj in documents:
            with located(source):
                if not obj.get("kind"):
                    raise MalformedObject("is missing", "kind")
                cluster.add(obj)
        return cluster

    def add(self, obj: _Raw, namespace: str = "default") -> bool:
        """Take one object over; False where its kind is not one that counts. Raises MalformedObject."""
        match (obj.get("apiVersion"), obj.get("kind")):
            case ("v1", "Node"):
                self.add_node(parse_node(obj))
            case ("v1", "Namespace"):
                self._namespaces[object_name(obj)] = MappingProxyType(dict(object_labels(obj)))
            case ("v1", "Secret"):
                self._secrets[object_namespace(obj, namespace), object_name(obj)] = obj
            case ("v1", "ServiceAccount"):
                self._accounts[object_namespace(obj, namespace), object_name(obj)] = service_account_secrets(obj)
            case ("karpenter.sh/v1", "NodePool"):
                self._pools[object_name(obj)] = parse_node_pool(obj)
            case ("node.k8s.io/v1", "RuntimeClass"):
                self._runtime_classes[object_name(obj)] = parse_runtime_class(obj)
            case _:
                return False
        return True

    def add_node(self, node: Node) -> None:
        """Take one node over. Raises MalformedObject where it has no name."""
        if not node.name:
            raise MalformedObject("is missing", "metadata.name")
        self._nodes.put(node.name, node)

    def nodes(self) -> Sequence[Node]:
        """The nodes by name; the same object as long as none of them changes."""
        own = self._nodes.values()
        if self._before is None:
            return own
        beneath = self._before.nodes()
        if self._merged[0] is not own or self._merged[1] is not beneath:
            by_name = {str(node.name): node for node in (*beneath, *own)}
            self._merged = own, beneath, tuple(by_name[name] for name in sorted(by_name))
        return self._merged[2]

    def node_pools(self) -> Sequence[NodePool]:
        """The NodePools by name."""
        beneath = self._before.node_pools() if self._before else ()
        by_name = {**{pool.name: pool for pool in beneath}, **self._pools}
        return tuple(by_name[name] for name in sorted(by_name))

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """A namespace's labels; None where the namespace is not known."""
        if (labels := self._namespaces.get(name)) is not None:
            return labels
        return self._before.namespace_labels(name) if self._before else None

    async def read_namespace_labels(self, name: str) -> Mapping[str, str]:
        """A namespace's labels; none where neither files nor the cluster behind them hold it, or where it may not be
        read there: a user of check may well lack the right, and the namespace need not be there yet."""
        known = self.namespace_labels(name)
        if known is not None or self._before is None:
            return known or {}
        try:
            return await self._before.read_namespace_labels(name)
        except ClusterUnavailable:
            return {}

    async def runtime_class(self, name: str) -> RuntimeClass | None:
        """A RuntimeClass; None where it is not known."""
        if (found := self._runtime_classes.get(name)) is not None:
            return found
        return await self._before.runtime_class(name) if self._before else None

    async def pull_secrets(
        self, namespace: str, constraints: PodConstraints, *, template: bool
    ) -> tuple[PullSecret, ...]:
        """The pull secrets of a pod that exist, in order. Raises BadCredentials."""
        return await read_pull_secrets(self, namespace, constraints, template=template or not self._admitted)

    async def secret(self, namespace: str, name: str) -> PullSecret | None:
        """One pull secret; None where there is none. Raises BadCredentials."""
        if (obj := self._secrets.get((namespace, name))) is not None:
            return parse_pull_secret(obj, namespace, name)
        return await self._before.secret(namespace, name) if self._before else None

    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None:
        """The imagePullSecrets of a ServiceAccount; None where it is not known."""
        if (names := self._accounts.get((namespace, name))) is not None:
            return names
        return await self._before.service_account_secrets(namespace, name) if self._before else None
