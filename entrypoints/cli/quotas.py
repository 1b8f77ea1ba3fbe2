"""`colloquy quotas`: works beside a running service, which heeds a change with the next task that is handed in."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from application.audit import Asking, asked_by
from application.manage_quotas import ManageQuotas
from domain.audit import OPERATOR
from domain.quota import Quota
from domain.task import OwnerId
from entrypoints.cli.configured import configured
from infrastructure.limit_settings import parse_limit

T = TypeVar("T")

quotas = typer.Typer(no_args_is_help=True, help="What owners may use: list, set, reset.")
_Owner = Annotated[UUID, typer.Argument(help="The owner, as `colloquy keys list` shows it.")]
_Limit = Annotated[str | None, typer.Option(help="A number, or unlimited; as it is, if absent.")]


@quotas.command(name="list")
def show() -> None:
    """Print everybody's quota, and that of each owner who has one."""

    async def read(manage: ManageQuotas) -> tuple[Quota, Mapping[OwnerId, Quota]]:
        return manage.everybodys, await manage.list()

    everybodys, own = _run(read)
    for name, quota in (("everybody", everybodys), *own.items()):
        typer.echo(f"{name!s:<36}  {_shown(quota)}")


@quotas.command(name="set")
def change(
    owner: _Owner, requests: _Limit = None, audio_minutes: _Limit = None, bytes: _Limit = None, tasks: _Limit = None
) -> None:
    """Give an owner a quota of its own: tasks a day, minutes and bytes in 30 days, tasks at once."""
    given = {"requests": requests, "audio_minutes": audio_minutes, "bytes": bytes, "tasks": tasks}
    changes = {name: _limit(name, text) for name, text in given.items() if text is not None}
    changed = _run(lambda manage: manage.change(OwnerId(owner), changes))
    typer.echo(f"{owner}  {_shown(changed)}")


@quotas.command()
def reset(owner: _Owner) -> None:
    """Let everybody's quota hold for an owner again."""
    _run(lambda manage: manage.reset(OwnerId(owner)))


def _limit(name: str, text: str) -> int | None:
    try:
        limit = parse_limit(text)
    except ValueError as error:
        raise typer.BadParameter(f"--{name.replace('_', '-')} takes a number or `unlimited`") from error
    if limit is not None and not 0 <= limit < 10**15:
        raise typer.BadParameter(f"--{name.replace('_', '-')} takes a number from 0 to 999999999999999")
    return limit


def _shown(quota: Quota) -> str:
    named = ((name.replace("_", "-"), value) for name, value in asdict(quota).items())
    return "  ".join(f"{name} {'unlimited' if value is None else value}" for name, value in named)


def _run(use: Callable[[ManageQuotas], Awaitable[T]]) -> T:
    from infrastructure.container import Container
    from infrastructure.log_config import configure_logging
    from infrastructure.log_settings import Log
    from infrastructure.startup import prepare

    settings = configured()
    configure_logging(Log(level="error"))
    container = Container(settings=settings)

    async def run() -> T:
        await asyncio.to_thread(prepare, settings)
        try:
            return await use(container.manage_quotas())
        finally:
            await container.database().dispose()

    with asked_by(Asking(actor=OPERATOR)):
        return asyncio.run(run())
