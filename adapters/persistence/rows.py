"""Entities as rows and back, the two ways side by side; a field that one way forgets fails the round-trip tests."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from msgspec import json
from sqlalchemy import Row

from domain.access import ApiKey, Scope
from domain.attempts import Attempts
from domain.content import content_digest
from domain.options import TranscriptionOptions
from domain.origin import Origin
from domain.task import Lease, MediaSource, Phase, Retention, Task, TaskError, TaskKind, TaskStatus


def task_to_row(task: Task) -> dict[str, Any]:
    """Lay a task out in columns; what is never searched goes as JSON."""
    return {
        "id": task.id,
        "owner": task.owner,
        "options": json.encode(task.options).decode(),
        "media": json.encode(replace(task.media, url="")).decode(),
        "fetch_url": task.media.url or None,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "run_after": task.run_after,
        "status": task.status.value,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "attempt": task.attempt,
        "crashes": task.crashes,
        "strikes": task.strikes,
        "token": task.token,
        "lease_worker": task.lease.worker if task.lease else None,
        "lease_token": task.lease.token if task.lease else None,
        "lease_until": task.lease.until if task.lease else None,
        "phase": task.phase.value,
        "phase_fraction": task.phase_fraction,
        "progress": task.progress,
        "eta_ms": task.eta_ms,
        "cancel_requested": task.cancel_requested,
        "duration": task.duration,
        "language": task.language,
        "revision": task.revision,
        "processing_ms": task.processing_ms,
        "error": json.encode(task.error).decode() if task.error else None,
        "version": task.version,
        "kind": task.kind.value,
        "parent": task.parent,
        "priority": task.priority,
        "media_key": task.media.key,
        "keep_media_s": _seconds(task.retention.media),
        "keep_transcript_s": _seconds(task.retention.transcript),
        "media_purged_at": task.media_purged_at,
        "quarantined": task.quarantined,
        "attempts": json.encode(task.attempts).decode(),
        "title": task.title,
        "tags": json.encode(task.tags).decode(),
        "batch": task.batch,
        "content": content_digest(task.options, task.media.sha256) if task.media.sha256 else None,
        "spoken": task.spoken,
        "stalled": task.stalled,
        "request_id": task.origin.request_id,
        "traceparent": task.origin.traceparent,
    }


def task_from_row(row: Row[Any]) -> Task:
    """Put a task together again."""
    return Task(
        id=row.id,
        owner=row.owner,
        options=json.decode(row.options, type=TranscriptionOptions),
        media=replace(json.decode(row.media, type=MediaSource), url=row.fetch_url or ""),
        created_at=row.created_at,
        updated_at=row.updated_at,
        run_after=row.run_after,
        status=TaskStatus(row.status),
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempt=row.attempt,
        crashes=row.crashes,
        strikes=row.strikes,
        token=row.token,
        lease=Lease(worker=row.lease_worker, token=row.lease_token, until=row.lease_until) if row.lease_until else None,
        phase=Phase(row.phase),
        phase_fraction=row.phase_fraction,
        progress=row.progress,
        eta_ms=row.eta_ms,
        cancel_requested=row.cancel_requested,
        duration=row.duration,
        language=row.language,
        revision=row.revision,
        processing_ms=row.processing_ms,
        error=json.decode(row.error, type=TaskError) if row.error else None,
        version=row.version,
        kind=TaskKind(row.kind),
        parent=row.parent,
        priority=row.priority,
        retention=Retention(media=_age(row.keep_media_s), transcript=_age(row.keep_transcript_s)),
        media_purged_at=row.media_purged_at,
        quarantined=row.quarantined,
        attempts=json.decode(row.attempts, type=Attempts),
        title=row.title,
        tags=json.decode(row.tags, type=tuple[str, ...]),
        batch=row.batch,
        stalled=row.stalled,
        origin=Origin(request_id=row.request_id, traceparent=row.traceparent),
    )


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds())


def _age(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def api_key_to_row(key: ApiKey) -> dict[str, Any]:
    """Lay a key out in columns."""
    return {
        "id": key.id,
        "owner": key.owner,
        "name": key.name,
        "digest": key.digest,
        "hint": key.hint,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "priority": key.priority,
        "scopes": " ".join(sorted(key.scopes)),
        "expires_at": key.expires_at,
        "replaced_by": key.replaced_by,
    }


def api_key_from_row(row: Row[Any]) -> ApiKey:
    """Put a key together again."""
    return ApiKey(
        id=row.id,
        owner=row.owner,
        name=row.name,
        digest=row.digest,
        hint=row.hint,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        priority=row.priority,
        scopes=frozenset(map(Scope, row.scopes.split())),
        expires_at=row.expires_at,
        replaced_by=row.replaced_by,
    )
