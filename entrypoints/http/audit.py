"""The audit log: who did what on the owner's side, page by page, or whole as a file."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream
from msgspec import Meta, Struct, json, structs

from application.ports.audit import AuditFilter
from application.query_audit import QueryAudit
from domain.access import Caller, Scope
from domain.audit import Action, Entry, Thing
from entrypoints.http.cursors import decode_cursor, encode_cursor
from entrypoints.http.instants import AnyInstant, instant_or_none
from entrypoints.http.openapi import problems

_ADMIN = {"scope": Scope.ADMIN}
_EXACT = r"^[a-z]+(:[0-9a-f-]{36})?$"


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


_MEDIA_TYPES = {AuditFormat.NDJSON: "application/x-ndjson", AuditFormat.CSV: "text/csv; charset=utf-8"}
_Actor = Annotated[str | None, Parameter(max_length=60, pattern=_EXACT, description="Exactly this actor.")]
_Object = Annotated[
    str | None, Parameter(min_length=36, max_length=36, pattern=r"^[0-9a-f-]{36}$", description="This id.")
]


async def audit_filter(
    actor: _Actor = None,
    action: Annotated[Action | None, Parameter(description="This action alone.")] = None,
    object_id: _Object = None,
    since: AnyInstant = None,
    until: AnyInstant = None,
) -> AuditFilter:
    """Read what is asked for; `since` is included and `until` is not."""
    return AuditFilter(
        actor=actor,
        action=action,
        object=object_id,
        since=instant_or_none("since", since),
        until=instant_or_none("until", until),
    )


_FILTER = {"only": Provide(audit_filter)}


@get(
    "/audit",
    opt=_ADMIN,
    summary="The audit log",
    response_description="One page.",
    tags=["Callers"],
    dependencies=_FILTER,
    responses=problems("invalid_options"),
)
async def list_audit(
    caller: NamedDependency[Caller],
    audit: NamedDependency[QueryAudit],
    only: NamedDependency[AuditFilter],
    limit: Annotated[int, Parameter(ge=1, le=500, description="How many at most.")] = 100,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
) -> AuditPage:
    """Tell who created, read, exported, changed and deleted what, who logged in, and who was refused.

    It holds what concerns your side, and what your own people did. What was read shows up within a second.
    """
    before = decode_cursor(cursor) if cursor else None
    found = await audit.of(caller.owner, only, before=before, limit=limit + 1)
    page = [shown(entry) for entry in found[:limit]]
    return AuditPage(entries=page, next_cursor=encode_cursor(page[-1].id) if len(found) > limit else None)


@get(
    "/audit/export",
    opt=_ADMIN,
    summary="The audit log as a file",
    response_description="Every entry that passes, the latest first.",
    media_type="application/x-ndjson",
    tags=["Callers"],
    dependencies=_FILTER,
    responses={
        200: ResponseSpec(bytes, generate_examples=False, media_type="application/x-ndjson",
                          description="A line for each entry; with `format=csv`, after a line of names."),
        **problems("invalid_options"),
    },
)  # fmt: skip
async def export_audit(
    request: Request[Caller, Any, Any],
    audit: NamedDependency[QueryAudit],
    only: NamedDependency[AuditFilter],
    format: Annotated[AuditFormat, Parameter(description="How it is written.")] = AuditFormat.NDJSON,
) -> Stream:
    """Stream all of the log that `GET /audit` would show, for keeping it elsewhere."""
    name = f'attachment; filename="audit.{format.value}"'
    headers = {"Content-Type": _MEDIA_TYPES[format], "Content-Disposition": name, "Cache-Control": "private, no-cache"}
    return Stream(lines(audit.export(request.user.owner, only), format), headers=headers)


AUDIT_ROUTES = (list_audit, export_audit)


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
