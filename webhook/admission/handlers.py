"""kopf's side of admission: which resources are dispatched, and the way a review goes through kopf.

kopf keeps a record of every object of an UPDATE review for ever and copies each deeply, and its handlers see neither
uid nor timeout and can give no audit annotations. So kopf is handed a stub (resource, operation, a minimal object with
one constant uid), and the real review travels beside it in a ContextVar; the answer comes back the same way. The stub
is all that kopf goes by, and so it is asked once for each: what it has chosen before it would choose again.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from webhook.admission.framework import kopf
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
"""Stubs for which kopf's choice is kept: more than there are of resources, subresources and operations."""
_LONGEST: Final = 64
"""Characters of the words of such a stub. Whoever sends longer ones is no API server, and must not fill the memory."""

logger = logging.getLogger("podgate.admission")


@dataclass(slots=True)
class _Exchange:
    """A review on its way through kopf. Until a handler has run both `answer` and `error` are None, then one is set.
    `reached` is told when kopf has come to a handler."""

    request: ReviewRequest
    deadline: float
    reached: Callable[[], None]
    answer: Answer | None = None
    error: Exception | None = None


_exchange: ContextVar[_Exchange] = ContextVar("podgate_exchange")


def build_registry(review: Review, further: Sequence[FurtherKind] = ()) -> kopf.OperatorRegistry:
    """kopf's registry with one validating handler for each resource, all of them `review`."""
    registry = kopf.OperatorRegistry()

    async def validate(**_: object) -> None:
        exchange = _exchange.get()
        exchange.reached()
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


Stub = tuple[str, str, str, str, str]
"""What tells stubs apart: group, version, resource, subresource, operation."""


def _words(request: ReviewRequest) -> Stub:
    return request.group, request.version, request.resource, request.subresource, request.operation


def through(dispatch: Callable[..., Awaitable[Any]], review: Review) -> Review:
    """A review by kopf's dispatch function; what kopf has no handler for goes to `review` itself.

    kopf turns an exception of a handler into a denial with code 500; here it comes out of the review as it is, and ends
    in the server's last resort. Where kopf has come to the handler once, the next review with the same stub goes there
    straight (ADR 32): kopf's own way takes longer than all the rest, and finds the same. Its choice cannot change as
    long as it runs, since it learns of resources at its start alone; a new start gets a new function from here.
    """
    chosen: set[Stub] = set()

    async def reviewed(request: ReviewRequest, deadline: float) -> Answer:
        known = _words(request)
        if known in chosen:
            return await review(request, deadline)
        exchange = _Exchange(request, deadline, partial(_remember, chosen, known))
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


def _remember(chosen: set[Stub], known: Stub) -> None:
    """That kopf comes to its handler for a stub."""
    if max(map(len, known)) <= _LONGEST:
        if len(chosen) >= _STUBS:
            chosen.clear()
        chosen.add(known)


def stub(request: ReviewRequest) -> Mapping[str, Any]:
    """What kopf sees of a review: enough to choose a handler."""
    group, version, resource, subresource, operation = _words(request)
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
