"""What tests of messages speak of: a pod, its images, and nodes with their outcomes."""

from dataclasses import replace

from webhook.core.decision import ImageFinding, NodeFinding
from webhook.core.errors import ErrorCode
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import Outcome, Why, fails, uncertain
from webhook.core.platform import parse_platform
from webhook.core.scheduling import Node
from webhook.core.wording import error_text
from webhook.core.workload import ContainerRole, PodConstraints, Workload

POD = Workload("v1", "Pod", "team", "web", "", (), PodConstraints())
REFUSED = fails("no-matching-entry")
WRONG = fails("config-mismatch")
ADD_AMD64 = "nodeSelector kubernetes.io/arch: amd64"


def demanding(kind: str = "Pod", **constraints: object) -> Workload:
    of = replace(POD, api_version="v1" if kind == "Pod" else "apps/v1", kind=kind, every_node=kind == "DaemonSet")
    return replace(of, constraints=PodConstraints(**constraints))  # type: ignore[arg-type] # by name


def image(
    reference: str = "reg.example/shop/web:1.4",
    *platforms: str,
    container: str = "app",
    role: ContainerRole = "container",
    error: tuple[ErrorCode, str] | None = None,
    stale: bool = False,
) -> ImageFinding:
    kind = "index" if platforms else "unknown"
    return ImageFinding(container, reference, "", kind, platforms, error, stale, role)  # type: ignore[arg-type]


def on(node: str | None, platform: str | None, *outcomes: Outcome) -> NodeFinding:
    its = Node(node, parse_platform(platform) if platform else None)
    return NodeFinding(NodeGroup.of((its,)), outcomes)


AMD = image("reg.example/shop/web:1.4", "linux/amd64")
ARM_ONE = on("arm-1", "linux/arm64", REFUSED)
SELECTS_ARM = {"kubernetes.io/arch": "arm64"}


def broken(code: ErrorCode, text: str = "") -> ImageFinding:
    return image("reg.example/web:1", error=(code, text or error_text(code, "secret team/pull: not JSON")))


def unsure(why: Why, platform: str | None = "linux/amd64") -> NodeFinding:
    return on("n", platform, uncertain(why))


SHORT = replace(image("web:1", "linux/amd64"), on_crio="quay.io/web:1")
OPEN = 'podgate: Pod web: container "app": reg.example/web:1 may not run on n (linux/amd64): '
PLAIN = image("reg.example/web:1")
