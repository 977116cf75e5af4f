"""Traces, where settings want them: OpenTelemetry is an extra, and is imported for nothing else."""

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from webhook.admission.reviews import Answer, Review, ReviewRequest
from webhook.core.errors import MalformedSettings
from webhook.registry.options import Hooks
from webhook.settings import Settings

if TYPE_CHECKING:
    from webhook.observability.traces import Traces


def wanted_traces(settings: Settings) -> "Traces | None":
    """None where settings name no endpoint. To be closed. Raises MalformedSettings where the extra is missing."""
    if settings.traces.endpoint is None:
        return None
    try:
        from webhook.observability.traces import Traces  # noqa: PLC0415  # an extra
    except ImportError:
        problem = "needs the extra `traces`, which is not installed: pip install 'podgate[traces]'"
        raise MalformedSettings(problem, "traces.endpoint") from None
    return Traces(settings.traces.endpoint, settings.traces.ratio, version("podgate"))


def traced_hooks(hooks: Hooks, traces: "Traces | None") -> Hooks:
    """Hooks that make a span of each request to a registry as well."""
    if traces is None:
        return hooks
    return replace(hooks, on_exchange=traces.exchanged, context=traces.context)


def traced_review(review: Review, traces: "Traces | None") -> Review:
    """A review within a span of its own."""
    if traces is None:
        return review

    async def reviewed(request: ReviewRequest, deadline: float) -> Answer:
        with traces.review(_attributes(request), request.trace) as note:
            answer = await review(request, deadline)
            note({f"podgate.{key}": value for key, value in answer.annotations.items()})
            return answer

    return reviewed


def _attributes(request: ReviewRequest) -> dict[str, str | bool]:
    resource = f"{request.resource}.{request.group}" if request.group else request.resource
    return {
        "podgate.uid": request.uid,
        "podgate.operation": request.operation,
        "podgate.resource": f"{resource}/{request.subresource}" if request.subresource else resource,
        "podgate.name": request.name,
        "podgate.dry_run": request.dry_run,
        "k8s.namespace.name": request.namespace,
    }
