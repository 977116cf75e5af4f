"""Kubernetes objects as far as decisions need them: which images they run, and what they demand of a node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from webhook.core.scheduling import NodeSelector, Toleration

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

    `node_name` empty: not bound. `affinity` None: no required node affinity. `os_name` is spec.os.name, `os_label` the
    pod's own label kubernetes.io/os; both empty where not given. `pull_secrets` are names in the pod's namespace, in
    order; for a pod in a review only these count, since ServiceAccount admission has filled them in.
    """

    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: NodeSelector | None = None
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""
    os_name: str = ""
    os_label: str = ""
    service_account: str = ""
    pull_secrets: tuple[str, ...] = ()
    gated: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """An object of a kind that is judged.

    `images` holds each image of initContainers, containers, ephemeralContainers and image volumes, in that order of the
    pod; blank images of templates are left out. `owner` is the controlling owner's (apiVersion, kind, name) or None.
    `template` is true for everything but a Pod. `suspended` is a Job's or CronJob's spec.suspend.
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

    @property
    def template(self) -> bool:
        """Whether the pod is still to be made from this object's template."""
        return self.kind != "Pod"
