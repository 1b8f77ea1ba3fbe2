"""The audit log as it goes over the wire and into files."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, json, structs

from domain.audit import Action, Entry, Thing


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Something that was done. No word of content is in it, and it outlives what it was done to."""

    id: UUID
    at: Annotated[datetime, Meta(description="By the database's clock.")]
    actor: Annotated[
        str,
        Meta(
            description="`key:ID`, `user:ID`, `local`, `anonymous`; `system` is chores, `operator` the command line.",
            examples=["key:0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"],
        ),
    ]
    action: Annotated[Action, Meta(description="What was done; `refused`: it is somebody else's.")]
    object_kind: Thing
    object_id: Annotated[str, Meta(examples=["0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"])]
    detail: Annotated[str, Meta(description="A format, a reason, the kind of an edit, or what came of it.")]
    request_id: Annotated[str, Meta(description="As in the log; empty where no request asked for it.")]
    address: Annotated[str, Meta(description="From where, as far as it is kept.", examples=["203.0.113.0/24"])]


class AuditPage(Struct, frozen=True, kw_only=True):
    """One page, the latest first."""

    entries: list[AuditEntry]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null at the end.")]


class AuditFormat(StrEnum):
    """How the log is written into a file."""

    NDJSON = "ndjson"
    CSV = "csv"


async def lines(entries: AsyncIterator[Entry], format: AuditFormat) -> AsyncIterator[bytes]:
    """Write entries one by one."""
    if format is AuditFormat.CSV:
        yield _row(AuditEntry.__struct_fields__)
    async for entry in entries:
        told = shown(entry)
        yield _row(_texts(told).values()) if format is AuditFormat.CSV else json.encode(told) + b"\n"


def shown(entry: Entry) -> AuditEntry:
    """Lay an entry out as callers see it."""
    fact = entry.fact
    return AuditEntry(
        id=entry.id, at=entry.at, actor=fact.actor, action=fact.action, object_kind=fact.thing, object_id=fact.object,
        detail=fact.detail, request_id=fact.request_id, address=fact.address,
    )  # fmt: skip


def _texts(entry: AuditEntry) -> Mapping[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in structs.asdict(entry).items()
    }


def _row(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
