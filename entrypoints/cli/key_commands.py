"""`colloquy keys …` and `colloquy users …` as commands; what they do stands in `keys.py` and `users.py`."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from entrypoints.cli.configured import configured as _settings

keys = typer.Typer(no_args_is_help=True, help="Issue, list, replace and revoke API keys.")
users = typer.Typer(no_args_is_help=True, help="Add users who log in with a password.")
_SECONDS_A_DAY = 86_400


class Scope(StrEnum):
    """What a key is good for."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_Owner = Annotated[UUID | None, typer.Option(help="Share an owner's history; a new owner if absent.")]
_Key = Annotated[UUID, typer.Argument(help="The key's id, from `keys list`.")]


@keys.command("issue")
def issue_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    owner: _Owner = None,
    priority: Annotated[int, typer.Option(min=0, max=9, help="Of what is submitted with it: higher goes first.")] = 0,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it is good for; repeat. All if absent.")] = None,
    expires_in_days: Annotated[float | None, typer.Option(min=0, max=3650, help="For ever if absent.")] = None,
) -> None:
    """Make a key and print it: it is shown this once."""
    from entrypoints.cli.keys import issue

    scopes = [str(each) for each in scope or Scope]
    seconds = None if expires_in_days is None else expires_in_days * _SECONDS_A_DAY
    issue(_settings(), name, owner=owner, priority=priority, scopes=scopes, seconds=seconds)


@keys.command("list")
def list_keys() -> None:
    """Print every key, never its secret."""
    from entrypoints.cli.keys import show

    show(_settings())


@keys.command("rotate")
def rotate_key(
    key: _Key,
    grace: Annotated[int, typer.Option(min=0, help="Seconds for which the old secret stays good.")] = 3_600,
) -> None:
    """Replace a key by one that is good for the same, and print that: it is shown this once."""
    from entrypoints.cli.keys import rotate

    raise typer.Exit(rotate(_settings(), key, grace))


@keys.command("revoke")
def revoke_key(key: _Key) -> None:
    """Shut a key out, from the next request on."""
    from entrypoints.cli.keys import revoke

    raise typer.Exit(revoke(_settings(), key))


@users.command("add")
def add_user(
    email: Annotated[str, typer.Argument(help="The address that the user logs in with.")],
    full_name: Annotated[str, typer.Option(help="How the user is called.")] = "",
    owner: _Owner = None,
) -> None:
    """Add a user, whose password is asked for, or read from standard input."""
    from entrypoints.cli.users import add

    raise typer.Exit(add(_settings(), email, full_name, owner))
