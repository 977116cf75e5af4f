"""A pod that is being bound to a node: what the request says, and what follows for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from webhook.core.decision import Decision, Policy, Reason, of_daemon_set
from webhook.core.errors import MalformedObject
from webhook.core.message import subject
from webhook.core.objects import Fields
from webhook.core.scheduling import Toleration
from webhook.core.text import NAME_LIMIT, clean
from webhook.core.workload import PodConstraints, Workload

_ORDER: Final[Mapping[Decision, int]] = {"allow": 0, "warn": 1, "deny": 2}
_EVERY_TAINT: Final = (Toleration(operator="Exists"),)


@dataclass(frozen=True, slots=True)
class Binding:
    """A request to bind a pod to a node. `uid` is the pod's, empty where the request does not say which pod of that
    name it means."""

    namespace: str
    pod: str
    uid: str
    node: str

    @property
    def named(self) -> Workload:
        """The pod as far as the request tells of it: nothing but its name and its node."""
        return Workload("v1", "Pod", self.namespace, self.pod, self.uid, (), PodConstraints(node_name=self.node))


def parse_binding(obj: Mapping[str, object], namespace: str, name: str) -> Binding | None:
    """A Binding; None where its target is no node, which the API server refuses.

    `namespace` and `name` are the request's, and count where the object does not say its own (`name`) or at all. Raises
    MalformedObject with the path to what has a wrong type or is missing.
    """
    top = Fields.of(obj)
    metadata, target = top.inner("metadata"), top.demand("target")
    if target.text("kind") not in ("", "Node"):
        return None
    node, pod = target.text("name"), metadata.text("name") or name
    if not node:
        raise MalformedObject("is missing", target.at("name"))
    if not pod:
        raise MalformedObject("is missing", metadata.at("name"))
    return Binding(namespace, pod, metadata.text("uid"), node)


def bound(pod: Workload, node: str) -> Workload:
    """The pod as its node will have it."""
    return replace(pod, constraints=replace(pod.constraints, node_name=node))


def as_chosen(constraints: PodConstraints) -> PodConstraints:
    """What a pod demands of its node once the scheduler has chosen it: nothing any more.

    Where the two see a node's labels and taints in different states, the binding decides.
    """
    return replace(constraints, node_selector={}, affinity=None, tolerations=_EVERY_TAINT)


def decide_binding(reason: Reason, policy: Policy, pod: Workload, mismatch: Decision) -> Decision:
    """What follows for a binding; `mismatch` is what settings say of one that fails.

    The scheduler forgets a refusal, and picks the same node again: what is not known to fail is never refused, and a
    DaemonSet's pod only where settings say so twice.
    """
    if reason == "mismatch":
        return lesser(mismatch, policy.daemon_set_pods) if of_daemon_set(pod) else mismatch
    if reason == "undetermined":
        return lesser("warn", policy.undetermined)
    return lesser("warn", policy.no_candidates) if reason == "no-candidates" else "allow"


def lesser(one: Decision, other: Decision) -> Decision:
    """The one that stands less in the way."""
    return min(one, other, key=_ORDER.__getitem__)


def unchecked(binding: Binding, problem: str) -> str:
    """The warning where a binding could not be judged, within message.WARNING_LIMIT."""
    return f"podgate: {subject(binding.named, NAME_LIMIT)}: {unchecked_event(binding, problem)}"


def unchecked_event(binding: Binding, problem: str) -> str:
    """The same for an Event, which names its object itself."""
    node = clean(binding.node, NAME_LIMIT)
    return f"not checked on the node {node} that it is bound to: {clean(problem, 70)}"
