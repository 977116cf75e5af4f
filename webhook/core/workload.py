"""Kubernetes objects as far as decisions need them: which images they run, and what they demand of a node."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from webhook.core.errors import MalformedObject
from webhook.core.gotext import trim_space
from webhook.core.kinds import BUILT_IN, JudgedKind, Kinds, api_group
from webhook.core.node import OS_LABEL
from webhook.core.objects import Fields
from webhook.core.scheduling import NodeSelector, Toleration, parse_node_selector, parse_toleration

ContainerRole = Literal["container", "init", "ephemeral", "volume"]


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """One image of a pod: the container's (or volume's) name, the reference as written, and its part in the pod.

    `never_pulled` is imagePullPolicy Never (for a volume: pullPolicy Never): the node runs what it has.
    """

    container: str
    image: str
    role: ContainerRole = "container"
    never_pulled: bool = False


@dataclass(frozen=True, slots=True)
class PodConstraints:
    """What a pod (or a template's pods) demands of a node, and whose secrets it pulls with.

    `node_name` empty: not bound. `affinity` None: no required node affinity. `os_name` is spec.os.name, empty where not
    given; `os_label` is the pod's own label kubernetes.io/os, None where it has none (an empty one is one that no node
    meets). `pull_secrets` are names in the pod's namespace, in order; for a pod in a review only these count, since
    ServiceAccount admission has filled them in. `gated`: it has scheduling gates, and so can still be narrowed.
    `devices` are the extended resources that containers ask for (nvidia.com/gpu), each once.
    """

    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: NodeSelector | None = None
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""
    os_name: str = ""
    os_label: str | None = None
    service_account: str = ""
    pull_secrets: tuple[str, ...] = ()
    gated: bool = False
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """An object of a kind that is judged.

    `images` holds each image of initContainers, containers, ephemeralContainers and image volumes, in that order of the
    pod; blank images of templates are left out. `owner` is the controlling owner's (apiVersion, kind, name) or None,
    `owner_uid` its uid. `template` is true for everything but a Pod. `suspended`: the spec.suspend of a Job or CronJob,
    or of the Jobs that a CronJob makes. `mirror`: it has the annotation of a mirror pod, which anybody can set (in a
    review the requester decides whether it is one). `every_node`: of an object with a template that its pods go to each
    node that takes them, as a DaemonSet's do; of a pod that such an object made it. `has_template`: false where an
    object of a further kind says nothing of pods (a Rollout that refers to a Deployment), and where another controller
    than Kubernetes' own makes pods of a Job: often in another cluster, as with MultiKueue.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    images: tuple[ContainerImage, ...]
    constraints: PodConstraints
    owner: tuple[str, str, str] | None = None
    deleting: bool = False
    suspended: bool = False
    mirror: bool = False
    owner_uid: str = ""
    every_node: bool = False
    has_template: bool = True

    @property
    def template(self) -> bool:
        """Whether the pod is still to be made from this object's template."""
        return not _is_pod(self.api_version, self.kind)


_JOB_CONTROLLER: Final = "kubernetes.io/job-controller"
"""The spec.managedBy of a Job that Kubernetes itself makes pods of (k8s.io/api v0.37.2, batch/v1)."""


def _is_pod(api_version: str, kind: str) -> bool:
    return kind == "Pod" and api_group(api_version) == ""


MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"
"""What the kubelet puts on the API's picture of a static pod (k8s.io/kubernetes, pkg/kubelet/types)."""


def parse_workload(obj: Mapping[str, object], kinds: Kinds = BUILT_IN, resource: str = "") -> Workload | None:
    """An object of a kind that is judged; None where it is of another kind. `resource`: its plural, where that is told.

    Reads whatever the API server accepts, in any version of a judged kind's group. Raises MalformedObject with the path
    to the field that has a wrong type or is missing.
    """
    top = Fields.of(obj)
    api_version, kind = top.text("apiVersion"), top.text("kind")
    if not kind:
        raise MalformedObject("is missing", "kind")
    judged = kinds.find(api_version, kind, resource)
    if judged is None:
        return None
    return _parse(top, judged, kinds)


