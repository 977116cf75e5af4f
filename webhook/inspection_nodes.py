"""`podgate inspect` with nodes: on which of them an image works, and why.

There is no second matcher: a pod of one container that tolerates every taint and demands nothing is judged by the use
case, as the webhook would judge it, and what it says of the nodes is what is shown.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from webhook.core.decision import ImageFinding, NodeFinding
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.grouping import Names
from webhook.core.manifest import Document, Role
from webhook.core.nodepools import UNREAD_NAME
from webhook.core.outcome import Outcome, Why
from webhook.core.platform import format_platform
from webhook.core.reference import Reference
from webhook.core.scheduling import Node, Toleration
from webhook.core.wording import Pools, end_of, mend_of
from webhook.core.workload import ContainerImage, PodConstraints, Workload
from webhook.inspection import NodesAlike
from webhook.ports import Access, Cluster, Image, Images
from webhook.service import Judge, Request
from webhook.settings import Settings

_ANYWHERE: Final = PodConstraints(tolerations=(Toleration(operator="Exists"),))

_RUNS: Final[Mapping[Why, str]] = {
    "fits": "its platform fits",
    "fits-variant-not-given": "os and architecture fit, and it names no variant",
    "fits-by-manifest-list": "by a manifest list; the platform in its config is mislabelled",
    "exempt": "exempt by the settings, and not looked up",
}


async def nodes_for(
    image: str, namespace: str, settings: Settings, images: Images, cluster: Cluster
) -> tuple[NodesAlike, ...]:
    """What becomes of an image on each kind of node, those that settings declare and NodePools may give included.

    `namespace`: whose credentials of the settings count. Raises nothing that a registry or an image can cause.
    """
    # What is asked is what the image does there; that somebody is exempt from being told is another matter.
    exempt = settings.exempt.model_copy(update={"namespaces": ()})
    asked = settings.model_copy(
        update={"mode": "deny", "namespace_label": "ignored", "exempt": exempt, "events": False}
    )
    pod = Workload("v1", "Pod", namespace, "inspect", "", (ContainerImage("image", image),), _ANYWHERE)
    judgement = await Judge(asked, images, cluster).judge(Request(pod))
    return tuple(_alike(judgement.images[0], judgement.findings)) if judgement.findings else ()


def _alike(image: ImageFinding, findings: tuple[NodeFinding, ...]) -> list[NodesAlike]:
    """Groups that only taints or the like tell apart are one to the reader."""
    together: dict[tuple[str | None, str, Outcome, Pools], list[NodeFinding]] = {}
    for found in findings:
        node = found.node
        platform = None if node.platform is None else format_platform(node.platform)
        together.setdefault((platform, node.runtime.text, found.outcomes[0], _pools(node)), []).append(found)
    return [
        NodesAlike(
            platform,
            runtime,
            outcome,
            Names(found.nodes for found in members),
            _RUNS.get(outcome.why) or end_of(outcome.why, image, platform or "", pools),
            _mend(outcome, image, platform, pools),
        )
        for (platform, runtime, outcome, pools), members in together.items()
    ]


def _mend(outcome: Outcome, image: ImageFinding, platform: str | None, pools: Pools) -> str:
    if outcome.verdict == "runs":
        return ""
    return mend_of(outcome.why, image, platform or "the node's platform", pools, "own")


def _pools(node: Node) -> Pools:
    if node.name == UNREAD_NAME:
        return "unread"
    return "open" if node.platform is None and node.may_be else ""


@dataclass(slots=True)
class Answers:
    """ports.Images that gives the same answer again, a fault too: what is told of the requests for an image must not
    hang on how often its parts are looked at."""

    images: Images
    _given: dict[object, object] = field(default_factory=dict)

    async def resolve(self, reference: Reference, access: Access) -> Image:
        """The root document of a reference."""
        found = await self._once(("", reference), lambda: self.images.resolve(reference, access))
        assert isinstance(found, Image)
        return found

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        """A document of the reference's repository by digest."""
        fetched = await self._once(
            (role, reference.name, digest), lambda: self.images.fetch(reference, digest, role, access)
        )
        assert isinstance(fetched, Document)
        return fetched

    def at_hand(self, _reference: Reference, _access: Access) -> Image | None:
        """Never: what is known is given by `resolve`."""
        return None

    def document_at_hand(self, _reference: Reference, _digest: str, _role: Role, _access: Access) -> Document | None:
        """As above."""
        return None

    async def known_lists(self, _reference: Reference, _digest: str, _access: Access) -> tuple[Document, ...]:
        """None: what this run has looked at before must not change what is said."""
        return ()

    async def _once(self, key: object, ask: Callable[[], Awaitable[object]]) -> object:
        if key not in self._given:
            try:
                self._given[key] = await ask()
            except (RegistryError, BadCredentials) as error:
                self._given[key] = error
        given = self._given[key]
        if isinstance(given, RegistryError):
            raise RegistryError(given.code, given.detail, given.exchange, retryable=given.retryable, told=given.told)
        if isinstance(given, BadCredentials):
            raise BadCredentials(given.problem, given.path)
        return given
