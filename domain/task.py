"""A task's life: submitted, claimed under a lease, worked on in phases, and ended exactly once.

    queued ──claim──▶ processing ──complete──▶ done
      ▲  ▲               │  │ └────fail──────▶ error
      │  └──release/retry┘  └──────cancel────▶ cancelled
      └──────────(cancel while queued)───────▶ cancelled

The entity owns its transitions; nothing else sets its fields. Instants are aware UTC datetimes that come from the
database's clock, never from the process. A lease names a fencing token that grows with each claim: a write under an
older token raises `LeaseLost`, so a worker that slept through its lease cannot undo its successor's work.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from domain.attempts import Attempts, Outcome, begun, ended, last_failed_stage
from domain.errors import LeaseLost, WrongState
from domain.options import TranscriptionOptions
from domain.origin import Origin

TaskId = NewType("TaskId", UUID)
OwnerId = NewType("OwnerId", UUID)
BatchId = NewType("BatchId", UUID)

MAX_STRIKES = 3
"""Attempts in a row that may fail in an engine without a new checkpoint before a task is given up as poisonous."""
MAX_CRASHES = 10
"""The same for attempts whose whole worker died: power cuts and operators end those far more often than recordings,
which are opened in processes of their own; but one that does bring its worker down must not do so for ever."""
_DEADLY = frozenset({"worker_crashed", "engine_hung"})
"""Failures that take a process down; a recording that strikes out with one is set apart."""
LEASE = timedelta(seconds=30)
"""How long a silent worker keeps a task; renewed every ten seconds, so two renewals may be lost."""


class TaskStatus(StrEnum):
    """Where a task stands; the last three are final."""

    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing changes any more."""
        return self in {TaskStatus.DONE, TaskStatus.ERROR, TaskStatus.CANCELLED}


class TaskKind(StrEnum):
    """What the work makes: a transcript of a recording, or a new revision of its parent's transcript."""

    TRANSCRIBE = "transcribe"
    REVISE = "revise"