def image_fields(obj: Mapping[str, object], kinds: Kinds = BUILT_IN) -> tuple[tuple[Mapping[str, object], str], ...]:
    """The mapping and the key that hold each image of an object that parse_workload has read, in the same order: for
    whoever knows where in a text they stand."""
    top = Fields.of(obj)
    judged = kinds.find(top.text("apiVersion"), top.text("kind"))
    pod = _template(top, judged)[0] if judged is not None else None
    if judged is None or pod is None:
        return ()
    found = _image_fields(pod.demand("spec"), template=bool(judged.way))
    return tuple((fields.values, key) for _, fields, key in found)


def what_matters(workload: Workload) -> tuple[object, ...]:
    """A value that is equal before and after an update exactly where nothing that decides has changed.

    That is every image with its part in the pod, and all that the pod demands of a node or pulls with. Gates and
    suspension are left out: taking them away is how a narrowed pod is let go, and must not be judged anew for it.
    """
    needs = workload.constraints
    return (
        workload.images,
        frozenset(needs.node_selector.items()),
        needs.affinity,
        needs.tolerations,
        (needs.node_name, needs.runtime_class, needs.os_name, needs.os_label),
        (needs.service_account, needs.pull_secrets),
        needs.devices,
    )


def length_of_what_matters(workload: Workload) -> int:
    """Characters of that value: who keeps many of them has to know, since there is no limit to what a pod demands."""
    needs = workload.constraints
    terms = needs.affinity.terms if needs.affinity else ()
    wanted = (one for term in terms for one in (*term.expressions, *term.fields))
    texts = (
        *(text for image in workload.images for text in (image.container, image.image)),
        *(text for pair in needs.node_selector.items() for text in pair),
        *(text for one in wanted for text in (one.key, one.operator, *one.values)),
        *(text for one in needs.tolerations for text in (one.key, one.operator, one.value, one.effect)),
        *(needs.node_name, needs.runtime_class, needs.os_name, needs.os_label or ""),
        *(needs.service_account, *needs.pull_secrets, *needs.devices),
    )
    return sum(map(len, texts))


def _parse(top: Fields, judged: JudgedKind, kinds: Kinds) -> Workload:
    metadata, api_version, kind = top.inner("metadata"), top.text("apiVersion"), top.text("kind")
    owner, owner_uid = _controller(metadata)
    pod, suspended = _template(top, judged)
    spec = pod.demand("spec") if pod is not None else None
    # Of a pod the kind that made it decides.
    maker = kinds.owner(owner) if _is_pod(api_version, kind) else judged
    return Workload(
        api_version=api_version,
        kind=kind,
        namespace=metadata.text("namespace"),
        name=metadata.text("name") or metadata.text("generateName"),
        uid=metadata.text("uid"),
        images=() if spec is None else tuple(_images(spec, template=bool(judged.way))),
        constraints=PodConstraints() if pod is None or spec is None else _constraints(pod.inner("metadata"), spec),
        owner=owner,
        deleting=_deleting(metadata),
        suspended=suspended,
        mirror=MIRROR_ANNOTATION in metadata.string_map("annotations"),
        owner_uid=owner_uid,
        every_node=maker is not None and maker.every_node,
        has_template=spec is not None,
    )


def _template(top: Fields, judged: JudgedKind) -> tuple[Fields | None, bool]:
    """What has the form of a pod, and whether the object is suspended.

    None where an object of a further kind has none, or one without a container: its schema need not demand either. So
    it is of a Job that another controller than Kubernetes' own makes pods of.
    """
    if judged.further:
        return _lax_template(top, judged.way), False
    pod, suspended, managed_by = top, False, ""
    for step in judged.way:
        pod = pod.demand(step)
        if top.text("kind") in ("Job", "CronJob") and step == "spec":
            suspended = suspended or pod.flag("suspend")
            managed_by = pod.text("managedBy")
    return (pod if managed_by in ("", _JOB_CONTROLLER) else None), suspended


def _lax_template(top: Fields, way: tuple[str, ...]) -> Fields | None:
    pod: Fields | None = top
    for step in way:
        pod = pod.maybe(step) if pod is not None else None
    spec = pod.maybe("spec") if pod is not None else None
    return pod if spec is not None and any(True for _ in spec.objects("containers")) else None


