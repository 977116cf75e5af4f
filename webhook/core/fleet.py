"""The pods of a cluster by who wants them: what a person would have to mend, and how many pods hang on it.

Objects come one by one and are reduced at once: of ten thousand pods what is left are the kinds of pods that there are
and how many of each. What is judged is the pod as it would be scheduled anew, with all that admission has put into it:
the node it happens to lie on says nothing about those it may land on next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from webhook.core.kinds import BUILT_IN, JUDGED, Kinds, api_group
from webhook.core.objects import Fields
from webhook.core.workload import PodConstraints, Workload, parse_workload, what_matters

_ENDED: Final = ("Succeeded", "Failed")
"""Phases of pods that never run again (core/v1 PodPhase)."""

_MADE_BY_THE_WAY: Final = frozenset({("apps", "ReplicaSet"), ("batch", "Job"), ("", "ReplicationController")})
"""Kinds that others make for each revision or run: without pods they are history, and not what comes next."""

_MAKERS: Final = {("apps", "ReplicaSet"): ("apps", "Deployment"), ("batch", "Job"): ("batch", "CronJob")}
"""What Kubernetes' own kinds make, other than pods. Whatever else names one of them as its owner is to go when that
goes, and stands for itself: the DaemonSet that an operator has made, whose owner is the operator's Deployment."""

_MOST_OWNERS: Final = 8
"""Owners above a pod that are followed; a CronJob's pod has two. References are anybody's word, and may form a ring."""

_REVISION_LABELS: Final = ("controller-revision-hash", "pod-template-generation")
_TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
"""How a StatefulSet's (status.updateRevision) and a DaemonSet's pods say which template they were made from
(k8s.io/api, apps/v1)."""

_TEMPLATE_HASH: Final = "pod-template-hash"
"""A label that a Deployment's controller puts on ReplicaSets and their pods; the ReplicaSet's name is the Deployment's
with its value behind it (k8s.io/api, apps/v1, DefaultDeploymentUniqueLabelKey)."""

_NUMBER: Final[Mapping[str, tuple[str, str]]] = {
    "DaemonSet": ("status", "desiredNumberScheduled"),
    "Job": ("spec", "parallelism"),
}
"""Where an object says how many pods it wants, other than in spec.replicas."""

Key = tuple[str, str, str, str]
"""API group, kind, namespace and name: references name no version, and files need not hold uids."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who wants pods: what a person would edit. `namespace` is empty where the object is in none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """As kubectl writes it, with the namespace: `Deployment shop/web`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class PodGroup:
    """Pods of one owner of which nothing that decides differs: what to judge for all, and how many there are.

    `replicas` is 0 for a template of which there is no pod now: a CronJob between its runs, a workload scaled to zero,
    a rollout that has made none yet. `by_word`: nobody has seen the pods, their owner says how many it wants.
    """

    owner: Owner
    workload: Workload
    replicas: int
    by_word: bool = False


@dataclass(frozen=True, slots=True)
class _Template:
    """An object that pods are made from. `wanted`: how many, by its own word; `over`: a Job that has ended; `asked`:
    whether somebody wants to know of it, and not of its pods alone."""

    workload: Workload
    owner: Key | None
    revision: str
    wanted: int
    over: bool
    asked: bool = True


@dataclass(slots=True)
class _Pods:
    """Pods that are alike, and made by the same object; `revisions`: what their labels say of the template. `above`:
    the Deployment of a ReplicaSet, by its name; None where there is none."""

    maker: Key
    workload: Workload
    above: Key | None = None
    count: int = 0
    revisions: set[str] = field(default_factory=set)


