"""The JSON document of `podgate scan`: the contract for scripts (docs/scan.schema.json)."""

import json
from typing import Any, Final, TextIO

from webhook.core.fleet import Owner
from webhook.report.survey import Cell, Column, Count, ImageSurvey, Suggestion, Survey, Use, WorkloadSurvey

API_VERSION: Final = "podgate.dev/scan/v1"


def write_json(survey: Survey, stream: TextIO) -> None:
    """Writes the document."""
    stream.write(json.dumps(scan_document(survey), indent=2) + "\n")


def scan_document(survey: Survey) -> dict[str, Any]:
    """A survey as one document."""
    return {
        "apiVersion": API_VERSION,
        "columns": [_column(column) for column in survey.columns],
        "images": [_image(image, survey.columns) for image in survey.images],
        "workloads": [_workload(workload) for workload in survey.workloads],
        "namespaces": [
            {"name": one.name, "replicas": _count(one.replicas), "workloads": _count(one.workloads)}
            for one in survey.namespaces
        ],
        "summary": {"replicas": _count(survey.replicas), "workloads": _count(survey.workload_count)},
        "notes": list(survey.notes),
        "problems": list(survey.problems),
    }


def _column(column: Column) -> dict[str, Any]:
    return {"name": column.name, "platform": column.platform, "nodes": column.nodes, "kind": column.kind}


def _image(image: ImageSurvey, columns: tuple[Column, ...]) -> dict[str, Any]:
    cells = zip(columns, image.cells, strict=True)
    return {
        "image": image.image,
        "resolved": image.resolved or None,
        "kind": image.kind,
        "platforms": list(image.platforms),
        "error": None if image.error is None else {"code": image.error[0], "message": image.error[1]},
        "state": image.state,
        "replicas": image.replicas,
        "replicasBlocked": image.replicas_blocked,
        "outcomes": [{"column": column.name, **_cell(cell)} for column, cell in cells if cell is not None],
        "uses": [_use(use) for use in image.uses],
        "suggestion": None if image.suggestion is None else _suggestion(image.suggestion),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {"outcome": cell.verdict, "why": cell.why, "replicas": cell.replicas, "others": list(cell.others)}


def _use(use: Use) -> dict[str, Any]:
    return {
        **_owner(use.owner),
        "containers": list(use.containers),
        "replicas": use.replicas,
        "state": use.state,
        "fails": use.blocked,
        "why": use.why,
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "image": suggestion.image,
        "tag": suggestion.tag,
        "digest": suggestion.digest,
        "platforms": list(suggestion.platforms),
        "sameTag": suggestion.same_tag,
    }


def _workload(workload: WorkloadSurvey) -> dict[str, Any]:
    return {
        **_owner(workload.owner),
        "replicas": workload.replicas,
        "state": workload.state,
        "reason": workload.reason,
        "failsOn": list(workload.missing),
        "demands": list(workload.demands),
    }


def _owner(owner: Owner) -> dict[str, Any]:
    return {"kind": owner.kind, "namespace": owner.namespace, "name": owner.name}


def _count(count: Count) -> dict[str, int]:
    return {
        "ready": count.ready,
        "partial": count.partial,
        "blocked": count.blocked,
        "unknown": count.unknown,
        "skipped": count.skipped,
    }
