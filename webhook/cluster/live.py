"""A live cluster: nodes and namespaces followed or listed once, secrets read when they are needed."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from webhook.cluster.connection import Connection
from webhook.cluster.namespaces import NamespaceReader
from webhook.cluster.objects import object_labels
from webhook.cluster.patience import Patience
from webhook.cluster.pulling import read_pull_secrets
from webhook.cluster.reflector import Pace, Reflector, Resource
from webhook.cluster.runtime_classes import RuntimeClassReader
from webhook.cluster.secrets import Caller, SecretReader
from webhook.cluster.state import Store
from webhook.core.errors import ClusterUnavailable
from webhook.core.keyring import PullSecret
from webhook.core.nodepools import UNREAD, NodePool, parse_node_pool
from webhook.core.scheduling import Node, RuntimeClass, parse_node
from webhook.core.workload import PodConstraints

_log = logging.getLogger(__name__)


def _labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType(dict(object_labels(obj)))


NODES: Resource[Node] = Resource("nodes", "/api/v1/nodes", "NodeList", parse_node)
NAMESPACES: Resource[Mapping[str, str]] = Resource("namespaces", "/api/v1/namespaces", "NamespaceList", _labels)


NODE_POOLS: Resource[NodePool] = Resource(
    "NodePools", "/apis/karpenter.sh/v1/nodepools", "NodePoolList", parse_node_pool, optional=True
)


class LiveCluster:
    """A `ports.Cluster` of an API server. Before `start` it holds nothing; it closes the connection that it is given.

    `admitted` False: pods are as somebody wrote them (check), so their ServiceAccounts count as for templates.
    `with_node_pools` False: NodePools are not asked for. `caller`: whose rights to read Secrets are spoken of.
    """

    def __init__(
        self,
        connection: Connection,
        pace: Pace | None = None,
        *,
        admitted: bool = True,
        with_node_pools: bool = True,
        caller: Caller = "podgate",
    ) -> None:
        self._connection = connection
        self._admitted = admitted
        self._nodes: Store[Node] = Store()
        self._namespaces: Store[Mapping[str, str]] = Store()
        self._node_pools: Store[NodePool] = Store()
        self._node_reflector = Reflector(connection, NODES, self._nodes, pace)
        self._namespace_reflector = Reflector(connection, NAMESPACES, self._namespaces, pace)
        self._pace = pace
        self._pool_reflector = Reflector(connection, NODE_POOLS, self._node_pools, pace) if with_node_pools else None
        self._pool_task: asyncio.Task[Any] | None = None
        """What follows NodePools; None where nobody wants them, or not any more."""
        self._pools_came_later = False
        patience = Patience()
        self._secrets = SecretReader(connection, patience=patience, caller=caller)
        self._runtime_classes = RuntimeClassReader(connection, patience=patience)
        self._namespace_reader = NamespaceReader(connection)
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self, *, watch: bool) -> None:
        """With `watch`, begin to follow the cluster, and return at once: readiness is `wait_listed`.

        Without, list them once. Raises ClusterUnavailable then, unless only namespaces cannot be listed (a user of
        check may well lack the right): they count as unknown. NodePools that are not there, or that may not be read,
        are none; where the API server fails to list them, what they may give is uncertain.
        """
        if watch:
            create = asyncio.get_running_loop().create_task
            self._tasks.append(create(self._node_reflector.run(), name="watch nodes"))
            self._tasks.append(create(self._namespace_reflector.run(), name="watch namespaces"))
            if self._pool_reflector:
                self._watch_pools(self._pool_reflector)
            return
        lists = [self._node_reflector.list_once(), self._namespace_reflector.list_once()]
        if self._pool_reflector:
            lists.append(self._pool_reflector.list_once())
        nodes, namespaces, *pools = await asyncio.gather(*lists, return_exceptions=True)
        if nodes is not None:
            raise nodes
        for missed, what in ((namespaces, "Labels of namespaces"), *((pool, "NodePools") for pool in pools)):
            if isinstance(missed, ClusterUnavailable):
                _log.warning("%s are not known: %s", what, missed)
            elif missed is not None:
                raise missed

    def _watch_pools(self, reflector: Reflector[NodePool]) -> None:
        self._pool_task = asyncio.get_running_loop().create_task(reflector.run(), name="watch NodePools")
        self._tasks.append(self._pool_task)

    def follow_node_pools(self, *, wanted: bool) -> None:
        """From now on follow NodePools, or do not; for a cluster that is being watched. Until they have been listed for
        the first time, what they may give is uncertain, and podgate stays as ready as it is.

        What is known of them stays when they are not wanted any more: reviews that have begun before, under settings
        that want them, still ask, and without them would deny what neither settings would.
        """
        if wanted == (self._pool_task is not None):
            return
        if self._pool_task is not None:
            self._pool_task.cancel()
            self._pool_task = None
        if wanted:
            self._node_pools = Store()
            self._pools_came_later = True
            self._pool_reflector = Reflector(self._connection, NODE_POOLS, self._node_pools, self._pace)
            self._watch_pools(self._pool_reflector)

    @property
    def listed(self) -> bool:
        """Whether the first lists are complete, and NodePools have been asked for; readiness. It does not wait for
        NodePools that cannot be listed, as where the CRD's conversion fails: until they are, they are uncertain."""
        asked = self._pools_came_later or self._pool_reflector is None or self._pool_reflector.tried
        pools = self._pool_task is None or asked
        return self._node_reflector.listed and self._namespace_reflector.listed and pools

    async def wait_listed(self) -> None:
        """Wait for the first lists to be complete."""
        await self._node_reflector.wait_listed()
        await self._namespace_reflector.wait_listed()
        if self._pool_reflector and self._pool_task:
            await self._pool_reflector.wait_tried()

    async def close(self) -> None:
        """Stop following, and close the connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._secrets.close()
        await self._runtime_classes.close()
        await self._namespace_reader.close()
        await self._connection.close()

    def nodes(self) -> Sequence[Node]:
        """All nodes known now, by name; the same object as long as nothing that decisions see has changed."""
        return self._nodes.values()

    def node_pools(self) -> Sequence[NodePool]:
        """All NodePools known now, by name; UNREAD where they could not be listed yet."""
        if self._pool_reflector and not self._pool_reflector.listed:
            return (UNREAD,)
        return self._node_pools.values()

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """A namespace's labels; None where the namespace is not known."""
        return self._namespaces.get(name)

    async def read_namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace that is not known yet. Raises ClusterUnavailable."""
        return await self._namespace_reader.labels(name)

    async def runtime_class(self, name: str) -> RuntimeClass | None:
        """A RuntimeClass; None where there is none, or it cannot be read."""
        return await self._runtime_classes.get(name)

    async def pull_secrets(
        self, namespace: str, constraints: PodConstraints, *, template: bool
    ) -> tuple[PullSecret, ...]:
        """The pull secrets of a pod that exist, in order.

        Raises BadCredentials, and ClusterUnavailable where the API server does not answer.
        """
        return await read_pull_secrets(self, namespace, constraints, template=template or not self._admitted)

    async def secret(self, namespace: str, name: str) -> PullSecret | None:
        """One pull secret; None where there is none. Raises as `pull_secrets` does."""
        return await self._secrets.secret(namespace, name)

    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None:
        """The imagePullSecrets of a ServiceAccount; None where it is missing. Raises as `pull_secrets` does."""
        return await self._secrets.service_account_secrets(namespace, name)
