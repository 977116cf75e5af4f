"""OpenTelemetry traces: a span for each review, each image that is looked up, and each request to a registry.

A span says whose review, which image, which host and what came of it. It holds no text of an error, no path and no
query of a URL, and no header: nothing of that is podgate's to show. Imported only where settings name an endpoint.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from webhook.core.trace import Exchanged
from webhook.ports import Note

_EXPORT_SECONDS: Final = 5.0
"""For one batch of spans."""
_LAST_SECONDS: Final = 2.0
"""For what is waiting when the process ends."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Traces:
    """A `ports.Spans`, and what reviews and the registry client are traced by. To be closed with `aclose`."""

    def __init__(self, endpoint: str, ratio: float, version: str) -> None:
        """`ratio`: which share of the traces that begin here is kept; one that the caller has begun is kept as the
        caller keeps it."""
        resource = Resource.create({"service.name": "podgate", "service.version": version})
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_EXPORT_SECONDS)))
        self._tracer = self._provider.get_tracer("podgate", version)

    @contextmanager
    def review(self, attributes: Mapping[str, str | bool], carrier: Mapping[str, str]) -> Iterator[Note]:
        """Around one review, which goes on in the trace that `carrier` (the W3C headers by name) tells of."""
        parent = _PROPAGATOR.extract(carrier, contexts.Context())
        with self._span("review", attributes, SpanKind.SERVER, parent) as note:
            yield note

    @contextmanager
    def image(self, name: str) -> Iterator[Note]:
        """Around the look-up of one image."""
        with self._span("image", {"podgate.image": name}, SpanKind.INTERNAL) as note:
            yield note

    def exchanged(self, exchange: Exchanged) -> None:
        """A request to a registry that has ended; it belongs to the image, or the review, for which it was made."""
        url = urlsplit(exchange.url)
        ended = time.time_ns()
        span = self._tracer.start_span(
            exchange.method,
            kind=SpanKind.CLIENT,
            attributes={"http.request.method": exchange.method, "server.address": url.hostname or ""},
            start_time=ended - round(exchange.seconds * 1e9),
        )
        if url.port is not None:
            span.set_attribute("server.port", url.port)
        if exchange.status is not None:
            span.set_attribute("http.response.status_code", exchange.status)
        if exchange.error is not None:
            _failed(span, exchange.error)
        span.end(ended)

    @staticmethod
    def context() -> Context:
        """A context that holds the span of now and nothing else, for what is asked for on behalf of several."""
        made = Context()
        made.run(contexts.attach, trace.set_span_in_context(trace.get_current_span(), contexts.Context()))
        return made

    async def aclose(self) -> None:
        """Sends what waits, for two seconds at most."""
        # In a thread that may be left behind: sending to where nobody answers takes longer than the process has.
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=end, name="end traces", daemon=True).start()
        await asyncio.wait((loop.create_task(done.wait()),), timeout=_LAST_SECONDS)

    @contextmanager
    def _span(
        self,
        name: str,
        attributes: Mapping[str, str | bool],
        kind: SpanKind,
        parent: contexts.Context | None = None,
    ) -> Iterator[Note]:
        # Without OpenTelemetry's own record of an exception, which quotes its text.
        with self._tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:

            def note(found: Mapping[str, str]) -> None:
                for key, value in found.items():
                    if key == "error.type":
                        _failed(span, value)
                    else:
                        span.set_attribute(key, value)

            try:
                yield note
            except BaseException as error:  # a cancelled one too
                _failed(span, type(error).__name__)
                raise


def _failed(span: Span, what: str) -> None:
    span.set_attribute("error.type", what)
    span.set_status(StatusCode.ERROR)
