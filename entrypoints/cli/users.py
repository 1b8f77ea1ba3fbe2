"""`colloquy users`: works beside a running service, as `colloquy keys` does."""

import getpass
import sys
from uuid import UUID

from domain.errors import ColloquyError
from domain.task import OwnerId
from entrypoints.cli.beside import beside
from infrastructure.settings import Settings


def add(settings: Settings, email: str, full_name: str, owner: UUID | None) -> int:
    """Add a user; return the exit status."""
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        user = beside(
            settings,
            lambda container: container.register_user()(
                email=email, password=password, full_name=full_name, owner=None if owner is None else OwnerId(owner),
                invited=True,
            ),
        )  # fmt: skip
    except ColloquyError as error:
        print(f"colloquy: {error.detail}", file=sys.stderr)
        return 1
    print(f"added {user.email}, user {user.id} of owner {user.owner}")
    return 0
