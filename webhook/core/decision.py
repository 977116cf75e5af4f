"""From outcomes to a decision: the table of the design, section 5, and nothing else."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, Literal

from webhook.core.errors import ErrorCode
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import Outcome, Verdict, worst
from webhook.core.scheduling import Node
from webhook.core.workload import ContainerRole, Workload

Decision = Literal["allow", "warn", "deny"]
Reason = Literal["match", "partial", "mismatch", "undetermined", "no-candidates", "skipped"]
Mode = Literal["deny", "warn", "audit", "off"]

STRICTNESS: Final[Mapping[Mode, int]] = {"off": 0, "audit": 1, "warn": 2, "deny": 3}
"""How much each mode stands in the way of somebody who applies a manifest."""


@dataclass(frozen=True, slots=True)
class ImageFinding:
    """What was found out about one image of an object.

    `role` is the container's part in the pod, `resolved` is name@digest (empty: not resolved), `kind` what the root
    document is, `platforms` those that it declares, as text. `error` is None or (code, message for people); `stale`
    says that a remembered answer stands in for a registry that is down. `on_crio` is what an unqualified name stands
    for on CRI-O nodes, empty where that is the same as everywhere, or not known. `missing_right` is what is to
    be allowed to whom, so that it is known with which credentials to ask (MissingPermission), empty where all is.
    """

    container: str
    image: str
    resolved: str = ""
    kind: Literal["index", "manifest", "unknown"] = "unknown"
    platforms: tuple[str, ...] = ()
    error: tuple[ErrorCode, str] | None = None
    stale: bool = False
    role: ContainerRole = "container"
    on_crio: str = ""
    missing_right: str = ""


@dataclass(frozen=True, slots=True)
class NodeFinding:
    """What would become of the pod on each node of a group: an outcome for each image, in the order of the images."""

    nodes: NodeGroup
    outcomes: tuple[Outcome, ...]

    @property
    def node(self) -> Node:
        """The node that it is about, or the first of them: what decides is the same of all."""
        return self.nodes.first

    @property
    def verdict(self) -> Verdict:
        """`fails` if any image fails, else `uncertain` if any is, else `runs`."""
        return worst(self.outcomes)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision of one request, with all that it rests on.

    `decision` is what happens, `wanted` what would happen in mode deny: in mode audit only the log has it, beside the
    reason. `messages` are whole texts, empty where none is due; in mode audit nobody who applies a manifest is shown
    them. `findings` are about groups of nodes; `nodes` takes them apart. `event` is the text of the Event that tells a
    warning to those whom no answer reaches, empty where none is due.
    """

    workload: Workload
    decision: Decision
    reason: Reason
    mode: Mode
    messages: tuple[str, ...] = ()
    images: tuple[ImageFinding, ...] = ()
    findings: tuple[NodeFinding, ...] = field(default=(), repr=False)
    wanted: Decision = "allow"
    event: str = field(default="", repr=False)

    @property
    def nodes(self) -> tuple[NodeFinding, ...]:
        """A finding for each candidate node, in the order of the nodes: for reports, and as long as there are nodes."""
        each = ((place, node, one.outcomes) for one in self.findings for place, node in one.nodes.placed())
        in_order = sorted(each, key=itemgetter(0))
        return tuple(NodeFinding(NodeGroup.of((node,)), outcomes) for _, node, outcomes in in_order)


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from each reason (settings.decisions); `skipped` and `match` are always allowed."""

    mismatch: Decision = "deny"
    partial: Decision = "warn"
    undetermined: Decision = "warn"
    no_candidates: Decision = "warn"
    daemon_set_pods: Decision = "warn"


def reason_for(verdicts: Collection[Verdict], *, daemon_set: bool = False) -> Reason:
    """The row of the table that the verdicts over the candidates fall into.

    A DaemonSet wants to run on every candidate, so that some failing node is a mismatch there.
    """
    seen = set(verdicts)
    if not seen:
        return "no-candidates"
    if "runs" in seen:
        if "fails" not in seen:
            return "match"
        return "mismatch" if daemon_set else "partial"
    return "mismatch" if seen == {"fails"} else "undetermined"


def decide(reason: Reason, policy: Policy, workload: Workload) -> Decision:
    """What the policy says of a reason, for this object.

    A pod with scheduling gates and a suspended Job can still be narrowed, so partial is silent there. A pod of a
    DaemonSet has a policy of its own for its mismatches, and is denied for no other reason: its controller stops a
    whole batch at the first refusal, and healthy nodes go without.
    """
    chosen = _by_reason(reason, policy, workload)
    if not of_daemon_set(workload):
        return chosen
    if reason == "mismatch":
        return policy.daemon_set_pods
    return "warn" if chosen == "deny" else chosen


def _by_reason(reason: Reason, policy: Policy, workload: Workload) -> Decision:
    if reason in ("match", "skipped"):
        return "allow"
    if reason == "partial":
        can_be_narrowed = workload.constraints.gated or workload.suspended
        return "allow" if can_be_narrowed else policy.partial
    if reason == "undetermined":
        return policy.undetermined
    if reason == "no-candidates":
        return policy.no_candidates
    return policy.mismatch


def of_daemon_set(workload: Workload) -> bool:
    """Whether the object is a pod that a DaemonSet's controller made, or that of a kind which works alike."""
    return workload.every_node and not workload.template


def under(mode: Mode, decision: Decision) -> Decision:
    """What a mode makes of a decision: `warn` denies nothing, `audit` and `off` say nothing."""
    if mode in ("audit", "off"):
        return "allow"
    return "warn" if mode == "warn" and decision == "deny" else decision


def mode_without_label(default: Mode, trust: Literal["any", "stricter", "ignored"]) -> Mode:
    """The mode of a namespace whose labels are not known: nothing is denied where a label could have prevented it."""
    return "warn" if trust == "any" and default == "deny" else default


def effective_mode(default: Mode, label: str | None, trust: Literal["any", "stricter", "ignored"]) -> Mode:
    """The mode of a namespace: its label podgate.dev/mode as far as settings trust it, else the default.

    A label that is no mode counts for nothing: a slip must neither switch podgate off nor make it deny.
    """
    if trust == "ignored" or label is None or label not in STRICTNESS:
        return default
    mode: Mode = label  # type: ignore[assignment]  # a key of STRICTNESS is a Mode; mypy does not narrow by `in`
    if trust == "stricter" and STRICTNESS[mode] < STRICTNESS[default]:
        return default
    return mode
