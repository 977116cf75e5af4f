"""The JSON document of `podgate check`: the contract for scripts (docs/check.schema.json)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from webhook.core.decision import ImageFinding, Judgement, NodeFinding
from webhook.core.place import NOWHERE, Place
from webhook.core.platform import format_platform

API_VERSION: Final = "podgate.dev/check/v1"


@dataclass(frozen=True, slots=True)
class Checked:
    """One object and where it stood: `source` is file and number of the document (`app.yaml#2`), `place` the lines.

    `place.images` goes with `judgement.workload.images`; `judgement.images` are the same, or none (skipped).
    """

    source: str
    judgement: Judgement
    place: Place = NOWHERE


def check_document(checked: Sequence[Checked]) -> dict[str, Any]:
    """All results as one document."""
    objects = [_object(one) for one in checked]
    return {"apiVersion": API_VERSION, "objects": objects, "summary": summary(checked)}


def summary(checked: Sequence[Checked]) -> dict[str, int]:
    """How many objects were allowed, warned of, denied and passed over; a skipped one is counted as that alone."""
    counts = {"allow": 0, "warn": 0, "deny": 0, "skipped": 0}
    for one in checked:
        counts["skipped" if one.judgement.reason == "skipped" else one.judgement.decision] += 1
    return counts


def _object(one: Checked) -> dict[str, Any]:
    judgement = one.judgement
    workload = judgement.workload
    return {
        "source": one.source,
        "apiVersion": workload.api_version,
        "kind": workload.kind,
        "namespace": workload.namespace,
        "name": workload.name,
        "decision": judgement.decision,
        "reason": judgement.reason,
        "messages": list(judgement.messages),
        "images": [_image(image) for image in judgement.images],
        "nodes": [_node(node, judgement.images) for node in judgement.nodes],
    }


def _image(image: ImageFinding) -> dict[str, Any]:
    error = None if image.error is None else {"code": image.error[0], "message": image.error[1]}
    return {
        "container": image.container,
        "image": image.image,
        "resolved": image.resolved or None,
        "kind": image.kind,
        "platforms": list(image.platforms),
        "error": error,
    }


def _node(finding: NodeFinding, images: Sequence[ImageFinding]) -> dict[str, Any]:
    node = finding.node
    outcomes = [
        {"container": image.container, "outcome": outcome.verdict, "why": outcome.why}
        for image, outcome in zip(images, finding.outcomes, strict=True)
    ]
    return {
        "name": node.name,
        "platform": None if node.platform is None else format_platform(node.platform),
        "runtime": node.runtime.text or None,
        "outcome": finding.verdict,
        "images": outcomes,
    }
