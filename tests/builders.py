"""Entities for tests, valid as they stand; name only what a test is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from adapters.system import Uuid7Factory
from domain.access import ApiKey, KeyId, digest, new_secret
from domain.attempts import Attempt, Outcome
from domain.media import ChannelMode
from domain.options import TranscriptionOptions
from domain.origin import Origin
from domain.task import (
    BatchId,
    Lease,
    MediaSource,
    OwnerId,
    Phase,
    Retention,
    Task,
    TaskError,
    TaskId,
    TaskKind,
    TaskStatus,
    media_key,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
OWNER = OwnerId(UUID(int=7))
_ids = Uuid7Factory()


def a_task(**changes: Any) -> Task:
    """A queued task of OWNER that was submitted at NOW."""
    task_id = changes.get("id", TaskId(_ids.new()))
    media = MediaSource(key=media_key(task_id), filename="talk.wav", size=1024, sha256="ab" * 32)
    task = Task.submit(id=task_id, owner=OWNER, options=TranscriptionOptions(), media=media, now=NOW)
    return replace(task, **changes)


def a_running_task(*, now: datetime = NOW, worker: str = "worker-1") -> Task:
    """A task that `worker` claimed at `now`, under token 1."""
    task = a_task(created_at=now, updated_at=now, run_after=now)
    task.claim(worker=worker, now=now)
    return task


def a_full_task() -> Task:
    """A task with no field at its default: what a store forgets of it shows."""
    later = NOW + timedelta(seconds=1)
    return a_task(
        options=TranscriptionOptions(
            language="pt-BR",
            model="tiny",
            min_speakers=2,
            max_speakers=4,
            channels=ChannelMode.SPLIT,
            initial_prompt="Guten Tag, „Welt“\n",
            hotwords=("Zürich", "naïve"),
            format="srt",
        ),
        created_at=NOW,
        updated_at=later,
        run_after=NOW + timedelta(microseconds=1),
        status=TaskStatus.PROCESSING,
        started_at=NOW + timedelta(seconds=2),
        finished_at=NOW + timedelta(seconds=3),
        attempt=4,
        crashes=3,
        strikes=2,
        token=9,
        lease=Lease(worker="host:1", token=9, until=NOW + timedelta(seconds=30)),
        phase=Phase.DIARIZING,
        phase_fraction=1 / 3,
        progress=0.1 + 0.2,
        eta_ms=61_000,
        cancel_requested=True,
        duration=28_800_000,
        language="pt",
        revision=5,
        processing_ms=12_345,
        error=TaskError("engine_failed", "it said “no” 🙁"),
        kind=TaskKind.REVISE,
        parent=TaskId(_ids.new()),
        priority=-3,
        retention=Retention(media=timedelta(hours=24), transcript=timedelta(days=30)),
        media_purged_at=NOW + timedelta(days=1),
        quarantined=True,
        stalled=True,
        attempts=(
            Attempt(
                number=3,
                worker="host:1",
                started_at=NOW,
                ended_at=later,
                outcome=Outcome.FAILED,
                code="engine_hung",
                stage="window",
            ),
            Attempt(number=4, worker="host:2", started_at=later),
        ),
        title="Sitzung „März“",
        tags=("board", "naïve, 2026"),
        batch=BatchId(_ids.new()),
        origin=Origin("from-the-caller.1", f"00-{'ab' * 16}-{'cd' * 8}-01"),
        version=6,
    )


def an_api_key(**changes: Any) -> ApiKey:
    """A live key of OWNER."""
    secret = new_secret()
    key = ApiKey(
        id=KeyId(_ids.new()), owner=OWNER, name="laptop", digest=digest(secret), hint=secret[:7], created_at=NOW
    )
    return replace(key, **changes)
