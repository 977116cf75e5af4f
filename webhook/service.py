"""The use case: an object and the nodes of a cluster in, a decision out. It owns the deadline.

This is the only place where faults become outcomes: a RegistryError or unreadable pull secret makes the image
`uncertain` with its code, never a verdict.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from webhook.at_hand import Known, Memory
from webhook.core import message
from webhook.core.binding import as_chosen, decide_binding
from webhook.core.candidates import merge_runtime_class, refused_by_kubelet
from webhook.core.decision import (
    Judgement,
    NodeFinding,
    Policy,
    Reason,
    decide,
    reason_for,
    under,
)
from webhook.core.errors import BadCredentials, ClusterUnavailable, ErrorCode, MissingPermission
from webhook.core.grouping import NodeGroup
from webhook.core.keyring import PullSecret
from webhook.core.narrowing import narrow
from webhook.core.nodepools import UNREAD_NAME
from webhook.core.notice import event_text
from webhook.core.outcome import Outcome, fails, uncertain
from webhook.core.request import Request
from webhook.core.runtime import Isolation, isolation_of
from webhook.core.scheduling import Node, RuntimeClass, Toleration
from webhook.core.wording import INTERNAL, SECRETS_UNREADABLE, error_text
from webhook.core.workload import PodConstraints, Workload, length_of_what_matters
from webhook.examined import LONGEST, Earlier, Examined
from webhook.landing import Landing
from webhook.looked import Looked, Shape, first_look, matches_any
from webhook.lookups import Lookups
from webhook.modes import Modes, NamespaceMode
from webhook.ports import Access, Cluster, Images, Spans
from webhook.settings import Settings, judged_kinds

_EVERY_TAINT: Final = (Toleration(operator="Exists"),)
"""What a RuntimeClass that is not known may add to a pod at most."""

__all__ = ["Judge", "Request"]

logger = logging.getLogger("podgate.service")


@dataclass(frozen=True, slots=True)
class _Demands:
    """What a pod demands of a node with what its RuntimeClass adds; None: such a pod cannot be made.

    `isolation`: by what the RuntimeClass separates containers from a Windows node; None: it has not been read. `added`:
    its node selector, where it is known.
    """

    constraints: PodConstraints | None
    runtime_class: Literal["known", "unknown", "contradicted"] = "known"
    isolation: Isolation | None = "process"
    added: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why the pull secrets of an object are not known: what becomes the error of each image that they are for.

    `missing_right`: what is to be allowed to whom, if that is why."""

    code: ErrorCode
    text: str
    missing_right: str = ""


_Secrets = tuple[PullSecret, ...] | _Refusal


