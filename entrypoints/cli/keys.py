"""`colloquy keys`: works beside a running service, for the database takes several processes' short transactions."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from application.manage_api_keys import ManageApiKeys
from domain.errors import InvalidOptions
from domain.task import OwnerId
from infrastructure.container import Container
from infrastructure.log_config import configure_logging
from infrastructure.settings import Log, Settings
from infrastructure.startup import prepare

T = TypeVar("T")


def issue(settings: Settings, name: str, owner: UUID | None) -> None:
    """Print a new key's secret on standard output, and what it is on standard error."""
    key, secret = _run(settings, lambda manage: manage.issue(name, owner=None if owner is None else OwnerId(owner)))
    print(f"key {key.id} of owner {key.owner}; it is shown this once:", file=sys.stderr)
    print(secret)


def show(settings: Settings) -> None:
    """Print a line for each key."""
    for key in _run(settings, lambda manage: manage.list()):
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "live"
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        print(f"{key.id}  {key.hint}…  {state:<24} last used {used:<16}  owner {key.owner}  {key.name}")


def revoke(settings: Settings, key: UUID) -> int:
    """Revoke a key; return the exit status."""
    try:
        revoked = _run(settings, lambda manage: manage.revoke(key))
    except InvalidOptions as error:
        print(f"colloquy: {error.detail}", file=sys.stderr)
        return 1
    print(f"revoked {revoked.hint}… ({revoked.name})")
    return 0


def _run(settings: Settings, use: Callable[[ManageApiKeys], Awaitable[T]]) -> T:
    configure_logging(Log(level="error"))
    container = Container(settings=settings)

    async def run() -> T:
        await asyncio.to_thread(prepare, settings)
        try:
            return await use(container.manage_api_keys())
        finally:
            await container.database().dispose()

    return asyncio.run(run())
