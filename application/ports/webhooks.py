"""The ports to webhooks: where endpoints and deliveries are stored, who sends them, and who keeps their secrets."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from domain.task import OwnerId, TaskId
from domain.webhook import Delivery, DeliveryId, DeliveryState, EndpointId, WebhookEndpoint


class StaleWebhook(Exception):
    """The endpoint or delivery was changed by somebody else since it was read, or is gone."""


class WebhookRepository(Protocol):
    """Stores endpoints; those of one task go with it."""

    @abstractmethod
    async def add(self, endpoint: WebhookEndpoint) -> None:
        """Store a new one; its task, if it has one, must exist."""

    @abstractmethod
    async def get(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        """Return the endpoint, or None."""

    @abstractmethod
    async def save(self, endpoint: WebhookEndpoint) -> None:
        """Store a change and raise `version` by one.

        Raises:
            StaleWebhook: the stored version is not the one that was read, or it is gone.
        """

    @abstractmethod
    async def remove(self, endpoint_id: EndpointId) -> None:
        """Remove the endpoint with its deliveries; one that does not exist is no error."""

    @abstractmethod
    async def of(self, owner: OwnerId, *, task: TaskId | None = None) -> Sequence[WebhookEndpoint]:
        """Return the owner's endpoints for all tasks, or those for this task alone; oldest first."""

    @abstractmethod
    async def listening(self, owner: OwnerId, task: TaskId) -> Sequence[WebhookEndpoint]:
        """Return the owner's endpoints for all tasks and those for this one; enabled ones only, oldest first."""


class DeliveryRepository(Protocol):
    """Stores deliveries; they go with their endpoint, and with their task."""

    @abstractmethod
    async def add(self, delivery: Delivery) -> None:
        """Store a new one; its endpoint, and its task if it has one, must exist."""

    @abstractmethod
    async def get(self, delivery_id: DeliveryId) -> Delivery | None:
        """Return the delivery, or None."""

    @abstractmethod
    async def save(self, delivery: Delivery) -> None:
        """Store a change and raise `version` by one.

        Raises:
            StaleWebhook: the stored version is not the one that was read, or it is gone.
        """

    @abstractmethod
    async def due(self, *, now: datetime, busy: Collection[EndpointId]) -> Delivery | None:
        """Return the pending delivery that has been due for longest, or None.

        Left out are those of endpoints that are disabled, paused until later than `now`, or `busy`.
        """

    @abstractmethod
    async def page(
        self,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None,
        before: tuple[datetime, DeliveryId] | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """Return the endpoint's deliveries, the newest first (by `created_at`, then id), those below `before`."""

    @abstractmethod
    async def since(self, endpoint_id: EndpointId, at: datetime, *, limit: int) -> Sequence[Delivery]:
        """Return the endpoint's deliveries that are settled and were made at `at` or later, the oldest first."""

    @abstractmethod
    async def forget(self, *, before: datetime) -> int:
        """Remove those made before that instant; return how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be sent where, signed with each of the secrets (raw bytes) for the instant `at`.

    `request_id` names the request that led to it, for the logs of both sides; empty where none did.
    """

    url: str = field(repr=False)
    id: str
    at: datetime
    body: bytes
    secrets: tuple[bytes, ...] = field(repr=False)
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What came of it: an HTTP status with the first 4 KiB of the answer as text, or `error`; `latency` is ms."""

    latency: int
    status: int | None = None
    error: str = ""
    excerpt: str = ""
    retry_after: timedelta | None = None


class WebhookSender(Protocol):
    """Sends messages to where their owners want them, and nowhere else."""

    @abstractmethod
    async def judge(self, url: str) -> None:
        """Refuse an address that nothing may be sent to, as far as can be told now; each connection is judged anew.

        Raises:
            UrlNotAllowed: the address is malformed, not encrypted, or leads to where no request may go.
        """

    @abstractmethod
    async def send(self, message: Message) -> Receipt:
        """Send once, signed as Standard Webhooks 1.0 says; follow no redirect, and take no longer than 15 seconds.

        Whatever the receiver or the network does stands in the receipt.
        """


class Cipher(Protocol):
    """Encrypts what the database must not give away."""

    @abstractmethod
    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt and authenticate; the same twice gives two different results.

        Raises:
            NotConfigured: the installation has no secret to encrypt with.
        """

    @abstractmethod
    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt what was sealed in the same context.

        Raises:
            NotConfigured: it was sealed elsewhere or under another secret, was changed, or as `seal`.
        """
