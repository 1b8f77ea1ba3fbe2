"""What an installation is like: its servers, its queue, its models, and the machine; beside a running service.

It changes nothing but one blob of its own, which it removes. What it says is for the operator, and holds no secret.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import ColloquyError
from infrastructure.container import Container
from infrastructure.database import looking, pending_migrations
from infrastructure.engine_choice import missing_models
from infrastructure.examination import Finding
from infrastructure.machine import look_at_machine, look_at_processes
from infrastructure.models import faults, shelf
from infrastructure.settings import Settings
from infrastructure.storage import rules_of

_ANSWER_SECONDS = 8.0
"""Longer than any of them takes that works; a person is waiting."""
_SLOW_SECONDS = 1.0
_SKEW_SECONDS = 2.0
_WAITING_SECONDS = 60.0
_CONNECTIONS_PERCENT = 80
_READ_BYTES = 1_000_000_000
"""Models up to this size are compared with their digests, in a few seconds; larger ones by `colloquy models verify`."""
_PROBE = "health/doctor"
_QUEUE = text(
    "SELECT (SELECT count(*) FROM tasks WHERE status = 'queued') AS queued,"
    " (SELECT min(run_after) FROM tasks WHERE status = 'queued') AS oldest,"
    " (SELECT count(*) FROM tasks WHERE lease_until IS NOT NULL) AS running,"
    " (SELECT count(DISTINCT lease_worker) FROM tasks WHERE lease_until IS NOT NULL) AS workers"
)


def inspect_installation(settings: Settings) -> list[Finding]:
    """Return the findings; what does not answer in time is one of them."""
    if settings.alone and not Path(settings.sql_url.partition(":///")[2]).exists():  # to look would be to make it
        return [
            *look_at_machine(settings),
            Finding("ok", "database", "SQLite, not there yet: the first start makes it"),
        ]
    return [*look_at_machine(settings), *asyncio.run(_servers(settings)), *look_at_processes(settings)]


async def _servers(settings: Settings) -> list[Finding]:
    container = Container(settings=settings)
    checks: dict[str, Callable[[], Awaitable[list[Finding]]]] = {
        "database": lambda: _database(container, settings),
        "object store" if settings.bucket else "blob folder": lambda: _blobs(container, settings),
        "models": lambda: asyncio.to_thread(_models, settings),
    }
    if settings.broker_url:
        checks["broker"] = lambda: _broker(container)
    asked = {part: asyncio.ensure_future(check()) for part, check in checks.items()}
    await asyncio.wait(asked.values(), timeout=_ANSWER_SECONDS)
    found = [finding for part, answer in asked.items() for finding in _heard(part, answer)]
    for answer in asked.values():
        answer.cancel()
    if settings.broker_url:
        await container.queue().close()
    await container.database().dispose()
    return found


def _heard(part: str, answer: "asyncio.Future[list[Finding]]") -> list[Finding]:
    if not answer.done():
        return [Finding("fail", part, f"no answer within {_ANSWER_SECONDS:g} s", "look at its address, and at its log")]
    error = answer.exception()
    if error is None:
        return answer.result()
    said = error.detail if isinstance(error, ColloquyError) else type(error).__name__
    return [Finding("fail", part, f"cannot be used: {said}", "look at its address, its credentials, and its log")]


async def _database(container: Container, settings: Settings) -> list[Finding]:
    begun = time.monotonic()
    async with container.look() as uow:
        told = await uow.tasks.now()
    took, skew = time.monotonic() - begun, abs((datetime.now(UTC) - told).total_seconds())  # noqa: TID251 - the machine's
    fine = [_timed("database", f"{_kind(settings)} answers", took)]
    if skew > _SKEW_SECONDS + took:
        fine.append(Finding("warn", "clock", f"{skew:.0f} s away from the database's", "let NTP set both clocks"))
    try:
        if await pending_migrations(container.database()):
            return [*fine, Finding("fail", "tables", "older than this release", "colloquy migrate")]
        return [*fine, *await _queue(container), *await _server(container, settings)]
    except SQLAlchemyError:
        return [*fine, Finding("warn", "tables", "there are none yet", "colloquy migrate, or start the service")]


async def _queue(container: Container) -> list[Finding]:
    async with looking(container.database()).connect() as connection:
        row = (await connection.execute(_QUEUE)).one()
    oldest = datetime.fromisoformat(row.oldest) if isinstance(row.oldest, str) else row.oldest
    now = datetime.now(UTC)  # noqa: TID251 - as above
    age = 0.0 if oldest is None else (now - (oldest if oldest.tzinfo else oldest.replace(tzinfo=UTC))).total_seconds()
    said = f"{row.queued} wait, the oldest for {max(age, 0):.0f} s; {row.running} run, on {row.workers} workers"
    idle = row.queued and not row.running and age > _WAITING_SECONDS
    return [Finding("warn" if idle else "ok", "queue", said, "is any worker running?" if idle else "")]


async def _server(container: Container, settings: Settings) -> list[Finding]:
    if settings.alone:
        return []
    async with looking(container.database()).connect() as connection:
        version = (await connection.execute(text("SHOW server_version"))).scalar_one()
        most = int((await connection.execute(text("SHOW max_connections"))).scalar_one())
        used = int((await connection.execute(text("SELECT count(*) FROM pg_stat_activity"))).scalar_one())
    many = used * 100 > most * _CONNECTIONS_PERCENT
    fix = "raise max_connections, or put PgBouncer before it" if many else ""
    return [Finding("warn" if many else "ok", "PostgreSQL", f"{version}; {used} of {most} connections in use", fix)]


async def _blobs(container: Container, settings: Settings) -> list[Finding]:
    part, store = "object store" if settings.bucket else "blob folder", container.stored()
    if not settings.bucket and not settings.blob_dir.is_dir():
        return [Finding("ok", part, "not there yet: the first start makes it")]
    said, begun = os.urandom(64), time.monotonic()
    key = f"{_PROBE}-{said[:8].hex()}"

    async def chunks() -> AsyncIterator[bytes]:
        yield said

    try:
        await store.put(key, chunks())
        whole = b"".join([chunk async for chunk in store.open(key)]) == said
    finally:
        await store.delete(key)
    took = time.monotonic() - begun
    if not whole or await store.stat(key) is not None:
        return [Finding("fail", part, "gives back something else than it was given", "use another store")]
    found = [_timed(part, "wrote, read and removed a blob", took)]
    rules = await rules_of(container.stored())
    if rules is not None and not rules:
        why = "has no rules of ours for uploads that were left behind: only the service tidies up"
        found.append(Finding("warn", part, why, "start the service once with a key that may set lifecycle rules"))
    return found


async def _broker(container: Container) -> list[Finding]:
    begun = time.monotonic()
    if await container.queue().answers():
        return [_timed("broker", "answers", time.monotonic() - begun)]
    return [Finding("fail", "broker", "does not answer, or lets us not in", "look at QUEUE_URL and at the server")]


def _models(settings: Settings) -> list[Finding]:
    missing = missing_models(settings)
    here = [model for model in shelf(settings) if model.here]
    found = [
        Finding("fail", "models", f"{name} is wanted by name and is not here", f"colloquy models pull {name}")
        for name in missing
    ]
    for model in here:
        if (model.size or 0) > _READ_BYTES:
            found.append(Finding("ok", "models", f"{model.name}, not read", f"colloquy models verify {model.name}"))
        elif wrong := list(faults(settings, model.name)):
            fix = f"colloquy models pull --again {model.name}"
            found.append(Finding("fail", "models", f"{model.name}: {'; '.join(wrong)}", fix))
        else:
            found.append(Finding("ok", "models", f"{model.name}, as published"))
    return found


def _timed(part: str, did: str, took: float) -> Finding:
    slow = took > _SLOW_SECONDS
    fix = "look at its load, and at the way to it" if slow else ""
    return Finding("warn" if slow else "ok", part, f"{did} in {took:.2f} s", fix)


def _kind(settings: Settings) -> str:
    if settings.alone:
        return "SQLite"
    address = urlsplit(settings.sql_url)
    return f"PostgreSQL at {address.hostname or 'its socket'}"