class Fleet:
    """Pods and what they are made from. Objects may come in any order."""

    def __init__(self, kinds: Kinds = BUILT_IN) -> None:
        self._kinds = kinds
        self._templates: dict[Key, _Template] = {}
        self._pods: dict[tuple[object, ...], _Pods] = {}

    @property
    def has_pods(self) -> bool:
        """Whether any pod has come that runs, or will."""
        return bool(self._pods)

    @property
    def unknown_makers(self) -> tuple[Owner, ...]:
        """DaemonSets whose pods have come, and which have not themselves. Their controller has put the node that each
        pod is for in the place of the node affinity that they ask for, which therefore nobody knows."""
        lost = (pods.maker for pods in self._pods.values() if pods.workload.every_node)
        return tuple(_owner(maker) for maker in dict.fromkeys(lost) if maker not in self._templates)

    def __len__(self) -> int:
        """Pods that run, or will."""
        return sum(pods.count for pods in self._pods.values())

    def take(self, obj: Mapping[str, object], resource: str = "", namespace: str = "default") -> bool:
        """Takes one object over; False where its kind has no pods. `resource`: its plural, where somebody has told it.
        `namespace`: of an object that names none.

        Pods that have ended or are going, and those that a kubelet shows of its own (static ones), do not count. Raises
        MalformedObject.
        """
        workload = parse_workload(obj, self._kinds, resource)
        if workload is None:
            return False
        workload = replace(workload, namespace=workload.namespace or namespace)
        if workload.template:
            self._take_template(Fields.of(obj), workload)
        elif not (workload.deleting or workload.mirror or Fields.of(obj).inner("status").text("phase") in _ENDED):
            self._take_pod(Fields.of(obj), workload)
        return True

    def take_aside(self, obj: Mapping[str, object], resource: str = "") -> None:
        """Takes an object over that pods are made from, for their sake: without any it is not judged. One that was
        taken over before stays as it is. Raises MalformedObject."""
        workload = parse_workload(obj, self._kinds, resource)
        if workload is not None and workload.template:
            self._take_template(Fields.of(obj), workload, asked=False)

    def groups(self, *, by_word: bool = False) -> Iterator[PodGroup]:
        """All there is to judge. `by_word`: pods need not have been asked for, so that an object of which there are
        none counts as many times as it says itself.

        Nothing in it has an owner any more, so that the service passes over none of it for that.
        """
        made: dict[Key, list[_Pods]] = {}
        for pods in self._pods.values():
            maker = pods.maker
            if maker not in self._templates and pods.above is not None:  # nobody has listed or saved the ReplicaSet
                maker = pods.above
            root, top = self._chain(maker)
            if top:
                made.setdefault(top, []).append(pods)
            yield PodGroup(_owner(root), _anew(pods.workload, self._templates.get(maker)), pods.count)
        for key, template in self._templates.items():
            root, top = self._chain(key)
            pods_of_it = made.get(key, [])
            if top == key and self._counts(key, template, pods_of_it):
                workload = replace(template.workload, owner=None, deleting=False)
                told = by_word and not pods_of_it
                yield PodGroup(_owner(root), workload, template.wanted if told else 0, told)

    def _take_template(self, top: Fields, workload: Workload, *, asked: bool = True) -> None:
        group = api_group(workload.api_version)
        if (group, workload.kind) == ("", "PodTemplate"):
            return  # nobody makes pods of it
        status = top.inner("status")
        revision = status.text("updateRevision") or top.inner("metadata").string_map("annotations").get(
            _TEMPLATE_GENERATION, ""
        )
        over = workload.kind == "Job" and any(
            one.text("type") in ("Complete", "Failed") and one.text("status") == "True"
            for one in status.objects("conditions")
        )
        key = group, workload.kind, workload.namespace, workload.name
        owner = _reference(workload)
        if owner is not None and owner[:2] in JUDGED and owner[:2] != _MAKERS.get(key[:2]):
            owner = None
        if asked or key not in self._templates:
            wanted = _wanted(top, workload.kind)
            self._templates[key] = _Template(workload, owner, revision, wanted, over, asked)

    def _take_pod(self, top: Fields, workload: Workload) -> None:
        maker = _reference(workload) or ("", "Pod", workload.namespace, workload.name)
        # A DaemonSet's controller pins each pod to its node; what the template asks for counts instead.
        affinity = None if workload.every_node else workload.constraints.affinity
        constraints = replace(workload.constraints, node_name="", affinity=affinity)
        # Whoever debugs a pod adds a container to this one alone.
        images = tuple(image for image in workload.images if image.role != "ephemeral")
        workload = replace(workload, constraints=constraints, images=images)
        labels = top.inner("metadata").string_map("labels")
        above = _deployment(maker, labels.get(_TEMPLATE_HASH, ""))
        pods = self._pods.setdefault((maker, *what_matters(workload)), _Pods(maker, workload, above))
        pods.count += 1
        pods.revisions.update(labels[key] for key in _REVISION_LABELS if key in labels)

    def _chain(self, maker: Key) -> tuple[Key, Key | None]:
        """Who is at the top of the owners of what `maker` makes, and the topmost that has the template; None where none
        of them is known. In a ring nobody is at the top: each of it stands for itself."""
        first, top = maker, None
        seen: set[Key] = set()
        while (template := self._templates.get(maker)) is not None and len(seen) < _MOST_OWNERS:
            seen.add(maker)
            if template.workload.has_template:
                top = maker
            if template.owner is None:
                break
            if template.owner in seen:
                return first, first
            maker = template.owner
        return maker, top

    def _counts(self, key: Key, template: _Template, pods: list[_Pods]) -> bool:
        """Whether a template has to be judged beside its pods: no pod has been made of it as it is now."""
        if template.over or template.workload.deleting or not template.workload.has_template:
            return False
        if not pods:
            return template.asked and (template.owner is None or key[:2] not in _MADE_BY_THE_WAY)
        return not any(self._made_from(template, one) for one in pods)

    def _made_from(self, template: _Template, pods: _Pods) -> bool:
        """Whether pods are of the template as it is now, whatever admission has put into them since."""
        maker = self._templates.get(pods.maker)
        if maker is not None and maker is not template and _same(maker.workload, template.workload):
            return True
        told = bool(template.revision) and template.revision in pods.revisions
        return told or _holds(pods.workload, template.workload)


