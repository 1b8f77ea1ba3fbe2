"""The numbers of a process, for Prometheus: on a port of their own if one is set, and to whoever asks this object.

Whoever scrapes waits two seconds at most, and neither the database nor anything else that is away spoils the rest.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress

from entrypoints.watchdog import watch_loop
from infrastructure.container import Container
from infrastructure.metrics import measure_volumes, show_at
from infrastructure.settings import Settings

ANSWER_SECONDS = 1.7
"""The parts have named themselves by then, and there is still time to put the text together."""
KEPT_SECONDS = 5.0
"""However many scrape, the database is asked this often."""
Parts = Callable[[], Awaitable[Mapping[str, str]]]


class Numbers:
    """What this process shows; from its event loop, and by `waited_for` from other threads.

    `whole`: the installation's figures too, as the database tells them; `works`: those of a worker.
    """

    def __init__(self, container: Container, settings: Settings, parts: Parts, *, whole: bool, works: bool) -> None:
        self._container = container
        self._settings = settings
        self._metrics = container.metrics()
        self._whole = container.whole()
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._questions = [self._ask_parts, self._ask_volumes, *([self._ask_database] if whole else [])]
        self._asking: dict[int, asyncio.Future[None]] = {}
        self._fresh_until = float("-inf")
        self._metrics.show(self._whole)
        if works:
            self._metrics.show(container.workplace())

    async def text(self) -> bytes:
        """Return all of it in Prometheus' text format; what cannot be had in time is left out."""
        await self._refresh()
        return await asyncio.to_thread(self._metrics.text)

    def waited_for(self) -> bytes:
        """Return the same to another thread; where the event loop is blocked, what this process knows without it."""
        asked: Future[None] = asyncio.run_coroutine_threadsafe(self._refresh(), self._loop)
        with suppress(TimeoutError):
            asked.result(ANSWER_SECONDS)
        return bytes(self._metrics.text())

    async def close(self) -> None:
        """Ask nobody any more; one that does not let go, as a database that is away may not, is not waited for."""
        for asked in self._asking.values():
            asked.cancel()
        if self._asking:
            await asyncio.wait(self._asking.values(), timeout=1.0)

    async def _refresh(self) -> None:
        if time.monotonic() < self._fresh_until:
            return
        for number, question in enumerate(self._questions):
            # One that hangs is asked once, however often somebody scrapes meanwhile.
            if number not in self._asking or self._asking[number].done():
                self._asking[number] = asyncio.ensure_future(question())
                self._asking[number].add_done_callback(_heard)
        _, unanswered = await asyncio.wait(self._asking.values(), timeout=ANSWER_SECONDS - 0.1)
        if not unanswered:
            self._fresh_until = time.monotonic() + KEPT_SECONDS

    async def _ask_parts(self) -> None:
        self._whole.tell_parts(await self._parts())

    async def _ask_volumes(self) -> None:
        self._whole.tell_volumes(await asyncio.to_thread(measure_volumes, self._settings))

    async def _ask_database(self) -> None:
        try:
            async with self._container.look() as uow:
                census = await uow.census.take()
        except Exception:
            self._whole.tell_census(None)
            raise
        self._whole.tell_census(census)


def _heard(asked: "asyncio.Future[None]") -> None:
    """Let it go: what fails is left out, and the parts say which of them it is."""
    if not asked.cancelled():
        asked.exception()


@asynccontextmanager
async def showing(
    container: Container, settings: Settings, parts: Parts, *, whole: bool = False, works: bool = False
) -> AsyncIterator[Numbers]:
    """Show a process's numbers for as long as the context lasts, and watch its event loop.

    Raises:
        SystemExit: METRICS_PORT is taken.
    """
    numbers = Numbers(container, settings, parts, whole=whole, works=works)
    watching = asyncio.create_task(watch_loop(container.metrics().loop_late))
    listener = None
    try:
        if settings.metrics.port:
            listener = show_at(settings, numbers.waited_for)
        yield numbers
    finally:
        if listener is not None:
            await asyncio.to_thread(listener.stop)
        watching.cancel()
        await asyncio.wait([watching])
        await numbers.close()
