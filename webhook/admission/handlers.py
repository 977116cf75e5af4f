"""kopf's side of admission: which resources are dispatched, and the way a review goes through kopf.

kopf keeps a record of every object of an UPDATE review for ever and copies each deeply, and its handlers see neither
uid nor timeout and can give no audit annotations. So kopf is handed a stub (resource, operation, a minimal object with
one constant uid), and the real review travels beside it in a ContextVar; the answer comes back the same way.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import kopf

from webhook.admission.reviews import API_VERSION, KIND, Answer, Review, ReviewRequest
from webhook.core.kinds import FurtherKind

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
"""Group, version and plural of what kopf dispatches, beside the further kinds of settings."""

_STUB_UID: Final = "podgate"
"""The uid of the stub object: constant, so that kopf's records are one record."""
_STUBS: Final = 256
"""Stubs that are kept: more than there are of resources, subresources and operations."""

logger = logging.getLogger("podgate.admission")


@dataclass(slots=True)
class _Exchange:
    """A review on its way through kopf. Until a handler has run both `answer` and `error` are None, then one is set."""

    request: ReviewRequest
    deadline: float
    answer: Answer | None = None
    error: Exception | None = None


_exchange: ContextVar[_Exchange] = ContextVar("podgate_exchange")


def build_registry(review: Review, further: Sequence[FurtherKind] = ()) -> kopf.OperatorRegistry:
    """kopf's registry with one validating handler for each resource, all of them `review`."""
    registry = kopf.OperatorRegistry()

    async def validate(**_: object) -> None:
        exchange = _exchange.get()
        try:
            exchange.answer = await review(exchange.request, exchange.deadline)
        except Exception as error:  # noqa: BLE001  # carried past kopf, which would log it with its text and deny
            exchange.error = error

    for group, version, plural in RESOURCES:
        # "*" is the resource itself and all of its subresources.
        kopf.on.validate(group, version, plural, id=plural, subresource="*", registry=registry)(validate)
    for kind in further:
        # By a function, since a handler that names no version is for the group's preferred one alone.
        name = f"{kind.resource}.{kind.group}"
        kopf.on.validate(_is_resource(kind), id=name, subresource="*", registry=registry)(validate)
    return registry


def _is_resource(kind: FurtherKind) -> Callable[[kopf.Resource], bool]:
    return lambda resource: (resource.group, resource.plural) == (kind.group, kind.resource)


def through(dispatch: Callable[..., Awaitable[Any]], review: Review) -> Review:
    """A review by kopf's dispatch function; what kopf has no handler for goes to `review` itself.

    kopf turns an exception of a handler into a denial with code 500; here it comes out of the review as it is, and ends
    in the server's last resort.
    """

    async def reviewed(request: ReviewRequest, deadline: float) -> Answer:
        exchange = _Exchange(request, deadline)
        token = _exchange.set(exchange)
        try:
            await dispatch(stub(request))
        except Exception:  # whatever kopf stumbles over (a resource it has not found), it decides nothing
            logger.debug("kopf did not dispatch a review of %s/%s", request.group, request.resource, exc_info=True)
        finally:
            _exchange.reset(token)
        if exchange.error is not None:
            raise exchange.error
        return exchange.answer if exchange.answer is not None else await review(request, deadline)

    return reviewed


def stub(request: ReviewRequest) -> Mapping[str, Any]:
    """What kopf sees of a review: enough to choose a handler."""
    return _stub(request.group, request.version, request.resource, request.subresource, request.operation)


@lru_cache(_STUBS)
def _stub(group: str, version: str, resource: str, subresource: str, operation: str) -> Mapping[str, Any]:
    """The same object for the same words: kopf reads what it is given, and writes to copies."""
    payload: dict[str, Any] = {
        "uid": _STUB_UID,
        "resource": {"group": group, "version": version, "resource": resource},
        "operation": operation,
        "userInfo": {},
        "object": {"metadata": {"uid": _STUB_UID, "name": "stub", "namespace": "stub"}},
        "oldObject": None,
    }
    if subresource:
        payload["subResource"] = subresource
    return {"apiVersion": API_VERSION, "kind": KIND, "request": payload}
