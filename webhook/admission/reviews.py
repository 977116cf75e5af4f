"""AdmissionReview v1 (admission.k8s.io): what comes, what goes back. Parsed once, here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"

NOT_UNDERSTOOD: Final[Mapping[str, str]] = MappingProxyType({"decision": "allow", "reason": "not-understood"})
"""The audit annotations of a request that was let through since it could not be read."""


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """The request of a review. `object` and `old` are None where the API server sends null (DELETE, CREATE). `trace`:
    the HTTP headers by which an API server that traces tells of its trace (W3C Trace Context), by name.
    `large`: so large that it is read beside the event loop."""

    uid: str
    operation: str
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    groups: tuple[str, ...]
    object: Mapping[str, Any] | None
    old: Mapping[str, Any] | None
    dry_run: bool
    trace: Mapping[str, str] = field(default_factory=dict)
    large: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: allowed or not, a denial's text, warnings of a line each, audit annotations without a slash."""

    allowed: bool = True
    message: str = ""
    warnings: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    def review(self, uid: str) -> dict[str, Any]:
        """The AdmissionReview for the API server; a denial has code 403 and reason Forbidden."""
        response: dict[str, Any] = {"uid": uid, "allowed": self.allowed}
        if not self.allowed:
            response["status"] = {"code": 403, "reason": "Forbidden", "message": self.message}
        if self.warnings:
            response["warnings"] = list(self.warnings)
        if self.annotations:
            response["auditAnnotations"] = dict(self.annotations)
        return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


Review = Callable[[ReviewRequest, float], Awaitable[Answer]]
"""The one entry: a request, and the event loop's time by which it must be answered."""


def uid_of(review: object) -> str:
    """The uid of whatever came, empty where it has none: an answer needs it even where nothing else can be read."""
    request = review.get("request") if isinstance(review, Mapping) else None
    return _text(request, "uid") if isinstance(request, Mapping) else ""


def parse_review(review: object) -> ReviewRequest | None:
    """The request of an AdmissionReview; None where this is none."""
    request = review.get("request") if isinstance(review, Mapping) else None
    if not isinstance(request, Mapping):
        return None
    resource = _mapping(request, "resource")
    groups = _mapping(request, "userInfo").get("groups")
    return ReviewRequest(
        uid=_text(request, "uid"),
        operation=_text(request, "operation"),
        group=_text(resource, "group"),
        version=_text(resource, "version"),
        resource=_text(resource, "resource"),
        subresource=_text(request, "subResource"),
        namespace=_text(request, "namespace"),
        name=_text(request, "name"),
        groups=tuple(group for group in groups if isinstance(group, str)) if isinstance(groups, list) else (),
        object=_mapping(request, "object") or None,
        old=_mapping(request, "oldObject") or None,
        dry_run=request.get("dryRun") is True,
    )


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""
