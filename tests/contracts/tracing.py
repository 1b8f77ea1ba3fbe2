"""What every tracer promises. Bindings give `tracer`, whose spans are all sampled, or `Untraced`."""

import asyncio
import threading

import pytest

from application.ports.tracing import Tracer
from tests.contracts.suite import Suite


class Trouble(Exception):
    """What the work meets."""


class TracerContract(Suite):
    """Bind with a fixture `tracer`."""

    def test_what_the_work_raises_goes_on(self, tracer: Tracer) -> None:
        with pytest.raises(Trouble), tracer.span("work"):
            raise Trouble

    def test_a_span_takes_what_is_known_when_it_is_known(self, tracer: Tracer) -> None:
        with tracer.span("work", side="client", number=1, share=0.5, done=False, name_of="x") as span:
            span.note(number=2)
            span.rename("other work")

    def test_a_span_is_named_for_other_processes_or_not_at_all(self, tracer: Tracer) -> None:
        with tracer.span("work") as span:
            parts = span.traceparent.split("-")
        assert span.traceparent == "" or [len(part) for part in parts] == [2, 32, 16, 2]

    def test_a_span_inside_another_is_of_its_trace(self, tracer: Tracer) -> None:
        with tracer.span("outer") as outer, tracer.span("inner") as inner:
            assert inner.traceparent[:35] == outer.traceparent[:35]
        with tracer.span("next") as later:
            assert later.traceparent == "" or later.traceparent[:35] != outer.traceparent[:35]

    def test_a_span_with_a_parent_elsewhere_is_of_that_trace(self, tracer: Tracer) -> None:
        parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
        with tracer.span("here", parent=parent) as span:
            assert span.traceparent == "" or span.traceparent.startswith(parent[:35])

    @pytest.mark.parametrize("parent", ["nonsense", "00-\n", f"00-{'0' * 32}-{'0' * 16}-01", "ü" * 55])
    def test_a_parent_that_cannot_be_read_is_none(self, tracer: Tracer, parent: str) -> None:
        with tracer.span("work", parent=parent):
            pass

    async def test_tasks_and_threads_do_not_meet(self, tracer: Tracer) -> None:
        traces: list[str] = []

        async def work() -> None:
            with tracer.span("work") as span:
                await asyncio.sleep(0)
                with tracer.span("inside") as inside:
                    await asyncio.sleep(0)
                    assert inside.traceparent[:35] == span.traceparent[:35]
                traces.append(span.traceparent[:35])

        await asyncio.gather(*(work() for _ in range(5)))
        thread = threading.Thread(target=lambda: asyncio.run(work()))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert len(set(traces)) in {1, 6}
        assert len(traces) == 6

    def test_after_the_end_work_still_works(self, tracer: Tracer) -> None:
        tracer.close()
        tracer.close()
        with tracer.span("work"):
            pass