class Judge:
    """Judges objects. One for all reviews under the same settings; it keeps the index of the nodes, and what it found
    out about objects that are like others."""

    def __init__(self, settings: Settings, images: Images, cluster: Cluster, spans: Spans | None = None) -> None:
        """`spans`: where look-ups of images are traced, None: nowhere."""
        self._spans = spans
        self._settings = settings
        self._images = images
        self._cluster = cluster
        self.policy = Policy(**settings.decisions.model_dump())
        self._landing = Landing(settings.nodes, cluster)
        self._kinds = judged_kinds(settings)
        self._modes = Modes(settings, cluster)
        self._earlier = Earlier()

    async def judge(self, request: Request) -> Judgement:
        """The decision for one object. Raises nothing that a registry, a secret or the object's author can cause."""
        workload = request.workload
        if self._passed_over(request):
            return Judgement(workload, "allow", "skipped", self._modes.at_hand(workload.namespace))
        mode = await self.mode(workload.namespace, request.deadline)
        if mode.mode == "off":
            return Judgement(workload, "allow", "skipped", "off")
        demands = await self._demands(request)
        examined = await self._examined(request, demands)
        if examined.runs_nowhere:
            examined = await self._tolerating(request, demands, examined)
        if request.stays:
            places = request.answers_for(examined.fares)
            if not places:
                return Judgement(workload, "allow", "skipped", mode.mode)
            examined = examined.of_images(places)
        return self._judgement(request, mode, demands, examined)

    async def _tolerating(self, request: Request, demands: _Demands, examined: Examined) -> Examined:
        """The same for pods that run nowhere, with the taints that admission may yet let them tolerate.

        A RuntimeClass that is not known may let them onto any tainted node: only if they fail there too, they fail. To
        pods that ask for a device, many clusters add a toleration for the taint of its name (ExtendedResourceToleration
        in k8s.io/kubernetes v1.37.2, plugin/pkg/admission). It is no proof of anything that they fail there as well.
        """
        constraints = demands.constraints
        if constraints is None:
            return examined
        if demands.runtime_class == "unknown":
            tolerating = replace(constraints, tolerations=_EVERY_TAINT)
            return await self._examine(request, await self._candidates(request, tolerating), demands.isolation)
        if not constraints.devices or not self._to_be_admitted(request):
            return examined
        further = tuple(Toleration(name, "Exists", effect="NoSchedule") for name in constraints.devices)
        tolerating = replace(constraints, tolerations=constraints.tolerations + further)
        there = await self._examine(request, await self._candidates(request, tolerating), demands.isolation)
        return examined if there.runs_nowhere else there

    @staticmethod
    def _to_be_admitted(request: Request) -> bool:
        """Whether pods are still to go through the admission that changes them."""
        return request.workload.template or not request.admitted

    async def _examined(self, request: Request, demands: _Demands) -> Examined:
        """What becomes of the images on the candidates: what it was for an object just like this one, if nothing that
        it hangs on has changed, else looked up."""
        workload = request.workload
        question = request.question
        earlier = self._earlier.find(self._landing.landscape, question) if question else None
        secrets: _Secrets | None = None
        if earlier is not None and earlier.rests_on is not None:
            secrets = await self._secrets(request) if earlier.rests_on else ()
            if not isinstance(secrets, _Refusal) and self._still(request, secrets, earlier.rests_on):
                return earlier
        landscape = self._landing.landscape  # once more: it may have changed meanwhile
        groups = await self._candidates(request, demands.constraints)
        examined = await self._examine(request, groups, demands.isolation, secrets)
        if question and length_of_what_matters(workload) <= LONGEST:
            self._earlier.keep(landscape, question, examined)
        return examined

    def _still(self, request: Request, secrets: tuple[PullSecret, ...], rests_on: Sequence[Known]) -> bool:
        """Whether documents are what registries would show for this object now, without any being asked."""
        access = Access(request.workload.namespace, secrets, request.deadline)
        if not Memory(self._images, access).still(rests_on):
            return False
        if self._spans is not None:
            for known in rests_on:
                if known.role == "root":
                    with self._spans.image(known.reference.canonical):
                        pass  # it took no time
        return True

    async def _demands(self, request: Request) -> _Demands:
        """What the pods of an object demand: for a template, with what its RuntimeClass will add to them."""
        workload = request.workload
        constraints = as_chosen(workload.constraints) if request.on_its_node else workload.constraints
        if not constraints.runtime_class:
            return _Demands(constraints)
        if not self._to_be_admitted(request):
            return _Demands(constraints, isolation=None)
        known = await self._runtime_class(request)
        if known is None:
            return _Demands(constraints, "unknown", "unknown")
        merged = merge_runtime_class(constraints, known.node_selector, known.tolerations)
        agreement: Literal["known", "contradicted"] = "known" if merged else "contradicted"
        return _Demands(merged, agreement, isolation_of(known.handler), known.node_selector)

    async def _runtime_class(self, request: Request) -> RuntimeClass | None:
        """The RuntimeClass that an object names; None where it is not known, or not by the deadline."""
        try:
            async with asyncio.timeout_at(request.deadline):
                return await self._cluster.runtime_class(request.workload.constraints.runtime_class)
        except TimeoutError:
            return None

    async def _candidates(self, request: Request, constraints: PodConstraints | None) -> tuple[NodeGroup, ...]:
        """The nodes that the pods may land on, or what stands in for them."""
        if constraints is None:
            return ()
        workload = request.workload
        daemon_set = workload.template and workload.every_node
        if daemon_set:
            # Its controller makes no pod for a node whose taints the template does not tolerate: what a RuntimeClass
            # adds comes later (NodeShouldRunDaemonPod in k8s.io/kubernetes v1.37.2, pkg/controller/daemon).
            constraints = replace(constraints, tolerations=workload.constraints.tolerations)
        return await self._landing.candidates_by(request.deadline, constraints, daemon_set=daemon_set)

    async def _examine(
        self,
        request: Request,
        groups: Sequence[NodeGroup],
        isolation: Isolation | None,
        secrets: _Secrets | None = None,
    ) -> Examined:
        """Looks the images up for the shapes of nodes; without any node nothing is asked. `secrets` None: they have not
        been read yet."""
        workload = request.workload
        if not groups:
            return Examined(rests_on=())
        if isolation is None and any(_on_windows(group.first) for group in groups):
            known = await self._runtime_class(request)
            isolation = isolation_of(known.handler if known else None)
        shapes_of = {group: _shapes(group.first, workload, isolation or "process") for group in groups}
        shapes = list(dict.fromkeys(shape for found in shapes_of.values() for shape in found))
        settings = self._settings
        looked = [
            first_look(image, shapes, settings.exempt.images, settings.registries.crio_names)
            for image in workload.images
        ]
        rests_on: tuple[Known, ...] | None = ()
        if any(image.asked_for(shapes) for image in looked):
            found = await self._secrets(request) if secrets is None else secrets
            rests_on = await self._ask(request, found, looked, shapes)
        findings = _node_findings(shapes_of, workload, looked)
        return Examined(tuple(image.finding for image in looked), findings, rests_on)

    async def _ask(
        self, request: Request, secrets: _Secrets, looked: Sequence[Looked], shapes: Sequence[Shape]
    ) -> tuple[Known, ...] | None:
        """Asks the registries, with the pull secrets that count; what the outcomes rest on (see Examined). Where the
        secrets could not be read, nobody is asked: a kubelet would not begin to pull, either, or with credentials that
        are not known."""
        if isinstance(secrets, _Refusal):
            for image in looked:
                if image.asked_for(shapes):
                    image.fail(secrets.code, secrets.text, secrets.missing_right)
            return None
        access = Access(request.workload.namespace, secrets, request.deadline)
        lookups = Lookups(self._images, access, self._spans)
        await lookups.complete(looked, shapes)
        return lookups.rests_on

    async def _secrets(self, request: Request) -> _Secrets:
        """The pull secrets that count for an object, or why they are not known."""
        workload = request.workload
        try:
            async with asyncio.timeout_at(request.deadline):
                return await self._cluster.pull_secrets(
                    workload.namespace, workload.constraints, template=workload.template
                )
        except BadCredentials as error:
            missing_right = error.right if isinstance(error, MissingPermission) else ""
            return _Refusal("bad-credentials", error_text("bad-credentials", str(error)), missing_right)
        except (ClusterUnavailable, TimeoutError) as error:
            logger.warning("the pull secrets of namespace %s could not be read: %s", workload.namespace, error)
            return _Refusal("unavailable", SECRETS_UNREADABLE)
        except Exception:  # a bug of podgate's is no reason to decide nothing: it is uncertain
            logger.exception("the pull secrets of namespace %s could not be read", workload.namespace)
            return _Refusal("unavailable", INTERNAL)

    def _judgement(self, request: Request, mode: NamespaceMode, demands: _Demands, examined: Examined) -> Judgement:
        workload = request.workload
        # What a RuntimeClass that is not known adds may well keep a DaemonSet off the nodes on which it fails.
        everywhere = workload.template and workload.every_node and demands.runtime_class != "unknown"
        reason = reason_for([node.verdict for node in examined.nodes], daemon_set=everywhere)
        if request.binding is None:
            wanted = decide(reason, self.policy, workload)
        else:
            wanted = decide_binding(reason, self.policy, workload, request.binding)
        decision = under(mode.mode, wanted)
        images, nodes = examined.images, examined.nodes
        messages: tuple[str, ...] = ()
        event = ""
        if wanted != "allow":
            remedy = _remedy(workload, reason, nodes)
            bound = request.binding is not None
            doubts = tuple(_doubts(mode, nodes))
            facts = message.Facts(
                workload,
                reason,
                images,
                nodes,
                remedy,
                demands.runtime_class,
                bound,
                doubts,
                demands.added,
                request.stays,
            )
            messages = (message.denial(facts),) if decision == "deny" else message.warnings(facts)
            event = event_text(facts) if decision == "warn" and self._settings.events else ""
        return Judgement(workload, decision, reason, mode.mode, messages, images, nodes, wanted, event)

    async def mode(self, namespace: str, deadline: float | None) -> NamespaceMode:
        """The mode that counts for a namespace; see Modes.of."""
        return await self._modes.of(namespace, deadline)

    @property
    def writes_events(self) -> bool:
        """Whether warnings become Events."""
        return self._settings.events

    def exempts(self, namespace: str) -> bool:
        """Whether nothing in a namespace is ever judged."""
        return matches_any(namespace, self._settings.exempt.namespaces)

    def _passed_over(self, request: Request) -> bool:
        """Exempt, being deleted, a mirror pod, owned by something that is judged itself, without a pod template, or
        changed in nothing."""
        workload = request.workload
        if self.exempts(workload.namespace):
            return True
        if workload.deleting or request.runs_already or not workload.has_template:
            return True
        if workload.template and self._kinds.owner(workload.owner) is not None:
            return True
        return request.changes_nothing


