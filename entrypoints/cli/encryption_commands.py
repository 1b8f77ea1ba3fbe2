"""`colloquy encryption`: works beside a running service; what is stored encrypted is never rewritten by it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from application.ports.vault import Vault, VaultState
from domain.errors import NotConfigured
from entrypoints.cli.configured import configured as _settings

T = TypeVar("T")

encryption = typer.Typer(no_args_is_help=True, help="Encryption at rest: status, rotate, apply.")


@encryption.command()
def status() -> None:
    """Say which key is in use, and what still hangs on others; keys are named by their ids."""
    _tell(_with_vault(lambda vault: vault.state()))


@encryption.command()
def rotate() -> None:
    """Put everything under the first of ENCRYPTION_KEYS, so that the others can go; no recording is rewritten."""
    _tell(_with_vault(lambda vault: vault.rotate()))


@encryption.command()
def apply() -> None:
    """Encrypt what was stored before encryption was switched on; it may be broken off, and begun again."""
    from entrypoints.cli.beside import beside
    from infrastructure.container import Container

    async def work(container: Container) -> tuple[int, int]:
        use = container.encrypt_old()
        if use is None:
            raise NotConfigured("ENCRYPTION_KEYS is not set")
        return await use()

    blobs, texts = beside(_settings(), work)
    typer.echo(f"encrypted {blobs} blobs and the texts of {texts} tasks")


def _with_vault(use: Callable[[Vault], Awaitable[T]]) -> T:
    from entrypoints.cli.beside import beside
    from infrastructure.container import Container

    async def work(container: Container) -> T:
        vault = container.vault()
        if vault is None:
            raise NotConfigured("ENCRYPTION_KEYS is not set")
        return await use(vault)

    return beside(_settings(), work)


def _tell(state: VaultState) -> None:
    typer.echo(f"in use: {state.current}")
    others = sorted({each for each in state.under if each != state.current})
    typer.echo(f"vault keys: {len(state.under)}, of which {state.outdated} are under another key")
    if others:
        typer.echo(f"still needed: {', '.join(others)} (`colloquy encryption rotate` ends that)")
