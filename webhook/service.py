"""The use case: an object and the nodes of a cluster in, a decision out. It owns the deadline.

This is the only place where faults become outcomes: a RegistryError or unreadable pull secret makes the image
`uncertain` with its code, never a verdict.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from webhook.core import message
from webhook.core.candidates import candidates, demanded_platforms, merge_runtime_class, refused_by_kubelet
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
from webhook.core.errors import BadCredentials, ClusterUnavailable, ErrorCode
from webhook.core.narrowing import narrow
from webhook.core.node import ARCH_LABEL, OS_LABEL
from webhook.core.outcome import Outcome, fails, uncertain
from webhook.core.platform import parse_platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint, Toleration
from webhook.core.wording import INTERNAL, SECRETS_UNREADABLE, error_text
from webhook.core.workload import PodConstraints, Workload, judged_owner, what_matters
from webhook.lookups import Looked, Lookups, Shape, first_look, matches_any
from webhook.ports import Access, Cluster, Images
from webhook.settings import DeclaredNode, Settings

MODE_LABEL: Final = "podgate.dev/mode"
"""The label of a namespace that overrides the mode."""

_EVERY_TAINT: Final = (Toleration(operator="Exists"),)
"""What a RuntimeClass that is not known may add to a pod at most."""

logger = logging.getLogger("podgate.service")


@dataclass(frozen=True, slots=True)
class Request:
    """One object to judge. `old` is its former state (None: there is none); `mirror` says that the kubelet shows a
    static pod that runs already; `admitted` that a pod has been through the API server's own admission, which adds
    what its RuntimeClass says; `deadline` is a time of the event loop's clock, None where nobody waits."""

    workload: Workload
    old: Workload | None = None
    mirror: bool = False
    admitted: bool = True
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class _Demands:
    """What a pod demands of a node with what its RuntimeClass adds; None: such a pod cannot be made."""

    constraints: PodConstraints | None
    runtime_class: Literal["known", "unknown", "contradicted"] = "known"


