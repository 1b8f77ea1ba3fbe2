"""A process's numbers when those who are asked for them are away, or the event loop is."""

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from adapters.observability.prometheus import PrometheusMetrics
from adapters.observability.whole import Whole
from entrypoints import numbers
from entrypoints.numbers import Numbers
from infrastructure.load_settings import load_settings
from tests.scrapes import Scrape


class Hole:
    """A database that answers nothing."""

    def __init__(self) -> None:
        self.asked = 0

    async def __aenter__(self) -> Self:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def __aexit__(self, *_: object) -> None: ...


async def parts() -> Mapping[str, str]:
    return {"database": "does not answer"}


def over(hole: Hole, folder: Path) -> Numbers:
    metrics, whole = PrometheusMetrics("test"), Whole()
    container: Any = SimpleNamespace(metrics=lambda: metrics, whole=lambda: whole, look=lambda: hole)
    return Numbers(container, load_settings({"DATA_DIR": str(folder)}), parts, whole=True, works=False)


async def test_a_database_that_hangs_is_asked_once_and_spoils_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "ANSWER_SECONDS", 0.3)
    hole = Hole()
    shown = over(hole, tmp_path)
    for _ in range(3):
        scrape = Scrape(await shown.text())
        assert scrape.value("colloquy_part_up", part="database") == 0.0
        assert scrape.value("colloquy_volume_size_bytes", volume="data")
        assert scrape.value("colloquy_queue_depth") is None
    assert hole.asked == 1
    await shown.close()


async def test_a_blocked_loop_does_not_silence_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "ANSWER_SECONDS", 0.2)
    shown, said = over(Hole(), tmp_path), []

    def scrape() -> None:
        said.append((Scrape(shown.waited_for()), time.monotonic()))

    asking = threading.Thread(target=scrape)
    asking.start()
    time.sleep(1.5)  # noqa: ASYNC251 - that is the fault
    over_at = time.monotonic()
    await asyncio.to_thread(asking.join)
    scraped, at = said[0]
    assert at < over_at, "it came while the loop was blocked"
    assert scraped.value("colloquy_build_info", version="test") == 1.0
    await asyncio.sleep(0.4)  # what was asked meanwhile comes to its end
    await shown.close()