def _controller(metadata: Fields) -> tuple[tuple[str, str, str] | None, str]:
    """The controlling owner, and its uid: the first reference with controller true (metav1.GetControllerOf)."""
    for reference in metadata.objects("ownerReferences"):
        if reference.flag("controller"):
            owner = reference.text("apiVersion"), reference.text("kind"), reference.text("name")
            return owner, reference.text("uid")
    return None, ""


def _deleting(metadata: Fields) -> bool:
    """Whether deletionTimestamp is set. A YAML reader may have made a date of it, so that other scalars count too."""
    stamp = metadata.get("deletionTimestamp")
    if isinstance(stamp, bool | int | float | Mapping | list | tuple):
        raise metadata.refuse("deletionTimestamp", "a time", stamp)
    return stamp is not None


_CONTAINER_LISTS: Final[tuple[tuple[str, ContainerRole], ...]] = (
    ("initContainers", "init"),
    ("containers", "container"),
    ("ephemeralContainers", "ephemeral"),
)


_FILLED_IN_BY_ISTIO: Final = ("istio-proxy", "auto")
"""The container and the image in whose place Istio's webhook puts its proxy, as its charts of gateways write them."""


def _images(spec: Fields, *, template: bool) -> Iterator[ContainerImage]:
    """The images of a pod. In a template a blank image is passed over: something fills it in before there is a pod."""
    if not any(True for _ in spec.objects("containers")):
        raise MalformedObject("is missing or empty", spec.at("containers"))
    return (image for image, _, _ in _image_fields(spec, template=template))


def _image_fields(spec: Fields, *, template: bool) -> Iterator[tuple[ContainerImage, Fields, str]]:
    """The images of a pod, each with the object and the field that its reference stands in."""
    for key, role in _CONTAINER_LISTS:
        for container in spec.objects(key):
            image = container.text("image")
            never = container.text("imagePullPolicy") == "Never"
            name = container.text("name")
            if not template or (trim_space(image) and (name, image) != _FILLED_IN_BY_ISTIO):
                yield ContainerImage(name, image, role, never_pulled=never), container, "image"
    for volume in spec.objects("volumes"):
        source = volume.maybe("image")
        if source is not None:
            image = source.text("reference")
            never = source.text("pullPolicy") == "Never"
            name = volume.text("name")
            if trim_space(image) or not template:
                yield ContainerImage(name, image, "volume", never_pulled=never), source, "reference"


def _constraints(metadata: Fields, spec: Fields) -> PodConstraints:
    required = spec.inner("affinity").inner("nodeAffinity").maybe("requiredDuringSchedulingIgnoredDuringExecution")
    return PodConstraints(
        node_name=spec.text("nodeName"),
        node_selector=spec.string_map("nodeSelector"),
        affinity=None if required is None else parse_node_selector(required),
        tolerations=tuple(parse_toleration(item) for item in spec.objects("tolerations")),
        runtime_class=spec.text("runtimeClassName"),
        os_name=spec.inner("os").text("name"),
        os_label=metadata.string_map("labels").get(OS_LABEL),
        # serviceAccount is the older name of the field; the API server fills in both, a file may hold only this one.
        service_account=spec.text("serviceAccountName") or spec.text("serviceAccount"),
        pull_secrets=tuple(item.text("name") for item in spec.objects("imagePullSecrets")),
        gated=any(True for _ in spec.objects("schedulingGates")),
        devices=tuple(sorted(set(_devices(spec)))),
    )


def _devices(spec: Fields) -> Iterator[str]:
    """The extended resources that containers ask for, by the rules of IsExtendedResourceName (k8s.io/kubernetes
    v1.37.2, pkg/apis/core/helper). A limit without a request is one. What has no form is passed over: it says nothing.
    """
    for key in ("initContainers", "containers"):
        for container in spec.objects(key):
            resources = container.get("resources")
            if not isinstance(resources, Mapping):
                continue
            for named in (resources.get("requests"), resources.get("limits")):
                for name in named if isinstance(named, Mapping) else ():
                    if isinstance(name, str) and "/" in name and "kubernetes.io/" not in name:
                        yield name


def parse_pod_spec(obj: Mapping[str, object], path: str = "spec") -> PodConstraints:
    """The constraints of a PodSpec alone. `path` is where it stands, for the errors (MalformedObject)."""
    return _constraints(Fields({}), Fields(obj, path))
