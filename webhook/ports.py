"""What the service needs of the world: protocols, and the values that cross them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from webhook.core.decision import Judgement
from webhook.core.keyring import PullSecret
from webhook.core.manifest import Document, Role
from webhook.core.nodepools import NodePool
from webhook.core.reference import Reference
from webhook.core.scheduling import Node, RuntimeClass
from webhook.core.workload import PodConstraints, Workload


@dataclass(frozen=True, slots=True)
class Access:
    """For whom a registry is asked: decides credentials and what a cache may show.

    `secrets` are the pod's pull secrets that exist, in the pod's order, not yet parsed: a malformed one stops the pull
    (BadCredentials), as in the kubelet. `deadline` is a time of the running event loop's clock in seconds, None where
    there is none: no request is begun, and no retry waited for, that cannot end by then.
    """

    namespace: str = ""
    secrets: tuple[PullSecret, ...] = ()
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """What a reference names: the root document and where it was found.

    `stale` is true where a cached answer stands in for a registry that is down.
    """

    reference: Reference
    root: Document
    stale: bool = False


class Images(Protocol):
    """Registries. Every fault is a RegistryError; BadCredentials where a pull secret cannot be read."""

    async def resolve(self, reference: Reference, access: Access) -> Image:
        """The root document of a reference: by its digest where it has one, else by its tag."""
        ...

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        """A document of the reference's repository by digest, its hash checked."""
        ...

    def at_hand(self, reference: Reference, access: Access) -> Image | None:
        """What `resolve` would answer, where it is known so well that nobody is asked or waited for; None where it may
        not be. Raises nothing."""
        ...

    def document_at_hand(self, reference: Reference, digest: str, role: Role, access: Access) -> Document | None:
        """What `fetch` would answer, by the same rule."""
        ...

    async def known_lists(self, reference: Reference, digest: str, access: Access) -> tuple[Document, ...]:
        """Indexes of the reference's repository that name a manifest and that are at hand: no registry is asked for
        them, and none is there that this access could not have seen. Whether there are any depends on what was asked
        before; where the time is up there are none. Raises nothing but BadCredentials."""
        ...


class Cluster(Protocol):
    """The state of a cluster, or of the files that stand in for one."""

    def nodes(self) -> Sequence[Node]:
        """All nodes known now. The same object is returned as long as nothing that decisions see has changed."""
        ...

    def node_pools(self) -> Sequence[NodePool]:
        """Karpenter's NodePools; none where that API is not served, or may not be read. UNREAD among them: the API
        server has failed to list them."""
        ...

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """A namespace's labels; None where the namespace is not known."""
        ...

    async def read_namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace that is not known yet; none where files stand for the cluster and do not hold it.
        Raises ClusterUnavailable where nobody can say."""
        ...

    async def runtime_class(self, name: str) -> RuntimeClass | None:
        """A RuntimeClass; None where it is not known: there is none, or it cannot be read. Raises nothing."""
        ...

    async def pull_secrets(
        self, namespace: str, constraints: PodConstraints, *, template: bool
    ) -> tuple[PullSecret, ...]:
        """The pull secrets of a pod that exist, in order; for a template also those of its ServiceAccount.

        Raises BadCredentials where a secret exists but lacks the key of its type, or where reading it is forbidden;
        ClusterUnavailable where the API server does not answer.
        """
        ...


class Pods(Protocol):
    """Single pods of a cluster. Apart from `Cluster`, since only bindings need them, and a right of their own."""

    async def pod(self, namespace: str, name: str) -> Workload | None:
        """A pod as it is stored now; None where there is none.

        Raises ClusterUnavailable where it cannot be read (status 403: podgate may not), MalformedObject where what
        comes has not the form of a pod.
        """
        ...


@dataclass(frozen=True, slots=True)
class Observation:
    """One decision, for metrics, the log and Events. `uid` is the review's, `seconds` how long the decision took, `why`
    the reasons of all uncertain outcomes. `binding`: the request was to bind the pod that the judgement is about."""

    judgement: Judgement
    uid: str
    dry_run: bool
    seconds: float
    why: tuple[str, ...] = ()
    binding: bool = False

    @property
    def kind(self) -> str:
        """The kind of the object that the request was about."""
        return "Binding" if self.binding else self.judgement.workload.kind


class Observer(Protocol):
    """Where decisions are counted, logged and written as Events."""

    def decided(self, observation: Observation) -> None:
        """Called once for each decision; raises nothing."""
        ...


Note = Callable[[Mapping[str, str]], None]
"""Notes in a span what was found out, by attribute; `error.type` makes a failure of it."""


class Spans(Protocol):
    """Where it is told how long what took."""

    def image(self, name: str) -> AbstractContextManager[Note]:
        """Around the look-up of one image; what is asked of a registry within belongs to it."""
        ...


class NoSpans:
    """Spans that nobody keeps."""

    def image(self, _: str) -> AbstractContextManager[Note]:
        """Nothing."""
        return nullcontext(_nothing)


def _nothing(_: Mapping[str, str]) -> None:
    """Notes nothing."""
