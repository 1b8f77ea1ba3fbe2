"""`colloquy backup`, `restore` and `reconcile`: what an operator does about the stores as a whole."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from domain.errors import ColloquyError
from entrypoints.cli.configured import Exit
from infrastructure.backup import BadBackup, Contents, make_backup, restore_backup
from infrastructure.backup_rows import NotEmpty
from infrastructure.container import Container
from infrastructure.encryption import refuse_other_keys
from infrastructure.folders import DataFolderBusy, hold_data_folder
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from infrastructure.settings import Settings
from infrastructure.startup import prepare

T = TypeVar("T")


def backup(settings: Settings, target: Path) -> int:
    """Write a backup to `target`, or into it under a name that tells the time; return the exit status."""
    folder = target.is_dir()

    async def work(container: Container) -> int:
        made_at = container.clock().now()
        file = target / f"colloquy-{made_at:%Y%m%dT%H%M%SZ}.tar" if folder else target
        try:
            contents = await make_backup(settings.sql_url, container.sealed(), file, made_at=made_at.isoformat())
        except OSError as error:
            return _failed(f"cannot write {file}: {error.strerror}")
        print(f"{file}: {_described(contents)}")
        return 0

    return _run(settings, work)


def restore(settings: Settings, file: Path) -> int:
    """Restore a backup onto this empty installation; return the exit status."""

    async def work(container: Container) -> int:
        try:
            judge = partial(refuse_other_keys, settings)
            contents = await restore_backup(file, container.database(), container.stored(), judge)
        except OSError as error:
            return _failed(f"cannot read {file}: {error.strerror}")
        print(f"restored {_described(contents)}")
        return 0

    try:
        with contextlib.closing(hold_data_folder(settings.data, shared=False)):
            prepare(settings)
            return _run(settings, work)
    except DataFolderBusy as error:
        return _failed(f"{error}: stop it first")


def reconcile(settings: Settings, *, remove: bool) -> int:
    """Print how many blobs have no row and how many rows lack a blob; return non-zero if there are any."""

    async def work(container: Container) -> int:
        found = await container.reconcile()(remove=remove)
        print(
            f"blobs without a row, for a day or longer: {found.strays}{' (removed)' if remove and found.strays else ''}"
        )
        print(f"rows without their blob: {found.missing}")
        return Exit.FAILED if found.missing or (found.strays and not remove) else 0

    return _run(settings, work)


def _run(settings: Settings, work: Callable[[Container], Awaitable[int]]) -> int:
    configure_logging(Log(level="error"))
    container = Container(settings=settings)

    async def run() -> int:
        try:
            await container.stored().prepare()
            return await work(container)
        except (BadBackup, NotEmpty) as error:
            return _failed(str(error))
        except ColloquyError as error:
            return _failed(error.detail)
        finally:
            await container.database().dispose()

    return asyncio.run(run())


def _failed(why: str) -> int:
    print(f"colloquy: {why}", file=sys.stderr)
    return Exit.FAILED


def _described(contents: Contents) -> str:
    gone = f"; {contents.missing} blobs were gone: see missing.txt inside" if contents.missing else ""
    return f"{contents.rows} rows, {contents.blobs} blobs, {contents.bytes} bytes{gone}"
