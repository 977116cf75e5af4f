"""The JSON document of `podgate inspect`: the contract for scripts (docs/inspect.schema.json)."""

from collections.abc import Sequence
from typing import Any, Final

from webhook.core.descriptor import Descriptor
from webhook.core.platform import Platform, format_platform
from webhook.core.reference import Reference
from webhook.core.trace import Answered, Exchanged
from webhook.inspection import Entry, Fault, Inspection, NodesAlike

API_VERSION: Final = "podgate.dev/inspect/v1"


def inspect_document(inspections: Sequence[Inspection]) -> dict[str, Any]:
    """All results as one document."""
    return {"apiVersion": API_VERSION, "images": [_image(one) for one in inspections]}


def _image(one: Inspection) -> dict[str, Any]:
    root, offer = one.root, one.offer
    return {
        "image": one.image,
        "reference": None if one.reference is None else _reference(one.reference),
        "resolved": None if root is None or one.reference is None else f"{one.reference.name}@{root.digest}",
        "digest": None if root is None else root.digest,
        "mediaType": None if root is None else root.media_type or None,
        "size": None if root is None else len(root.body),
        "kind": "unknown" if offer is None else offer.kind,
        "artifactType": None if offer is None else offer.artifact_type or None,
        "platforms": [] if offer is None else [format_platform(platform) for platform in offer.platforms],
        "config": None if offer is None or offer.config is None else _config(offer.config, offer.platform),
        "entries": None if offer is None or offer.kind != "index" else [_entry(entry) for entry in offer.entries],
        "notes": [] if offer is None else list(offer.notes),
        "stale": one.stale,
        "error": _error(one.fault),
        "nodes": None if one.nodes is None else [_nodes(group) for group in one.nodes],
        "answers": [_answer(answer) for answer in one.trace.answers],
        "requests": [_request(request) for request in one.trace.requests],
        "fromCache": one.trace.from_cache,
    }


def _reference(reference: Reference) -> dict[str, Any]:
    return {
        "registry": reference.domain,
        "repository": reference.path,
        "tag": reference.tag or (None if reference.digest else "latest"),
        "digest": reference.digest or None,
    }


def _config(descriptor: Descriptor, platform: Platform | None) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type or None,
        "digest": descriptor.digest,
        "size": descriptor.size,
        "platform": None if platform is None else _platform(platform),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    descriptor = entry.descriptor
    return {
        "digest": descriptor.digest,
        "mediaType": descriptor.media_type or None,
        "size": descriptor.size,
        "platform": None if descriptor.platform is None else _platform(descriptor.platform),
        "attestation": descriptor.attestation,
        "artifactType": descriptor.artifact_type or None,
        "annotations": dict(descriptor.annotations),
        "entries": None if entry.entries is None else [_entry(nested) for nested in entry.entries],
        "cut": entry.cut,
        "error": _error(entry.fault),
    }


def _platform(platform: Platform) -> dict[str, Any]:
    """As the image spec has it; what is not given is empty there, too."""
    return {
        "os": platform.os,
        "architecture": platform.architecture,
        "variant": platform.variant,
        "os.version": platform.os_version,
        "os.features": list(platform.os_features),
    }


def _error(fault: Fault | None) -> dict[str, str] | None:
    return None if fault is None else {"code": fault[0], "message": fault[1]}


def _nodes(group: NodesAlike) -> dict[str, Any]:
    return {
        "platform": group.platform,
        "runtime": group.runtime or None,
        "count": len(group.names),
        "names": list(group.names),
        "outcome": group.outcome.verdict,
        "why": group.outcome.why,
        "message": group.text,
        "mend": group.mend or None,
    }


def _answer(answer: Answered) -> dict[str, Any]:
    return {
        "what": answer.what,
        "name": answer.name,
        "host": answer.host,
        "mirror": answer.mirror,
        "credential": answer.credential or None,
    }


def _request(request: Exchanged) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "status": request.status,
        "error": request.error,
        "seconds": round(request.seconds, 3),
    }
