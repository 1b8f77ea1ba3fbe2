"""Traces by OpenTelemetry, sent over OTLP/HTTP by a thread of its own; where the collector is away, spans are lost.

Errors are told by their type: what they say may hold what people said, and the log has it without.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from structlog.contextvars import bound_contextvars

from application.ports.tracing import Attribute, Side, Span, Tracer

if TYPE_CHECKING:
    from opentelemetry.trace import Span as Vendors

_SEND_SECONDS = 3.0
"""A collector on the same network answers in milliseconds, and nothing may wait for one that does not."""


class OtelTracer(Tracer):
    """Sends to the collector at `endpoint`, showing it `headers`; `share` is the part of own traces that is sent.

    `service` says what this process is, in OpenTelemetry's resource attributes. Tasks that wait for their worker make
    traces that last for hours, which is nothing that a collector minds.
    """

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str], share: float, service: Mapping[str, Attribute]
    ) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        exporter = OTLPSpanExporter(
            f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers), timeout=_SEND_SECONDS
        )  # fmt: skip
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(share), resource=Resource(dict(service)), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
        self._tracer = self._provider.get_tracer("colloquy", str(service.get("service.version", "")))
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, *, side: Side = "inside", parent: str = "", **attributes: Attribute) -> Iterator[Span]:
        """Make it the current one of this task or thread, and name it in each line of the log."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        kinds = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "inside": SpanKind.INTERNAL}
        with self._tracer.start_as_current_span(
            name,
            context=self._propagator.extract({"traceparent": parent}) if parent else None,
            kind=kinds[side],
            record_exception=False,
            set_status_on_exception=False,
        ) as vendors:
            span, context = _OtelSpan(vendors), vendors.get_span_context()
            span.note(**attributes)
            with bound_contextvars(trace_id=f"{context.trace_id:032x}", span_id=f"{context.span_id:016x}"):
                try:
                    yield span
                except Exception as error:
                    span.note(error_type=type(error).__name__)
                    vendors.set_status(Status(StatusCode.ERROR))
                    raise

    def close(self) -> None:
        """Send what is left, once."""
        self._provider.shutdown()


class _OtelSpan:
    """A `Span` that is one of OpenTelemetry's."""

    def __init__(self, vendors: "Vendors") -> None:
        self._vendors = vendors

    @property
    def traceparent(self) -> str:
        """Version, trace, span and whether it is sampled."""
        context = self._vendors.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def note(self, **attributes: Attribute) -> None:
        """Set attributes."""
        for name, value in attributes.items():
            self._vendors.set_attribute(_DOTTED.get(name, f"colloquy.{name}"), value)

    def rename(self, name: str) -> None:
        """Update the name."""
        self._vendors.update_name(name)


_DOTTED = {
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
    "error_type": "error.type",
}
"""OpenTelemetry's own names for what it has names for."""
