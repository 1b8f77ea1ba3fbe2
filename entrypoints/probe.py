"""Whether a process can take tasks: what `/health/ready` tells of it."""

import asyncio
import shutil

from infrastructure.container import Container
from infrastructure.settings import Settings

_PART_SECONDS = 1.5
"""A part that takes longer is as good as down, and named before whoever asks gives up."""


async def probe(container: Container, settings: Settings) -> dict[str, str]:
    """Say `ok` or what is wrong of the database and the storage."""
    checks = {
        "database": asyncio.ensure_future(_ask_database(container)),
        "storage": asyncio.ensure_future(asyncio.to_thread(_measure_storage, settings)),
    }
    await asyncio.wait(checks.values(), timeout=_PART_SECONDS)
    return {part: _state(check) for part, check in checks.items()}


def _state(check: asyncio.Future[str]) -> str:
    if not check.done():
        check.cancel()  # which may take its time: nobody waits for that
        return "does not answer"
    error = check.exception()
    return check.result() if error is None else type(error).__name__


async def _ask_database(container: Container) -> str:
    async with container.new_uow() as uow:
        await uow.tasks.now()
    return "ok"


def _measure_storage(settings: Settings) -> str:
    for folder in {settings.data, settings.blob_dir}:
        volume = shutil.disk_usage(folder)
        least = max(settings.max.file_size, volume.total * settings.min.free_percent / 100)
        if volume.free < least:
            return "nearly full"
    return "ok"