class Phase(StrEnum):
    """What a running task is busy with, in order."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    DECODING = "decoding"
    DETECTING = "detecting_speech"
    TRANSCRIBING = "transcribing"
    DIARIZING = "diarizing"
    FINISHING = "finishing"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSource:
    """The recording as it was handed in: its blob, its name as the caller gave it, its size in bytes.

    `sha256` is empty when nobody has read it yet; `etag` is the store's mark of what was accepted then. `url` is where
    it must still be fetched from: it may hold secrets, is never shown, and is forgotten once the recording is here;
    `source_url` is what may be shown of it.
    """

    key: str
    filename: str
    size: int
    sha256: str
    etag: str = ""
    url: str = field(default="", repr=False)
    source_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how long what belongs to a task is kept once it has ended; None is for ever, zero is not at all."""

    media: timedelta | None = None
    transcript: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on the task, under which token, until when."""

    worker: str
    token: int
    until: datetime


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task ended in error: a stable code and a sentence that is safe to show."""

    code: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Task:
    """One recording's way to its transcript. `duration` and `processing_ms` are ms; `progress` is 0 to 1.

    `version` counts stored changes; the repository refuses a write that does not follow the version it read.
    Transitions that take a `token` raise `LeaseLost` when it is not the current one.
    `priority` goes before age when workers choose: higher first. `parent` is the task that this one retries or revises.
    `media_purged_at` says since when the recording is gone, `quarantined` that it was set apart for killing workers.
    `strikes` counts the failed attempts since the stage that failed last got further, `crashes` those whose worker died
    or lost its lease since the last checkpoint; `attempts` is the history of the latest ones. `title` and `tags` are
    the owner's own words for it, and mean nothing here; `batch` is the call that handed in this and other recordings.
    `origin` is the request that it was made by.
    """

    id: TaskId
    owner: OwnerId
    options: TranscriptionOptions
    media: MediaSource
    created_at: datetime
    updated_at: datetime
    run_after: datetime
    status: TaskStatus = TaskStatus.QUEUED
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0
    crashes: int = 0
    strikes: int = 0
    token: int = 0
    lease: Lease | None = None
    phase: Phase = Phase.WAITING
    phase_fraction: float = 0.0
    progress: float = 0.0
    eta_ms: int | None = None
    cancel_requested: bool = False
    duration: int | None = None
    language: str | None = None
    revision: int = 0
    processing_ms: int = 0
    error: TaskError | None = None
    kind: TaskKind = TaskKind.TRANSCRIBE
    parent: TaskId | None = None
    priority: int = 0
    retention: Retention = field(default_factory=Retention)
    media_purged_at: datetime | None = None
    quarantined: bool = False
    attempts: Attempts = ()
    stalled: bool = False
    title: str = ""
    tags: tuple[str, ...] = ()
    batch: BatchId | None = None
    origin: Origin = field(default_factory=Origin)
    version: int = field(default=0)

    @property
    def spoken(self) -> str | None:
        """The language that was recognised, or, until that is known, the one that was asked for."""
        return self.language or (None if self.options.language == "auto" else self.options.language)

    @staticmethod
    def submit(
        *,
        id: TaskId,
        owner: OwnerId,
        options: TranscriptionOptions,
        media: MediaSource,
        now: datetime,
        kind: TaskKind = TaskKind.TRANSCRIBE,
        parent: TaskId | None = None,
        priority: int = 0,
        retention: Retention | None = None,
        title: str = "",
        tags: tuple[str, ...] = (),
        batch: BatchId | None = None,
        origin: Origin | None = None,
    ) -> "Task":
        """Create a queued task that may run at once."""
        return Task(
            id=id, owner=owner, options=options, media=media, created_at=now, updated_at=now, run_after=now, kind=kind,
            parent=parent, priority=priority, retention=retention or Retention(), title=title, tags=tags, batch=batch,
            origin=origin or Origin(),
        )  # fmt: skip

    def claim(self, *, worker: str, now: datetime, lease: timedelta = LEASE) -> None:
        """Take the task to work on it; the attempt counts from here, so that a crash cannot hide one.

        Raises:
            WrongState: it is not queued, or not due yet.
        """
        if self.status is not TaskStatus.QUEUED or self.run_after > now:
            message = f"a task that is {self.status} cannot be claimed"
            raise WrongState(message)
        self.token += 1
        self.attempt += 1
        self.status = TaskStatus.PROCESSING
        self.lease = Lease(worker=worker, token=self.token, until=now + lease)
        self.started_at = self.started_at or now
        self.attempts = begun(self.attempts, number=self.attempt, worker=worker, now=now)
        self.phase = Phase.DOWNLOADING if self.media.url else Phase.DECODING
        self.phase_fraction, self.eta_ms = 0.0, None
        self.updated_at = now

    def renew(self, *, token: int, now: datetime, lease: timedelta = LEASE) -> None:
        """Keep the lease alive."""
        held = self._held(token)
        self.lease = Lease(worker=held.worker, token=token, until=now + lease)
        self.updated_at = now

    def advance(
        self, *, token: int, phase: Phase, fraction: float, progress: float, eta_ms: int | None, now: datetime,
        stalled: bool = False,
    ) -> None:  # fmt: skip
        """Report `fraction` of the phase and `progress` of the whole, both 0 to 1; the whole never falls.

        Not when an attempt begins anew either: what it repeats was shown as done, and was done. `stalled` says that
        nothing has moved for longer than it should take.
        """
        self._held(token)
        self.phase, self.phase_fraction = phase, min(1.0, max(0.0, fraction))
        self.progress = max(self.progress, min(1.0, progress))
        self.eta_ms = None if eta_ms is None else max(0, eta_ms)
        self.stalled = stalled
        self.updated_at = now

    def fetched(self, *, token: int, media: MediaSource, title: str, duration: int | None) -> None:
        """Note that the recording is here, and what its site says of it; a title that the owner gave stays."""
        self._held(token)
        self.media, self.title = media, self.title or title
        self.duration = duration if self.duration is None else self.duration

    def measured(self, *, token: int, duration: int) -> None:
        """Note how long the recording is, as decoding found."""
        self._held(token)
        self.duration = duration

    def checkpointed(self, *, token: int, stage: str = "") -> None:
        """Note that `stage` finished a part that no attempt had finished before: earlier crashes are forgiven.

        Strikes are forgiven to the stage that struck last only: what runs beside it says nothing of it.
        """
        self._held(token)
        self.crashes = 0
        if last_failed_stage(self.attempts) in {"", stage}:
            self.strikes = 0

    def complete(self, *, token: int, now: datetime, language: str, duration: int, processing_ms: int) -> None:
        """End well: the transcript of the next revision is stored; one that revises was given its number before."""
        self._held(token)
        self.revision += self.kind is TaskKind.TRANSCRIBE
        self.language, self.duration, self.processing_ms = language, duration, processing_ms
        self.progress, self.phase, self.phase_fraction, self.eta_ms = 1.0, Phase.FINISHING, 1.0, 0
        self.attempts = ended(self.attempts, Outcome.COMPLETED, now)
        self._end(TaskStatus.DONE, now)

    def revised(self, *, number: int, now: datetime) -> None:
        """Note that a further revision of the transcript is stored; the task stays done.

        Raises:
            WrongState: there is no transcript that could have been revised.
        """
        if self.status is not TaskStatus.DONE:
            message = f"a task that is {self.status} has nothing to revise"
            raise WrongState(message)
        self.revision = max(self.revision, number)
        self.updated_at = now

    def fail(self, *, token: int, error: TaskError, now: datetime) -> None:
        """End in error."""
        self._held(token)
        self.error = error
        self.attempts = ended(self.attempts, Outcome.FAILED, now, code=error.code)
        self._end(TaskStatus.ERROR, now)

    def retry(
        self, *, token: int, error: TaskError, delay: timedelta, now: datetime, strike: bool = True, stage: str = ""
    ) -> None:
        """Queue the task again after an attempt failed in `stage`, or end in error when it has struck out.

        `strike=False` is for causes outside the task, a full disk say, which may be waited out any number of times.
        """
        self._held(token)
        self.strikes += strike
        self.attempts = ended(self.attempts, Outcome.FAILED, now, code=error.code, stage=stage)
        if self.strikes >= MAX_STRIKES:
            self.quarantined = error.code in _DEADLY
            self.fail(token=token, error=error, now=now)
        else:
            self._requeue(now, delay)

    def release(self, *, token: int, now: datetime) -> None:
        """Give the task back unharmed, as a shutdown does: the attempt does not count."""
        self._held(token)
        self.attempt -= 1
        self.attempts = ended(self.attempts, Outcome.RELEASED, now)
        self._requeue(now, timedelta())

    def expire(self, *, now: datetime, delay: timedelta, gone: bool = False) -> None:
        """Take the task back from a worker whose lease ran out, or that is known to be `gone`.

        Raises:
            WrongState: there is no lease, or it still runs.
        """
        if self.lease is None or (self.lease.until > now and not gone):
            message = "the task's lease has not run out"
            raise WrongState(message)
        self.crashes += 1
        self.attempts = ended(self.attempts, Outcome.CRASHED, now, code="worker_crashed")
        if self.crashes >= MAX_CRASHES and not self.cancel_requested:
            self.error = TaskError("worker_crashed", f"the process working on it died {self.crashes} times in a row")
            self.quarantined = True
            self._end(TaskStatus.ERROR, now)
        else:
            self._requeue(now, delay)

    def request_cancel(self, *, now: datetime) -> None:
        """Cancel: at once when queued, else by asking the worker to stop; asking twice changes nothing.

        Raises:
            WrongState: the task is done or in error.
        """
        if self.status is TaskStatus.CANCELLED or self.cancel_requested:
            return
        if self.status.final:
            message = f"a task that is {self.status} cannot be cancelled"
            raise WrongState(message)
        if self.status is TaskStatus.QUEUED:
            self._end(TaskStatus.CANCELLED, now)
        else:
            self.cancel_requested = True
            self.updated_at = now

    def cancelled(self, *, token: int, now: datetime) -> None:
        """Confirm a requested cancellation: the work has stopped."""
        self._held(token)
        self.attempts = ended(self.attempts, Outcome.CANCELLED, now)
        self._end(TaskStatus.CANCELLED, now)

    def labelled(self, *, title: str | None, tags: tuple[str, ...] | None, now: datetime) -> None:
        """Change the owner's words for it, in any state; None leaves them."""
        self.title = self.title if title is None else title
        self.tags = self.tags if tags is None else tags
        self.updated_at = now

    def purged(self, *, now: datetime) -> None:
        """Note that the recording is gone, by its age; the first time counts."""
        self.media_purged_at = self.media_purged_at or now
        self.media = replace(self.media, url="")

    def orphaned(self, *, now: datetime) -> None:
        """Stop, and forget what was taken over from the parent, which was deleted: there is nothing left to revise."""
        if not self.status.final:
            self.request_cancel(now=now)
        self.media = replace(self.media, filename="", url="", source_url="")
        self.options = replace(self.options, initial_prompt="", hotwords=())

    def _held(self, token: int) -> Lease:
        if self.lease is None or self.lease.token != token:
            message = "another worker holds this task now"
            raise LeaseLost(message)
        return self.lease

    def _requeue(self, now: datetime, delay: timedelta) -> None:
        if self.cancel_requested:
            self._end(TaskStatus.CANCELLED, now)
            return
        self.status, self.lease, self.run_after = TaskStatus.QUEUED, None, now + delay
        self.phase, self.phase_fraction, self.eta_ms, self.stalled = Phase.WAITING, 0.0, None, False
        self.updated_at = now

    def _end(self, status: TaskStatus, now: datetime) -> None:
        self.status, self.lease, self.finished_at, self.updated_at = status, None, now, now
        self.eta_ms, self.stalled = 0 if status is TaskStatus.DONE else None, False


def transcript_key(task: TaskId, revision: int) -> str:
    """Name the blob that holds a revision of a task's transcript."""
    return f"transcripts/{task}/{revision}.json"


def media_key(task: TaskId) -> str:
    """Name the blob that holds a task's recording."""
    return f"media/{task}"