def _doubts(mode: NamespaceMode, nodes: Sequence[NodeFinding]) -> Iterator[message.Doubt]:
    """What could not be read of the cluster, and may have made a difference."""
    if mode.lenient:
        yield "namespace"
    if any(finding.node.name == UNREAD_NAME and finding.verdict == "uncertain" for finding in nodes):
        yield "node-pools"


def _on_windows(node: Node) -> bool:
    return any(platform.os == "windows" for platform in (node.platform, *node.may_be) if platform is not None)


def _shapes(node: Node, workload: Workload, isolation: Isolation) -> tuple[Shape, ...]:
    """What images are looked up for on a node: its shape, or those that it may have; none where the outcome is the same
    whatever the image."""
    if refused_by_kubelet(workload.constraints, node):
        return ()
    platforms = node.may_be if node.platform is None else (node.platform,)
    runtime = node.runtime
    if isolation != runtime.isolation and _on_windows(node):
        runtime = replace(runtime, isolation=isolation)
    return tuple(Shape(platform, runtime, node.emulates) for platform in platforms)


def _node_findings(
    shapes_of: Mapping[NodeGroup, Sequence[Shape]], workload: Workload, looked: Sequence[Looked]
) -> tuple[NodeFinding, ...]:
    """What becomes of the images on each group of nodes; groups of one shape share their outcomes."""
    shared: dict[Shape, tuple[Outcome, ...]] = {}
    refused = tuple(fails("refused-by-kubelet") for _ in looked)
    found = []
    for group, shapes in shapes_of.items():
        for shape in shapes:
            if shape not in shared:
                shared[shape] = tuple(image.on(shape) for image in looked)
        if group.first.platform is not None and shapes:
            outcomes = shared[shapes[0]]
        elif refused_by_kubelet(workload.constraints, group.first):
            outcomes = refused
        else:
            each = zip(*(shared[shape] for shape in shapes), strict=True) if shapes else ((),) * len(looked)
            outcomes = tuple(map(_in_any_case, looked, each))
        found.append(NodeFinding(group, outcomes))
    return tuple(found)


