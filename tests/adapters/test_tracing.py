"""Traces: what a collector gets, over real OTLP/HTTP, and what a port's calls become where they are traced."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from structlog.contextvars import get_contextvars

from adapters.observability.otel import OtelTracer
from adapters.observability.traced import Traced
from application.ports.tracing import Span, Tracer
from application.untraced import UNTRACED, Untraced
from infrastructure.load_settings import BadSettings, load_settings
from infrastructure.tracing import make_tracer, traced
from tests.contracts.proof import failures
from tests.contracts.tracing import TracerContract
from tests.servers.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as started:
        yield started


@pytest.fixture
def tracer(collector: Collector) -> Iterator[OtelTracer]:
    made = OtelTracer(
        collector.url,
        headers={"x-key": "shown"},
        share=1.0,
        service={"service.name": "colloquy", "service.version": "1"},
    )
    yield made
    made.close()


class TestOtelTracer(TracerContract, adapter=OtelTracer): ...


class TestUntraced(TracerContract):
    @pytest.fixture
    def tracer(self) -> Tracer:
        return UNTRACED


class Swallowing(Untraced):
    """Keeps errors to itself."""

    @contextmanager
    def span(self, name: str, **_: object) -> Iterator[Span]:  # noqa: ARG002 - the port's
        with suppress(Exception):
            yield self


class OneForAll(Untraced):
    """Has one trace, whatever it is a part of."""

    @property
    def traceparent(self) -> str:
        return f"00-{'ef' * 16}-{'cd' * 8}-01"


async def test_the_contract_notices_a_broken_tracer() -> None:
    given = {"parent": lambda: "nonsense"}
    assert await failures(TracerContract, tracer=Swallowing, **given) == {"test_what_the_work_raises_goes_on"}
    assert await failures(TracerContract, tracer=OneForAll, **given) == {
        "test_a_span_inside_another_is_of_its_trace", "test_a_span_with_a_parent_elsewhere_is_of_that_trace",
    }  # fmt: skip


def attributes(span: Sent) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}


async def test_one_trace_goes_from_process_to_process(tracer: OtelTracer, collector: Collector) -> None:
    caller = f"00-{'ab' * 16}-{'cd' * 8}-01"
    with tracer.span("POST", side="server", parent=caller, http_request_method="POST") as request:
        request.rename("POST /transcribe")
        request.note(http_response_status_code=202)
        named = get_contextvars()
        with tracer.span("submit"):
            inner = await asyncio.to_thread(get_contextvars)
    with pytest.raises(ValueError, match="secret"), tracer.span("attempt", parent=request.traceparent, attempt=2):
        raise ValueError("a secret that somebody said")
    assert get_contextvars().get("trace_id") is None
    tracer.close()
    server, submit, attempt = (collector.named(name) for name in ("POST /transcribe", "submit", "attempt"))
    assert {span.trace_id.hex() for span in collector.spans} == {"ab" * 16}
    assert server.parent_span_id.hex() == "cd" * 8
    assert submit.parent_span_id == attempt.parent_span_id == server.span_id
    assert named == {"trace_id": "ab" * 16, "span_id": server.span_id.hex()}
    assert inner["span_id"] == submit.span_id.hex()
    assert attributes(server) == {"http.request.method": "POST", "http.response.status_code": 202}
    assert attributes(attempt) == {"colloquy.attempt": 2, "error.type": "ValueError"}
    assert (server.kind, attempt.status.code, attempt.status.message) == (Sent.SPAN_KIND_SERVER, 2, "")
    assert not attempt.events  # a trace of the error would say what it says
    assert collector.headers["x-key"] == "shown"
    assert collector.resources[0]["service.name"] == "colloquy"


def test_a_parent_that_cannot_be_read_is_none(tracer: OtelTracer, collector: Collector) -> None:
    for parent in ("", "nonsense", f"00-{'00' * 16}-{'00' * 8}-01", "00-\n"):
        with tracer.span("root", parent=parent):
            pass
    tracer.close()
    assert [span.parent_span_id for span in collector.spans] == [b""] * 4
    assert len({span.trace_id for span in collector.spans}) == 4


def test_who_is_not_sampled_by_its_caller_is_not_sent(tracer: OtelTracer, collector: Collector) -> None:
    with tracer.span("quiet", parent=f"00-{'ab' * 16}-{'cd' * 8}-00") as span:
        assert span.traceparent.endswith("-00")
    tracer.close()
    assert collector.spans == []


def test_without_a_collector_the_work_goes_on() -> None:
    lost = OtelTracer("http://127.0.0.1:9", headers={}, share=1.0, service={})
    with lost.span("work") as span:
        assert span.traceparent
    began = time.monotonic()
    lost.close()
    assert time.monotonic() - began < 10, "whoever ends does not wait for a collector that is not there"


class Engine:
    """Some port."""

    def name(self) -> str:
        return "engine"

    def work(self, number: int, *, more: int) -> int:
        return number + more

    async def wait(self) -> str:
        return "waited"

    async def stream(self) -> AsyncIterator[int]:
        yield 1


async def test_calls_of_a_traced_port_are_spans(tracer: OtelTracer, collector: Collector) -> None:
    engine = traced(Engine(), tracer, {"work": "do work", "wait": "wait"}, lambda inner: {"engine": inner.name()})
    assert isinstance(engine, Engine)
    assert type(cast("object", engine)) is Traced
    assert (engine.work(1, more=2), await engine.wait(), engine.name()) == (3, "waited", "engine")
    assert [number async for number in engine.stream()] == [1]
    with suppress(TypeError):
        engine.work("1", more=2)  # type: ignore[arg-type]
    tracer.close()
    assert [span.name for span in collector.spans] == ["do work", "wait", "do work"]
    assert attributes(collector.spans[0]) == {"colloquy.engine": "engine"}
    assert attributes(collector.spans[2]) == {"colloquy.engine": "engine", "error.type": "TypeError"}


def test_where_nothing_is_traced_nothing_stands_between_and_nothing_is_imported() -> None:
    engine = Engine()
    assert traced(engine, make_tracer(load_settings({})), {"work": "do work"}) is engine
    with UNTRACED.span("work", parent="x", a=1) as span:
        span.note(b=2)
        span.rename("c")
        assert (span.traceparent, get_contextvars()) == ("", {})
    UNTRACED.close()
    look = "import sys, infrastructure.container; print([name for name in sys.modules if 'opentelemetry' in name])"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_settings_are_opentelemetrys_own(collector: Collector) -> None:
    settings = load_settings({
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a=b,x-other=c",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
    })  # fmt: skip
    tracer = make_tracer(settings)
    with tracer.span("x", parent=f"00-{'ab' * 16}-{'cd' * 8}-01"):
        pass
    tracer.close()
    assert (collector.headers["x-key"], collector.headers["x-other"]) == ("a=b", "c")
    assert collector.resources[0]["service.instance.id"]
    with pytest.raises(BadSettings, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        load_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})
