"""`colloquy worker`: takes tasks from the database, woken by the broker; it serves nobody, and keeps nothing.

Any number may run, on any number of machines. One that ends gives its tasks back; one that is killed loses its leases.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

from application.ports.queue import Job
from entrypoints.beating import beating
from entrypoints.couriers import Couriers
from entrypoints.lifetime import live
from entrypoints.numbers import showing
from entrypoints.probe import OK, Probe
from entrypoints.shared import join
from entrypoints.work import Slots, lend_threads
from entrypoints.worker.listening import Listening
from infrastructure.broker import make_broker, own_queues
from infrastructure.container import Container
from infrastructure.settings import Settings


class WorkerProcess:
    """Works on tasks, as an async context; leaving it gives running tasks back, unharmed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.container = Container(settings=settings)
        self.probe = Probe(self.container, settings, works=True, own=self._own_parts)
        self._slots: Slots | None = None
        self._undo = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Wait for the database, then start working; a broker is not waited for.

        Raises:
            DataFolderBusy: a whole service in one process has the data folder.
        """
        async with AsyncExitStack() as undo:
            lend_threads(self.settings.max.workers)
            await undo.enter_async_context(beating(self.settings, "worker", self.probe))
            own = await join(
                self.container, self.settings, self.settings.work_dir, undo, sweeps=self.settings.worker.sweeps
            )
            self.container.work_dir.override(own)
            await self.probe.forget()
            await undo.enter_async_context(showing(self.container, self.settings, self.probe, works=True))
            hosts, bell = self.container.hosts(), self.container.bell()
            undo.push_async_callback(asyncio.to_thread, hosts.close)
            starting = asyncio.create_task(asyncio.to_thread(hosts.start))
            undo.push_async_callback(asyncio.wait, [starting])
            poll_seconds = self.settings.worker.poll_seconds
            ring = partial(bell.next, Job.DELIVER_WEBHOOK)
            couriers = Couriers(self.container.deliver_webhook(), ring, poll_seconds=poll_seconds)
            undo.push_async_callback(couriers.stop)
            couriers.start()
            slots = Slots(
                self.container.process_task(), bell.next, self.settings.max.workers, worked=couriers.wake,
                poll_seconds=poll_seconds,
            )  # fmt: skip
            undo.push_async_callback(slots.stop)
            slots.start()
            self._slots = slots
            if self.settings.broker_url:
                broker = make_broker(self.settings, accepts=slots.free)
                queues = own_queues(self.settings)
                listening = Listening(broker, queues, bell.enqueue, prefetch=self.settings.max.workers)
                undo.push_async_callback(asyncio.to_thread, listening.stop)
                listening.start()
            self._undo = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Claim nothing any more, release what runs, end the engines' processes, let go of everything."""
        self.container.process_task().stop()
        await self._undo.aclose()

    def _own_parts(self) -> dict[str, str]:
        if self._slots is None:
            return {"workers": "starting"}
        return {"workers": OK if self._slots.running else "stopped"}


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; a second one ends the process at once."""
    await live(
        WorkerProcess(settings),
        "worker",
        lambda worker: {
            "slots": settings.max.workers,
            "device_class": settings.worker.device_class,
            "asr": worker.container.asr_choice().engine,
        },
    )
