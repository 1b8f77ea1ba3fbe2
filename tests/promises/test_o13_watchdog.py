"""O-13: when the event loop is blocked for more than 200 ms, a number says for how long, and the log that it was."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from adapters.observability.prometheus import PrometheusMetrics
from entrypoints import watchdog
from entrypoints.watchdog import watch_loop
from tests.scrapes import Scrape


async def watched(metrics: PrometheusMetrics, *blocks: float) -> list[dict[str, object]]:
    """Block the loop so long, one time after the other, under the watchdog's eyes; return what it said."""
    with capture_logs() as logs:
        watching = asyncio.create_task(watch_loop(metrics.loop_late))
        await asyncio.sleep(0.01)
        for seconds in blocks:
            time.sleep(seconds)  # noqa: ASYNC251 - that is the fault
            await asyncio.sleep(3 * watchdog.STEP_SECONDS)
        watching.cancel()
        await asyncio.wait([watching])
    return [dict(entry) for entry in logs if entry["event"] == "event_loop_blocked"]


async def test_o13_a_blocked_loop_is_measured_and_told() -> None:
    metrics = PrometheusMetrics("test")
    said = await watched(metrics, 0.5)
    assert [entry["times"] for entry in said] == [1]
    assert 450 <= int(str(said[0]["milliseconds"])) < 5_000
    scrape = Scrape(metrics.text())
    count = scrape.value("colloquy_event_loop_lag_seconds_count")
    quick = scrape.value("colloquy_event_loop_lag_seconds_bucket", le="0.2")
    assert count is not None
    assert quick is not None
    assert count - quick >= 1
    assert (scrape.value("colloquy_event_loop_lag_seconds_sum") or 0) >= 0.45


async def test_o13_many_blocks_are_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(await watched(PrometheusMetrics("test"), 0.3, 0.3, 0.3)) == 1
    monkeypatch.setattr(watchdog, "QUIET_SECONDS", 0.1)
    said = await watched(PrometheusMetrics("test"), 0.3, 0.3)
    assert sum(int(str(entry["times"])) for entry in said) == 2


async def test_o13_a_loop_that_is_free_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "BLOCKED_SECONDS", 2.0)  # the machine under the test may be slow, and is not judged
    assert await watched(PrometheusMetrics("test"), 0.0, 0.1) == []
