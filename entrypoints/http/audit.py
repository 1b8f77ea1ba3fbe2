"""The audit log: who did what on the owner's side, page by page, or whole as a file."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from application.ports.audit import AuditFilter
from application.query_audit import QueryAudit
from domain.access import Caller, Scope
from domain.audit import Action
from entrypoints.http.cursors import decode_cursor, encode_cursor
from entrypoints.http.instants import AnyInstant, instant_or_none
from entrypoints.http.openapi import problems
from entrypoints.http.schemas_audit import AuditFormat, AuditPage, lines, shown

_ADMIN = {"scope": Scope.ADMIN}
_EXACT = r"^[a-z]+(:[0-9a-f-]{36})?$"


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
