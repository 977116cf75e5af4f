"""kopf's side of admission: which resources are dispatched, and the way a review goes through kopf.

kopf keeps a record of every object of an UPDATE review for ever and copies each deeply, and its handlers see neither
uid nor timeout and can give no audit annotations. So kopf is handed a stub (resource, operation, a minimal object with
one constant uid), and the real review travels beside it in a ContextVar; the answer comes back the same way.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import kopf

from webhook.admission.reviews import Answer, Review, ReviewRequest

RESOURCES: Final = (
    ("", "v1", "pods"),
    ("", "v1", "bindings"),
    ("", "v1", "replicationcontrollers"),
    ("", "v1", "podtemplates"),
    ("apps", "v1", "deployments"),
    ("apps", "v1", "replicasets"),
    ("apps", "v1", "statefulsets"),
    ("apps", "v1", "daemonsets"),
    ("batch", "v1", "jobs"),
    ("batch", "v1", "cronjobs"),
)
"""Group, version and plural of what kopf dispatches."""

_STUB_UID: Final = "podgate"
"""The uid of the stub object: constant, so that kopf's records are one record."""

logger = logging.getLogger("podgate.admission")


@dataclass(slots=True)
class _Exchange:
    """A review on its way through kopf; `answer` is None until a handler has answered."""

    request: ReviewRequest
    deadline: float
    answer: Answer | None = None


_exchange: ContextVar[_Exchange] = ContextVar("podgate_exchange")


def build_registry(review: Review) -> kopf.OperatorRegistry:
    """kopf's registry with one validating handler for each resource, all of them `review`."""
    registry = kopf.OperatorRegistry()

    async def validate(**_: object) -> None:
        exchange = _exchange.get()
        exchange.answer = await review(exchange.request, exchange.deadline)

    for group, version, plural in RESOURCES:
        # "*" is the resource itself and all of its subresources.
        kopf.on.validate(group, version, plural, id=plural, subresource="*", registry=registry)(validate)
    return registry


def through(dispatch: Callable[..., Awaitable[Any]], review: Review) -> Review:
    """A review by kopf's dispatch function; what kopf has no handler for goes to `review` itself.

    kopf turns an exception of a handler into a denial with code 500. None escapes `review`; should one, the exchange
    has no answer, and the review is made again outside of kopf, where the server's last resort catches it.
    """

    async def reviewed(request: ReviewRequest, deadline: float) -> Answer:
        exchange = _Exchange(request, deadline)
        token = _exchange.set(exchange)
        try:
            await dispatch(stub(request))
        except Exception:  # whatever kopf stumbles over (a resource without a handler), it decides nothing
            logger.debug("kopf did not dispatch a review of %s/%s", request.group, request.resource, exc_info=True)
        finally:
            _exchange.reset(token)
        return exchange.answer if exchange.answer is not None else await review(request, deadline)

    return reviewed


def stub(request: ReviewRequest) -> Mapping[str, Any]:
    """What kopf sees of a review: enough to choose a handler."""
    body = {"metadata": {"uid": _STUB_UID, "name": "stub", "namespace": "stub"}}
    payload: dict[str, Any] = {
        "uid": _STUB_UID,
        "resource": {"group": request.group, "version": request.version, "resource": request.resource},
        "operation": request.operation,
        "userInfo": {},
        "object": body,
        "oldObject": None,
    }
    if request.subresource:
        payload["subResource"] = request.subresource
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": payload}
