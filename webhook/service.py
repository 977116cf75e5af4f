"""The use case: an object and the nodes of a cluster in, a decision out. It owns the deadline.

This is the only place where faults become outcomes: a RegistryError or unreadable pull secret makes the image
`uncertain` with its code, never a verdict.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webhook.core import message
from webhook.core.candidates import candidates, demanded_platforms, refused_by_kubelet
from webhook.core.decision import (
    ImageFinding,
    Judgement,
    Mode,
    NodeFinding,
    Policy,
    Reason,
    decide,
    effective_mode,
    reason_for,
    under,
)
from webhook.core.errors import BadCredentials, ClusterUnavailable
from webhook.core.manifest import Document, Role
from webhook.core.narrowing import narrow
from webhook.core.node import ARCH_LABEL, OS_LABEL
from webhook.core.outcome import Outcome, fails, uncertain
from webhook.core.platform import parse_platform
from webhook.core.reference import Reference
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint
from webhook.core.workload import Workload, judged_owner, what_matters
from webhook.lookups import Looked, Lookups, Shape, matches_any
from webhook.ports import Access, Cluster, Image, Images
from webhook.settings import DeclaredNode, Settings

MODE_LABEL: Final = "podgate.dev/mode"
"""The label of a namespace that overrides the mode."""


@dataclass(frozen=True, slots=True)
class Request:
    """One object to judge. `old` is its former state (None: there is none); `mirror` says that the kubelet shows a
    static pod that runs already; `deadline` is a time of the event loop's clock, None where nobody waits."""

    workload: Workload
    old: Workload | None = None
    mirror: bool = False
    deadline: float | None = None


class _Refusing(Images):
    """Stands for the registries where a pod's secrets cannot be read: a kubelet would not begin to pull, either."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    async def resolve(self, reference: Reference, access: Access) -> Image:  # noqa: ARG002  # the protocol's
        raise BadCredentials(self._problem)

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:  # noqa: ARG002
        raise BadCredentials(self._problem)


class Judge:
    """Judges objects. One for the whole process; it holds no state of its own."""

    def __init__(self, settings: Settings, images: Images, cluster: Cluster) -> None:
        self._settings = settings
        self._images = images
        self._cluster = cluster
        self._policy = Policy(**settings.decisions.model_dump())
        self._declared = tuple(map(_declared, settings.nodes.declared))

    async def judge(self, request: Request) -> Judgement:
        """The decision for one object. Raises nothing that a registry, a secret or the object's author can cause."""
        workload = request.workload
        mode = self._mode(workload.namespace)
        if mode == "off" or self._passed_over(request):
            return Judgement(workload, "allow", "skipped", mode)
        nodes = self._candidates(workload)
        shapes = list(dict.fromkeys(shape for node in nodes if (shape := _shape(node, workload)) is not None))
        looked = await self._look_up(request, shapes) if nodes else []
        findings = tuple(NodeFinding(node, _outcomes(node, workload, looked)) for node in nodes)
        return self._judgement(workload, mode, tuple(image.finding for image in looked), findings)

    async def _look_up(self, request: Request, shapes: Sequence[Shape]) -> list[Looked]:
        """The images of an object, with the pull secrets that count for it."""
        workload = request.workload
        try:
            async with asyncio.timeout_at(request.deadline):
                secrets = await self._cluster.pull_secrets(
                    workload.namespace, workload.constraints, template=workload.template
                )
            images = self._images
        except BadCredentials as error:
            secrets, images = (), _Refusing(str(error))
        except (ClusterUnavailable, TimeoutError):
            secrets, images = (), _Refusing("the pull secrets cannot be read: the API server does not answer")
        access = Access(workload.namespace, secrets, request.deadline)
        return await Lookups(images, access, self._settings.exempt.images).all(workload.images, shapes)

    def _judgement(
        self, workload: Workload, mode: Mode, images: tuple[ImageFinding, ...], nodes: tuple[NodeFinding, ...]
    ) -> Judgement:
        reason = reason_for([node.verdict for node in nodes], daemon_set=workload.kind == "DaemonSet")
        wanted = decide(reason, self._policy, workload)
        decision = under(mode, wanted)
        facts = message.Facts(workload, reason, images, nodes, _remedy(workload, reason, nodes))
        texts: tuple[str, ...] = ()
        if decision == "deny":
            texts = (message.denial(facts),)
        elif wanted != "allow":
            texts = message.warnings(facts)
        stale = tuple(message.stale_warning(image) for image in images if image.stale) if decision != "allow" else ()
        return Judgement(workload, decision, reason, mode, (*texts, *stale), images, nodes)

    def _mode(self, namespace: str) -> Mode:
        labels = self._cluster.namespace_labels(namespace) or {}
        return effective_mode(self._settings.mode, labels.get(MODE_LABEL), self._settings.namespace_label)

    def _passed_over(self, request: Request) -> bool:
        """Exempt, being deleted, a mirror pod, owned by something that is judged itself, or changed in nothing."""
        workload = request.workload
        if matches_any(workload.namespace, self._settings.exempt.namespaces):
            return True
        if workload.deleting or request.mirror:
            return True
        if workload.template and workload.owner is not None and judged_owner(workload.owner):
            return True
        return request.old is not None and what_matters(request.old) == what_matters(workload)

    def _candidates(self, workload: Workload) -> tuple[Node, ...]:
        known = (*self._cluster.nodes(), *self._declared)
        found = candidates(
            workload.constraints,
            known,
            transient=self._settings.nodes.transient_taints,
            daemon_set=workload.kind == "DaemonSet",
        )
        if found or workload.constraints.node_name:
            return found
        return demanded_platforms(workload.constraints)