@dataclass(frozen=True, slots=True)
class _Examined:
    """The images of an object on its candidate nodes."""

    images: tuple[ImageFinding, ...] = ()
    nodes: tuple[NodeFinding, ...] = ()

    @property
    def runs_nowhere(self) -> bool:
        """Whether the object is known to fail on every candidate, or has none."""
        return all(node.verdict == "fails" for node in self.nodes)


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
        demands = await self._demands(request)
        examined = await self._examine(request, self._candidates(workload, demands.constraints))
        if demands.runtime_class == "unknown" and demands.constraints and examined.runs_nowhere:
            # The RuntimeClass may let the pods onto tainted nodes. Only if they fail there too, they fail.
            tolerating = replace(demands.constraints, tolerations=_EVERY_TAINT)
            examined = await self._examine(request, self._candidates(workload, tolerating))
        return self._judgement(workload, mode, demands, examined)

    async def _demands(self, request: Request) -> _Demands:
        """What the pods of an object demand: for a template, with what its RuntimeClass will add to them."""
        workload = request.workload
        constraints = workload.constraints
        if not constraints.runtime_class or (request.admitted and not workload.template):
            return _Demands(constraints)
        try:
            async with asyncio.timeout_at(request.deadline):
                known = await self._cluster.runtime_class(constraints.runtime_class)
        except TimeoutError:
            known = None
        if known is None:
            return _Demands(constraints, "unknown")
        merged = merge_runtime_class(constraints, known.node_selector, known.tolerations)
        return _Demands(merged, "known" if merged else "contradicted")

    def _candidates(self, workload: Workload, constraints: PodConstraints | None) -> tuple[Node, ...]:
        """The nodes that the pods may land on, or what stands in for them."""
        if constraints is None:
            return ()
        found = candidates(
            constraints,
            (*self._cluster.nodes(), *self._declared),
            transient=self._settings.nodes.transient_taints,
            daemon_set=workload.kind == "DaemonSet",
        )
        return found if found or constraints.node_name else demanded_platforms(constraints)

    async def _examine(self, request: Request, nodes: Sequence[Node]) -> _Examined:
        """Looks the images up for the shapes of nodes; without any node nothing is asked."""
        workload = request.workload
        if not nodes:
            return _Examined()
        shapes = list(dict.fromkeys(shape for node in nodes if (shape := _shape(node, workload)) is not None))
        looked = [first_look(image, shapes, self._settings.exempt.images) for image in workload.images]
        if any(image.reference for image in looked):
            await self._ask(request, looked, shapes)
        findings = _node_findings(nodes, workload, looked)
        return _Examined(tuple(image.finding for image in looked), findings)

    async def _ask(self, request: Request, looked: Sequence[Looked], shapes: Sequence[Shape]) -> None:
        """Asks the registries, with the pull secrets that count. Where those cannot be read, nobody is asked: a kubelet
        would not begin to pull, either, or with credentials that are not known."""
        workload = request.workload
        refusal: tuple[ErrorCode, str]
        try:
            async with asyncio.timeout_at(request.deadline):
                secrets = await self._cluster.pull_secrets(
                    workload.namespace, workload.constraints, template=workload.template
                )
        except BadCredentials as error:
            refusal = "bad-credentials", error_text("bad-credentials", str(error))
        except (ClusterUnavailable, TimeoutError) as error:
            logger.warning("the pull secrets of namespace %s could not be read: %s", workload.namespace, error)
            refusal = "unavailable", SECRETS_UNREADABLE
        except Exception:  # a bug of podgate's is no reason to decide nothing: it is uncertain
            logger.exception("the pull secrets of namespace %s could not be read", workload.namespace)
            refusal = "unavailable", INTERNAL
        else:
            access = Access(workload.namespace, secrets, request.deadline)
            await Lookups(self._images, access).complete(looked, shapes)
            return
        for image in looked:
            if image.reference:
                image.fail(*refusal)

    def _judgement(self, workload: Workload, mode: Mode, demands: _Demands, examined: _Examined) -> Judgement:
        # What a RuntimeClass that is not known adds may well keep a DaemonSet off the nodes on which it fails.
        everywhere = workload.kind == "DaemonSet" and demands.runtime_class != "unknown"
        reason = reason_for([node.verdict for node in examined.nodes], daemon_set=everywhere)
        wanted = decide(reason, self._policy, workload)
        decision = under(mode, wanted)
        images, nodes = examined.images, examined.nodes
        messages: tuple[str, ...] = ()
        if wanted != "allow":
            remedy = _remedy(workload, reason, nodes)
            facts = message.Facts(workload, reason, images, nodes, remedy, demands.runtime_class)
            messages = (message.denial(facts),) if decision == "deny" else message.warnings(facts)
        return Judgement(workload, decision, reason, mode, messages, images, nodes, wanted)

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
        if workload.template and judged_owner(workload.owner):
            return True
        return request.old is not None and what_matters(request.old) == what_matters(workload)


def _shape(node: Node, workload: Workload) -> Shape | None:
    """The shape of a node that images are looked up for; None where the outcome is the same whatever the image."""
    if node.platform is None or refused_by_kubelet(workload.constraints, node):
        return None
    return Shape(node.platform, node.runtime)


def _node_findings(nodes: Sequence[Node], workload: Workload, looked: Sequence[Looked]) -> tuple[NodeFinding, ...]:
    """What becomes of the images on each node; nodes of one shape share their outcomes."""
    shared: dict[Shape, tuple[Outcome, ...]] = {}
    refused = tuple(fails("refused-by-kubelet") for _ in looked)
    found = []
    for node in nodes:
        shape = _shape(node, workload)
        if shape is not None:
            if shape not in shared:
                shared[shape] = tuple(image.on(shape) for image in looked)
            outcomes = shared[shape]
        elif refused_by_kubelet(workload.constraints, node):
            outcomes = refused
        else:
            outcomes = tuple(_whatever_the_platform(image.otherwise) for image in looked)
        found.append(NodeFinding(node, outcomes))
    return tuple(found)


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
    if narrowing is None:
        return ""
    terms = workload.constraints.affinity.terms if workload.constraints.affinity else ()
    # Terms are ORed: what is added to one of several leaves the others as wide as they were.
    return f"{narrowing} in every term" if narrowing.requirements and len(terms) > 1 else str(narrowing)


def _declared(shape: DeclaredNode) -> Node:
    """A node shape of the settings as a node, named for what it is."""
    platform = parse_platform(shape.platform)
    labels = {OS_LABEL: platform.os, ARCH_LABEL: platform.architecture, **shape.labels}
    taints = tuple(Taint(taint.key, taint.value, taint.effect) for taint in shape.taints)
    return Node(f"declared {shape.platform}", platform, Runtime.parse(shape.runtime), labels, taints)