def _reference(workload: Workload) -> Key | None:
    if workload.owner is None:
        return None
    version, kind, name = workload.owner
    return api_group(version), kind, workload.namespace, name


def _deployment(maker: Key, template_hash: str) -> Key | None:
    """The Deployment whose ReplicaSet this is; None where it is no Deployment's."""
    name = maker[3].removesuffix(f"-{template_hash}")
    if maker[:2] != ("apps", "ReplicaSet") or not template_hash or name in ("", maker[3]):
        return None
    return "apps", "Deployment", maker[2], name


def _owner(key: Key) -> Owner:
    return Owner(*key[1:])


def _anew(pod: Workload, template: _Template | None) -> Workload:
    """A pod as it would be made again: where its template names a node, that one; of a DaemonSet, on each node that
    the template asks for. `template`: what has made the pod itself, not who is above that."""
    if template is None or not template.workload.has_template:
        return replace(pod, owner=None)
    if template.workload.every_node:
        constraints = replace(template.workload.constraints, pull_secrets=pod.constraints.pull_secrets)
        return replace(template.workload, images=pod.images, constraints=constraints, owner=None, deleting=False)
    named = template.workload.constraints.node_name
    return replace(pod, owner=None, constraints=replace(pod.constraints, node_name=named))


def _same(one: Workload, other: Workload) -> bool:
    return what_matters(one) == what_matters(other)


def _holds(pod: Workload, template: Workload) -> bool:
    """Whether a pod has all that the template asks for. It may have more: sidecars, tolerations, defaults."""
    there, asked = pod.constraints, template.constraints
    images = {(image.role, image.container, image.image) for image in pod.images}
    return (
        all((image.role, image.container, image.image) in images for image in template.images)
        and asked.node_selector.items() <= there.node_selector.items()
        and (template.every_node or asked.affinity == there.affinity)
        and asked.runtime_class in ("", there.runtime_class)
    )


def _wanted(top: Fields, kind: str) -> int:
    """How many pods an object wants, by its own word; 1 where that is Kubernetes' default, or it is for each node and
    nobody has counted; a CronJob none until it is time."""
    if kind == "CronJob":
        return 0
    part, key = _NUMBER.get(kind, ("spec", "replicas"))
    value = top.inner(part).get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 1


def without_demands(workload: Workload) -> Workload:
    """The same images in a pod that demands nothing of a node: what becomes of them on nodes that it cannot land on."""
    kept = workload.constraints
    free = PodConstraints(service_account=kept.service_account, pull_secrets=kept.pull_secrets)
    return replace(workload, constraints=free, every_node=False)
