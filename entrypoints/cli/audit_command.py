"""`colloquy audit`: the whole log, of every owner, from beside a running service."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from domain.audit import Action
from entrypoints.cli.configured import configured as _settings


class AuditFormat(StrEnum):
    """How it is printed."""

    TEXT = "text"
    NDJSON = "ndjson"
    CSV = "csv"


_INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def audit(
    actor: Annotated[str | None, typer.Option(help="key:ID, user:ID, local, anonymous, system or operator.")] = None,
    action: Annotated[Action | None, typer.Option(help="This action alone.")] = None,
    object_id: Annotated[str | None, typer.Option("--object", help="What it was done to, by its id.")] = None,
    owner: Annotated[UUID | None, typer.Option(help="On this owner's side alone.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=_INSTANTS, help="UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_INSTANTS, help="UTC; not included.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The latest so many; all if absent.")] = None,
    format: Annotated[AuditFormat, typer.Option("--format", "-f")] = AuditFormat.TEXT,
) -> None:
    """Print who did what, the latest first."""
    import sys

    from application.ports.audit import AuditFilter
    from entrypoints.cli.beside import beside
    from entrypoints.http.schemas_audit import AuditFormat as FileFormat
    from entrypoints.http.schemas_audit import lines, shown
    from infrastructure.container import Container

    only = AuditFilter(
        owner=owner, actor=actor, action=action, object=object_id,
        since=since and since.replace(tzinfo=UTC), until=until and until.replace(tzinfo=UTC),
    )  # fmt: skip

    async def work(container: Container) -> None:
        entries = container.query_audit().all(only, most=limit)
        if format is not AuditFormat.TEXT:
            async for line in lines(entries, FileFormat(format.value)):
                sys.stdout.buffer.write(line)
            return
        async for entry in entries:
            told = shown(entry)
            print(
                f"{told.at:%Y-%m-%d %H:%M:%S}  {told.actor:<41}  {told.action:<12}  {told.object_kind:<10}  "
                f"{told.object_id:<36}  {told.detail}".rstrip()
            )

    beside(_settings(), work)