def _in_any_case(image: Looked, outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome on a node whose platform is not known, from those on platforms that it may have (ADR 10). It may have
    another one still, so that failing on all of these proves nothing."""
    same = len({outcome.verdict for outcome in outcomes}) == 1
    if same and outcomes[0].verdict != "fails":
        return outcomes[0]
    return _whatever_the_platform(image.otherwise)


def _whatever_the_platform(otherwise: Outcome) -> Outcome:
    """An outcome that no platform changes (an invalid reference, an exempt image), else that the node's is unknown."""
    return otherwise if otherwise.why in ("invalid-reference", "exempt") else uncertain("node-platform-unknown")


def _remedy(workload: Workload, reason: Reason, nodes: Sequence[NodeFinding]) -> str:
    """What narrows a pod to the nodes on which it runs; empty where nothing does, or nothing is to be narrowed."""
    if reason not in ("partial", "mismatch") or workload.constraints.node_name:
        return ""
    running = [finding.nodes for finding in nodes if finding.verdict == "runs"]
    failing = [finding.nodes for finding in nodes if finding.verdict == "fails"]
    narrowing = narrow(running, failing)
    if narrowing is None:
        return ""
    terms = workload.constraints.affinity.terms if workload.constraints.affinity else ()
    # Terms are ORed: what is added to one of several leaves the others as wide as they were.
    return f"{narrowing} in every term" if narrowing.requirements and len(terms) > 1 else str(narrowing)
