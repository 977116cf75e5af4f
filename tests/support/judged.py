"""Judged objects for tests of reports, made without a registry: which image fares how on which platform is said."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tests.support.manifests import pod
from webhook.core.decision import Decision, ImageFinding, Judgement, NodeFinding, Reason
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import Outcome, fails, runs, uncertain
from webhook.core.place import NOWHERE, Place, Span
from webhook.core.platform import parse_platform
from webhook.core.scheduling import Node
from webhook.core.workload import parse_workload
from webhook.report.document import Checked

OUTCOMES: Mapping[str, Outcome] = {
    "runs": runs("fits"),
    "fails": fails("no-matching-entry"),
    "uncertain": uncertain("image-unresolved"),
}


def checked(
    decision: Decision,
    reason: Reason,
    outcomes: Sequence[str] = ("fails",),
    messages: Sequence[str] = ("podgate: Pod web: no",),
    place: Place = NOWHERE,
    **metadata: Any,
) -> Checked:
    """A pod with an image for each outcome, on one arm64 node; without outcomes it has not been looked at."""
    containers = [
        {"name": f"app{number}", "image": f"reg.example/app{number}:1"} for number in range(len(outcomes) or 1)
    ]
    manifest = pod(containers=containers)
    manifest["metadata"] = {"name": "web", "namespace": "shop", **metadata}
    workload = parse_workload(manifest)
    assert workload is not None
    images = tuple(ImageFinding(one["name"], one["image"]) for one in containers[: len(outcomes)])
    node = Node("arm-1", parse_platform("linux/arm64"))
    findings = (NodeFinding(NodeGroup.of((node,)), tuple(OUTCOMES[each] for each in outcomes)),) if outcomes else ()
    judged = Judgement(workload, decision, reason, "deny", tuple(messages), images, findings)
    return Checked(f"{place.file or 'app.yaml'}#1", judged, place)


def at(file: str, *lines: int, start: int = 1) -> Place:
    """A place whose object begins at `start`, with an image at column 12 to 34 of each further line."""
    images = tuple(Span(line, 12, line, 34) for line in lines)
    return Place(file, Span(start, 1, start, 11), cast("tuple[Span | None, ...]", images))
