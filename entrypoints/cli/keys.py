"""`colloquy keys`: works beside a running service, for the database takes several processes' short transactions."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from application.manage_api_keys import scopes_of
from domain.access import ApiKey
from domain.errors import ColloquyError
from domain.task import OwnerId
from entrypoints.cli.beside import beside
from infrastructure.container import Container
from infrastructure.settings import Settings


def issue(
    settings: Settings, name: str, *, owner: UUID | None, priority: int, scopes: Iterable[str], seconds: float | None
) -> None:
    """Print a new key's secret on standard output, and what it is on standard error."""
    of = None if owner is None else OwnerId(owner)
    age = None if seconds is None else timedelta(seconds=seconds)
    key, secret = beside(
        settings,
        lambda container: container.manage_api_keys().issue(
            name, owner=of, priority=priority, scopes=scopes_of(scopes), expires_in=age
        ),
    )
    _hand_over(key, secret)


def show(settings: Settings) -> None:
    """Print a line for each key."""
    keys, now = beside(settings, _keys)
    for key in keys:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        owner = f"owner {key.owner}  priority {key.priority}"
        scopes = ",".join(sorted(key.scopes))
        print(f"{key.id}  {key.hint}…  {_state(key, now):<24} last used {used:<16}  {owner}  {scopes:<16}  {key.name}")


def rotate(settings: Settings, key: UUID, grace: int) -> int:
    """Print the secret of the key's successor; return the exit status."""
    try:
        made, secret = beside(
            settings, lambda container: container.manage_api_keys().rotate(key, grace=timedelta(seconds=grace))
        )
    except ColloquyError as error:
        print(f"colloquy: {error.detail}", file=sys.stderr)
        return 1
    _hand_over(made, secret)
    return 0


def revoke(settings: Settings, key: UUID) -> int:
    """Revoke a key; return the exit status."""
    try:
        revoked = beside(settings, lambda container: container.manage_api_keys().revoke(key))
    except ColloquyError as error:
        print(f"colloquy: {error.detail}", file=sys.stderr)
        return 1
    print(f"revoked {revoked.hint}… ({revoked.name})")
    return 0


async def _keys(container: Container) -> tuple[Sequence[ApiKey], datetime]:
    return await container.manage_api_keys().list(), container.clock().now()


def _hand_over(key: ApiKey, secret: str) -> None:
    print(f"key {key.id} of owner {key.owner}; it is shown this once:", file=sys.stderr)
    print(secret)


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at is None:
        return "live"
    return f"{'until' if key.live(now) else 'expired'} {key.expires_at:%Y-%m-%d %H:%M}"
