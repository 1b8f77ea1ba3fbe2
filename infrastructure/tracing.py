"""Where traces go, if anywhere: without a collector nothing of OpenTelemetry is imported, and no call takes longer."""

import os
import socket
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeVar, cast

from adapters.observability.traced import Traced
from application.ports.tracing import Attribute, Tracer
from application.untraced import UNTRACED
from infrastructure.settings import Settings

T = TypeVar("T")


def make_tracer(settings: Settings) -> Tracer:
    """Return what follows work from process to process."""
    otel = settings.otel
    if not otel.exporter_otlp_endpoint:
        return UNTRACED
    from adapters.observability.otel import OtelTracer  # noqa: PLC0415 - only where it is wanted

    headers = dict(part.split("=", 1) for part in filter(None, otel.exporter_otlp_headers.split(",")))
    service: dict[str, Attribute] = {
        "service.name": "colloquy",
        "service.version": version("colloquy"),
        "service.instance.id": f"{socket.gethostname()}/{os.getpid()}",
    }
    return OtelTracer(otel.exporter_otlp_endpoint, headers=headers, share=otel.traces_sampler_arg, service=service)


def traced(
    inner: T, tracer: Tracer, spans: Mapping[str, str], about: Callable[[T], Mapping[str, Attribute]] = lambda _: {}
) -> T:
    """Return `inner` with those of its methods as spans; itself, where nothing is traced."""
    if tracer is UNTRACED:
        return inner
    return cast("T", Traced(inner, tracer, spans, lambda: about(inner)))


def engine_of(engine: object) -> Mapping[str, Attribute]:
    """Say which engine it is, and on which device."""
    able = cast("Any", engine).capabilities()  # both kinds of engines have them
    return {"engine": able.engine, "device": able.device}
