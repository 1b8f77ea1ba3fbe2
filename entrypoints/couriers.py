"""Sending webhooks beside a process's work: many at once, and few to one endpoint, so that none holds up another."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog

from application.deliver_webhook import ClaimedDelivery, DeliverWebhook
from domain.webhook import EndpointId

AT_ONCE = 32
AT_ONCE_EACH = 2
"""Attempts at one endpoint: a dead one keeps that many waiting for fifteen seconds, and nobody else."""
POLL_SECONDS = 1.0
_STOP_SECONDS = 2.0
"""How long attempts under way may go on when the process ends; those that are cut off are made again elsewhere."""
_log = structlog.get_logger()


class Couriers:
    """Claims and sends what is due for as long as it runs; `bell` returns when something may be.

    Without it, it looks after `poll_seconds`.
    """

    def __init__(
        self, deliver: DeliverWebhook, bell: Callable[[], Awaitable[object]], *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._deliver = deliver
        self._bell = bell
        self._poll_seconds = poll_seconds
        self._under_way: dict[asyncio.Task[None], EndpointId] = {}
        self._woken = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []
        self._failing = False

    def start(self) -> None:
        """Begin."""
        self._running = [asyncio.create_task(self._work()), asyncio.create_task(self._hear())]

    def wake(self) -> None:
        """Look at once, because something may have become due."""
        self._woken.set()

    async def stop(self) -> None:
        """Claim nothing any more; let what is under way end, if it does so soon."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_STOP_SECONDS)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _hear(self) -> None:
        while True:
            await self._bell()
            self.wake()

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            claimed = await self._claim() if len(self._under_way) < AT_ONCE else None
            if claimed is None:
                await self._wait()
            else:
                sending = asyncio.create_task(self._send(claimed))
                self._under_way[sending] = claimed.endpoint.id
                sending.add_done_callback(self._ended)

    async def _claim(self) -> ClaimedDelivery | None:
        busy = [endpoint for endpoint, count in Counter(self._under_way.values()).items() if count >= AT_ONCE_EACH]
        try:
            claimed = await self._deliver.claim(busy)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            if not self._failing:
                _log.warning("webhooks_wait", error_type=type(error).__name__, exc_info=True)
            self._failing = True
            return None
        self._failing = False
        return claimed

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds * random.uniform(0.7, 1.0)):  # noqa: S311 - not a secret
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _send(self, claimed: ClaimedDelivery) -> None:
        try:
            await self._deliver.send(claimed)
        except Exception:  # noqa: BLE001 - its lease ends, and it is sent again
            _log.warning("webhook_lost_sight_of", delivery_id=str(claimed.delivery.id), exc_info=True)

    def _ended(self, sending: asyncio.Task[None]) -> None:
        del self._under_way[sending]
        self.wake()
