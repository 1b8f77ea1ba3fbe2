"""Webhooks: where an owner wants to be told of events, and each event's way there, which is tried until it is taken.

What is written here names no network: `application/deliver_webhook.py` sends, and tells `Delivery` what came of it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID, uuid5

from domain.task import OwnerId, TaskId

EndpointId = NewType("EndpointId", UUID)
DeliveryId = NewType("DeliveryId", UUID)

SCHEDULE = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""The wait before each attempt, as Standard Webhooks has it: the last is made 75 hours and 35 minutes after the first,
so that a receiver may be down over a weekend."""
JITTER = 0.1
"""The part of a wait by which it may be longer, so that what failed together does not come back together."""
LEASE = timedelta(seconds=30)
"""How long an attempt belongs to the process that began it; twice what one can take."""
ROTATION = timedelta(hours=24)
"""How long a replaced secret goes on signing beside its successor."""
EXCERPT = 4096
"""Bytes of an answer that are read, and kept."""
KEPT = timedelta(days=30)
"""How long a delivery is listed, and can be sent again."""
_LOGGED = 20
_LONGEST_WAIT = timedelta(days=1)
_LIVE_SECRETS = 3
_GONE = 410
_SLOW_DOWN = frozenset({429, 502, 503, 504})


class EventType(StrEnum):
    """What an endpoint can be told."""

    QUEUED = "transcription.queued"
    STARTED = "transcription.started"
    COMPLETED = "transcription.completed"
    FAILED = "transcription.failed"
    CANCELLED = "transcription.cancelled"
    REVISED = "transcription.revision.created"
    TEST = "webhook.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """A signing secret as it is stored, encrypted; one that was replaced signs until `expires_at`."""

    sealed: bytes
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class WebhookEndpoint:
    """Where an owner's events go. The address is stored encrypted, `shown_url` is it without what lets anybody in.

    No `events` means all of them. One with a `task` is told of that task alone. `paused_until` is when its receiver
    wants to hear the next. `version` is as a task's.
    """

    id: EndpointId
    owner: OwnerId
    sealed_url: bytes
    shown_url: str
    secrets: tuple[SealedSecret, ...]
    created_at: datetime
    events: tuple[EventType, ...] = ()
    description: str = ""
    task: TaskId | None = None
    disabled_at: datetime | None = None
    disabled_reason: str = ""
    paused_until: datetime | None = None
    version: int = field(default=0)

    @property
    def enabled(self) -> bool:
        """Whether it is told anything."""
        return self.disabled_at is None

    def wants(self, event: EventType) -> bool:
        """Whether it is told of such events."""
        return self.enabled and (not self.events or event in self.events)

    def for_task(self, task: TaskId, *, now: datetime) -> "WebhookEndpoint":
        """Return a copy that is told of this task alone."""
        return replace(self, id=EndpointId(uuid5(task, "webhook")), task=task, created_at=now)

    def rotate(self, sealed: bytes, *, now: datetime) -> None:
        """Sign with a new secret, and for a while with the one before."""
        old = [
            secret if secret.expires_at else replace(secret, expires_at=now + ROTATION)
            for secret in self.signing(now)[: _LIVE_SECRETS - 1]
        ]
        self.secrets = (SealedSecret(sealed=sealed, created_at=now), *old)

    def signing(self, now: datetime) -> tuple[SealedSecret, ...]:
        """Return the secrets that sign now, the newest first."""
        return tuple(secret for secret in self.secrets if secret.expires_at is None or secret.expires_at > now)

    def disable(self, reason: str, *, now: datetime) -> None:
        """Tell it nothing more; what waits for it goes on waiting."""
        if self.enabled:
            self.disabled_at, self.disabled_reason = now, reason

    def enable(self) -> None:
        """Tell it again, at once."""
        self.disabled_at, self.disabled_reason, self.paused_until = None, "", None

    def heard(self, attempt: "DeliveryAttempt", *, retry_after: timedelta | None, now: datetime) -> bool:
        """Do as its receiver's answer asks: stop, or slow down; return whether that changed anything."""
        if attempt.status == _GONE:
            self.disable("its receiver answered 410 Gone", now=now)
            return True
        if attempt.status in _SLOW_DOWN and retry_after:
            self.paused_until = now + min(retry_after, _LONGEST_WAIT)
            return True
        return False


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One try: the receiver's HTTP status and the beginning of its answer, or why there was none; ms until then."""

    at: datetime
    latency: int
    status: int | None = None
    error: str = ""
    excerpt: str = ""

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken it; a redirect is none of its answers."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the successes of HTTP


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint. `event` and `body` are the same in every attempt.

    `tries` counts those of the schedule that runs, `attempts` logs the latest ones, also those before a replay.
    """

    id: DeliveryId
    endpoint: EndpointId
    task: TaskId | None
    event: str
    type: EventType
    body: bytes
    created_at: datetime
    next_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    attempts: tuple[DeliveryAttempt, ...] = ()
    settled_at: datetime | None = None
    version: int = field(default=0)

    def claim(self, *, now: datetime) -> None:
        """Begin an attempt: until the lease is over nobody else does; a process that dies has not tried."""
        self.next_at = now + LEASE

    def record(
        self, attempt: DeliveryAttempt, *, now: datetime, retry_after: timedelta | None = None, jitter: float = 0.0
    ) -> None:
        """Note what came of the attempt, and when to try again, `jitter` (0 to 1) of the slack later."""
        self.tries += 1
        self.attempts = (*self.attempts, attempt)[-_LOGGED:]
        if attempt.taken:
            self._settle(DeliveryState.DELIVERED, now)
        elif attempt.status == _GONE or self.tries >= len(SCHEDULE):
            self._settle(DeliveryState.FAILED, now)
        else:
            wait = SCHEDULE[self.tries] * (1 + JITTER * jitter)
            if attempt.status in _SLOW_DOWN and retry_after:
                wait = max(wait, min(retry_after, _LONGEST_WAIT))
            self.next_at = now + wait

    def replay(self, *, now: datetime) -> None:
        """Send it again from the schedule's beginning, whatever became of it, under the same id."""
        self.state, self.tries, self.next_at, self.settled_at = DeliveryState.PENDING, 0, now, None

    def _settle(self, state: DeliveryState, now: datetime) -> None:
        self.state, self.settled_at = state, now