def _shape(node: Node, workload: Workload) -> Shape | None:
    """The shape of a node that images are looked up for; None where the outcome is the same whatever the image."""
    if node.platform is None or refused_by_kubelet(workload.constraints, node):
        return None
    return Shape(node.platform, node.runtime)


def _outcomes(node: Node, workload: Workload, looked: Sequence[Looked]) -> tuple[Outcome, ...]:
    """What becomes of each image on a node."""
    if refused_by_kubelet(workload.constraints, node):
        return tuple(fails("refused-by-kubelet") for _ in looked)
    if node.platform is None:
        return tuple(_whatever_the_platform(image.otherwise) for image in looked)
    shape = Shape(node.platform, node.runtime)
    return tuple(image.on(shape) for image in looked)


def _whatever_the_platform(otherwise: Outcome) -> Outcome:
    """An outcome that no platform changes (an invalid reference, an exempt image), else that the node's is unknown."""
    return otherwise if otherwise.why in ("invalid-reference", "exempt") else uncertain("node-platform-unknown")


def _remedy(workload: Workload, reason: Reason, nodes: Sequence[NodeFinding]) -> str:
    """What narrows a pod to the nodes on which it runs; empty where nothing does, or nothing is to be narrowed."""
    if reason not in ("partial", "mismatch") or workload.constraints.node_name:
        return ""
    running = [finding.node for finding in nodes if finding.verdict == "runs"]
    failing = [finding.node for finding in nodes if finding.verdict == "fails"]
    narrowing = narrow(running, failing)
    return "" if narrowing is None else str(narrowing)


def _declared(shape: DeclaredNode) -> Node:
    """A node shape of the settings as a node, named for what it is."""
    platform = parse_platform(shape.platform)
    labels = {OS_LABEL: platform.os, ARCH_LABEL: platform.architecture, **shape.labels}
    taints = tuple(Taint(taint.key, taint.value, taint.effect) for taint in shape.taints)
    return Node(f"declared {shape.platform}", platform, Runtime.parse(shape.runtime), labels, taints)
