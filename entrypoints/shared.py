"""What processes that share a database do alike: wait for what they need, sweep, let go. They do not work here."""

import asyncio
import math
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

from application.patience import patiently
from domain.errors import DatabaseUnavailable, StorageUnavailable
from entrypoints.work import sweep_regularly
from infrastructure.container import Container
from infrastructure.folders import OwnFolder, hold_data_folder
from infrastructure.settings import Settings
from infrastructure.startup import prepare

TIDY_SECONDS = 100.0
_PARTIAL = timedelta(days=1)
"""No upload takes longer than this, so what is older was left by a crash."""


async def join(
    container: Container, settings: Settings, own: Path, undo: AsyncExitStack, *, sweeps: bool = True
) -> Path:
    """Take a folder of this process's own in `own`, wait for the database and the store; with `sweeps`, sweep then.

    Leaving `undo` takes everything back, in the other order.

    Raises:
        DataFolderBusy: a whole service in one process has the data folder.
    """
    undo.callback(hold_data_folder(settings.data, shared=True).close)
    folder = OwnFolder(own)
    undo.callback(folder.release)
    await asyncio.to_thread(folder.take)

    async def prepared() -> None:
        await asyncio.to_thread(prepare, settings)
        await container.blobs().prepare()

    await patiently(prepared, left=lambda: math.inf, away=(DatabaseUnavailable, StorageUnavailable))
    undo.push_async_callback(container.database().dispose)
    undo.push_async_callback(container.events().close)
    undo.push_async_callback(container.rate_limiter().close)
    undo.push_async_callback(container.queue().close)
    undo.push_async_callback(asyncio.to_thread, container.tracer().close)
    await container.blobs().sweep_partial(_PARTIAL)
    if sweeps:
        sweeping = asyncio.create_task(sweep_regularly(container.sweep(), container.chores()))
        undo.push_async_callback(asyncio.wait, [sweeping])
        undo.callback(sweeping.cancel)
    tidying = asyncio.create_task(_tidy(folder))
    undo.push_async_callback(asyncio.wait, [tidying])
    undo.callback(tidying.cancel)
    return folder.path


async def _tidy(folder: OwnFolder) -> None:
    """Remove what neighbours that died have left on this machine, whether they come back or not."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        with suppress(OSError):
            await asyncio.to_thread(folder.remove_dead)
