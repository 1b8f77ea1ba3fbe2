"""The API with a clock that tests set, and its webhooks sent by hand: one attempt after another, in the order due."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import httpx

from application.announce_task import announce
from application.manage_webhooks import ManageWebhooks
from application.ports.system import Clock
from application.replay_deliveries import ReplayDeliveries
from domain.task import OwnerId, Task
from domain.webhook import Delivery, DeliveryState, EndpointId, EventType, WebhookEndpoint
from tests.builders import a_task
from tests.entrypoints.http_service import Api


class SetClock(Clock):
    """Stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class House:
    """One owner of webhooks; `client` speaks with its key, over an application that is made when it is first used."""

    def __init__(self, api: Api, owner: OwnerId, secret: str) -> None:
        self.api = api
        self.owner = owner
        self._secret = secret
        self._client: httpx.AsyncClient | None = None
        # In whole seconds, as a receiver is told it.
        self.clock = SetClock(api.clock.now().astimezone(UTC).replace(microsecond=0))
        api.database.clock = self.clock
        self.deliver = api.deliverer()

    @classmethod
    @asynccontextmanager
    async def built(cls, folder: Path) -> AsyncIterator[Self]:
        api = Api(folder)
        key, secret = await api.keys.issue("owner")
        house = cls(api, key.owner, secret)
        yield house
        if house._client is not None:
            await house._client.aclose()

    @property
    def client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self.api.client({"Authorization": f"Bearer {self._secret}"})
        return self._client

    @property
    def webhooks(self) -> ManageWebhooks:
        return self.api.dependencies.webhooks

    @property
    def replays(self) -> ReplayDeliveries:
        return self.api.dependencies.replays

    async def register(self, url: str, *events: EventType) -> tuple[EndpointId, str]:
        """Register a webhook; return its id and its secret."""
        endpoint, secret = await self.webhooks.add(self.owner, url, events=events)
        return endpoint.id, secret

    async def endpoint(self, webhook: EndpointId) -> WebhookEndpoint:
        return await self.webhooks.one(self.owner, webhook)

    async def happen(self) -> Task:
        """Have a task queued, which is told to whoever wants to hear it."""
        task = a_task(owner=self.owner, created_at=self.clock.time, updated_at=self.clock.time)
        async with self.api.new_uow() as uow:
            await uow.tasks.add(task)
            await announce(uow, task)
            await uow.commit()
        return task

    async def attempt(self) -> bool:
        """Make the attempt that is due, if there is one."""
        claimed = await self.deliver.claim()
        if claimed is not None:
            await self.deliver.send(claimed)
        return claimed is not None

    async def attempt_all(self) -> int:
        made = 0
        while await self.attempt():
            made += 1
        return made

    async def wait(self) -> bool:
        """Set the clock to when the next attempt is due; False if nothing is pending."""
        pending = [
            each.next_at
            for each in await self.deliveries()
            if each.state is DeliveryState.PENDING
        ]  # fmt: skip
        self.clock.time = max(self.clock.time, min(pending, default=self.clock.time))
        return bool(pending)

    async def deliveries(self) -> list[Delivery]:
        async with self.api.new_uow() as uow:
            return [
                delivery
                for endpoint in await uow.webhooks.of(self.owner)
                for delivery in await uow.deliveries.page(endpoint.id, state=None, before=None, limit=1000)
            ]

    async def log(self, webhook: EndpointId, state: DeliveryState | None = None) -> Sequence[Delivery]:
        """Return the webhook's deliveries, newest first."""
        return await self.replays.log(self.owner, webhook, state=state, before=None, limit=1000)

    def pass_by(self, time: timedelta) -> None:
        self.clock.time += time
