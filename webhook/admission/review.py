"""The one entry of admission: a review in, an answer out; by kopf's way and the direct way alike."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from webhook.admission.reviews import NOT_UNDERSTOOD, Answer, ReviewRequest
from webhook.aside import aside
from webhook.core import message
from webhook.core.binding import Binding, parse_binding
from webhook.core.decision import Judgement
from webhook.core.errors import MalformedInput
from webhook.core.kinds import BUILT_IN, Kinds
from webhook.core.workload import Workload, parse_workload
from webhook.ports import Observation, Observer
from webhook.service import Request

NODES_GROUP: Final = "system:nodes"
"""The group of kubelets: who creates a pod as one of them shows a static pod that runs already. The annotation of
mirror pods alone, which anybody can set, exempts nothing."""

logger = logging.getLogger("podgate.admission")


class Judging(Protocol):
    """The use case, as far as a review needs it."""

    async def judge(self, request: Request) -> Judgement:
        """The decision for one object."""
        ...


class JudgingBindings(Protocol):
    """The use case of bindings."""

    async def judge(self, binding: Binding, deadline: float | None) -> Judgement:
        """The decision for one binding."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a Reviewer has to know beside the request.

    known: whether nodes and namespaces have been listed. Until then nothing is judged: with half of the nodes, or
    without the label that exempts a namespace, a denial would be wrong. quiet: the mode for namespaces that say nothing
    has no warnings. unreadable: told of each object that does not have the form of its kind. kinds: what is judged.
    """

    known: Callable[[], bool] = lambda: True
    quiet: bool = False
    unreadable: Callable[[], None] = lambda: None
    kinds: Kinds = BUILT_IN


class Reviewer:
    """Answers reviews: `review` is what kopf's handlers and the server call."""

    def __init__(
        self,
        judge: Judging,
        observer: Observer,
        surroundings: Surroundings | None = None,
        bindings: JudgingBindings | None = None,
    ) -> None:
        """`bindings` None: they are not judged."""
        self._judge = judge
        self._observer = observer
        self._surroundings = surroundings or Surroundings()
        self._bindings = bindings

    async def review(self, request: ReviewRequest, deadline: float) -> Answer:
        """The answer to a request, by `deadline` (the event loop's time in seconds).

        Objects of kinds that are not judged, and subresources that change nothing a node sees, are let through in
        silence. An object that does not have the form of its kind is let through with a warning that names the field.
        """
        started = time.monotonic()
        try:
            if request.large:
                async with asyncio.timeout_at(deadline):
                    judging = await aside(partial(self._judging, request, deadline))
            else:
                judging = self._judging(request, deadline)
        except MalformedInput as error:
            return self._not_understood(request, error)
        except TimeoutError:
            return self._too_late(request)
        if judging is None:
            return Answer(annotations={"decision": "allow", "reason": "skipped"})
        if not self._surroundings.known():
            return self._too_early(request)
        judgement = await judging()
        self._observe(_observation(judgement, request, time.monotonic() - started))
        return answer_for(judgement)

    def _judging(self, request: ReviewRequest, deadline: float) -> Callable[[], Awaitable[Judgement]] | None:
        """What is to be done for a request, None where there is nothing to judge. Raises MalformedInput."""
        if _is_binding(request):
            if self._bindings is None or (binding := _binding(request)) is None:
                return None
            return partial(self._bindings.judge, binding, deadline)
        asked = _asked(request, deadline, self._surroundings.kinds)
        return None if asked is None else partial(self._judge.judge, asked)

    def _not_understood(self, request: ReviewRequest, error: MalformedInput) -> Answer:
        logger.warning("an object was let through unread: %s", message.clean(str(error)), extra={"uid": request.uid})
        self._surroundings.unreadable()
        return Answer(warnings=(message.not_understood(str(error)),), annotations=NOT_UNDERSTOOD)

    def _too_early(self, request: ReviewRequest) -> Answer:
        logger.warning("a review came before the nodes were listed", extra={"uid": request.uid})
        annotations = {"decision": "warn", "reason": "undetermined"}
        return Answer(warnings=() if self._surroundings.quiet else (message.too_early(),), annotations=annotations)

    def _too_late(self, request: ReviewRequest) -> Answer:
        logger.warning("there was no time to read a review", extra={"uid": request.uid})
        annotations = {"decision": "warn", "reason": "undetermined"}
        return Answer(warnings=() if self._surroundings.quiet else (message.too_late(),), annotations=annotations)

    def _observe(self, observation: Observation) -> None:
        """Tells of the decision; a fault there must not turn a denial into the last resort's admission."""
        try:
            self._observer.decided(observation)
        except Exception:  # whatever the observers' fault is, the verdict stands
            logger.exception("a decision could not be counted or logged", extra={"uid": observation.uid})


def answer_for(judgement: Judgement) -> Answer:
    """A judgement as an answer: a denial with its text, or warnings; in mode audit nothing but annotations."""
    annotations = {"decision": judgement.decision, "reason": judgement.reason}
    if judgement.decision == "deny":
        return Answer(allowed=False, message="\n".join(judgement.messages), annotations=annotations)
    if judgement.decision == "warn":
        return Answer(warnings=judgement.messages, annotations=annotations)
    return Answer(annotations=annotations)


def _is_binding(request: ReviewRequest) -> bool:
    """Whether a pod is to be bound: by its subresource, as schedulers do it, or by the older resource of its own."""
    return request.group == "" and (request.resource, request.subresource) in (("pods", "binding"), ("bindings", ""))


def _binding(request: ReviewRequest) -> Binding | None:
    """The binding that is asked for, None where there is nothing to judge. Raises MalformedInput."""
    if request.operation != "CREATE" or request.object is None:
        return None
    return parse_binding(request.object, request.namespace, request.name)


def _asked(request: ReviewRequest, deadline: float, kinds: Kinds) -> Request | None:
    """What the service is asked, None where there is nothing to judge. Raises MalformedInput."""
    if request.operation not in ("CREATE", "UPDATE") or request.object is None:
        return None
    if request.subresource not in ("", "ephemeralcontainers"):
        return None
    workload = _workload(request, request.object, kinds)
    if workload is None:
        return None
    old = _old(request, kinds) if request.operation == "UPDATE" else None
    mirror = not workload.template and NODES_GROUP in request.groups and request.operation == "CREATE"
    return Request(workload=workload, old=old, mirror=mirror, deadline=deadline)


def _old(request: ReviewRequest, kinds: Kinds) -> Workload | None:
    """The former state; None where it cannot be read, and then the object is judged as if it were new."""
    if request.old is None:
        return None
    try:
        return _workload(request, request.old, kinds)
    except MalformedInput:
        return None


def _workload(request: ReviewRequest, obj: Mapping[str, Any], kinds: Kinds) -> Workload | None:
    workload = parse_workload(obj, kinds, request.resource)
    if workload is None:
        return None
    if (workload.namespace, workload.mirror) == (request.namespace, False) and workload.name:
        return workload
    # The request's word counts: an object need not repeat its namespace.
    return replace(workload, namespace=request.namespace, name=workload.name or request.name, mirror=False)


def _observation(judgement: Judgement, request: ReviewRequest, seconds: float) -> Observation:
    whys = {outcome.why for node in judgement.findings for outcome in node.outcomes if outcome.verdict == "uncertain"}
    return Observation(judgement, request.uid, request.dry_run, seconds, tuple(sorted(whys)), _is_binding(request))
