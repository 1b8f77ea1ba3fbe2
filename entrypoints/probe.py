"""How the parts are that a process needs: what `/health/ready`, the pulse and the metrics tell of it.

Parts are named, and never an address, a user or a path: anybody may ask.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from domain.errors import ColloquyError
from infrastructure.container import Container
from infrastructure.database import pending_migrations
from infrastructure.engine_choice import missing_models
from infrastructure.settings import Settings

PART_SECONDS = 1.5
"""A part that takes longer is as good as down, and named before whoever asks gives up."""
KEPT_SECONDS = 1.0
"""Many who ask cost one look a second."""
OK = "ok"
WORKERS = "workers"
_SLOW = timedelta(seconds=60)
"""An idle worker takes a task within two seconds, and one that is rolled out anew starts within a minute."""
_NO_ANSWER = "does not answer"
_PREFIX = "health/"
"""No blob is called so."""


class Probe:
    """Looks at the parts of one process, at most once a second however many ask; from its event loop.

    `works` says whether it runs engines, `keeps` whether recordings come onto its volumes; `own` adds parts that only
    the process itself knows of.
    """

    def __init__(
        self,
        container: Container,
        settings: Settings,
        *,
        works: bool,
        keeps: bool = True,
        own: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._container = container
        self._settings = settings
        self._own = own
        self._checks: dict[str, Callable[[], Awaitable[str]]] = {
            "database": self._ask_database,
            "blobs": self._ask_blobs,
        }
        if keeps:
            self._checks["storage"] = lambda: asyncio.to_thread(_measure_storage, settings)
        if settings.broker_url:
            self._checks["broker"] = self._ask_broker
        if works:
            self._checks |= {"models": self._look_for_models, "devices": self._look_for_devices}
        else:
            self._checks[WORKERS] = self._ask_for_workers
        self.warnings: dict[str, str] = {}
        """What the last look found that keeps this process from nothing."""
        self._under_way: dict[str, asyncio.Future[str]] = {}
        self._looking: asyncio.Future[dict[str, str]] | None = None
        self._looked_at = float("-inf")

    async def __call__(self) -> dict[str, str]:
        """Say `ok` or what is wrong of each part, as it was a second ago at most; within two seconds."""
        fresh = time.monotonic() - self._looked_at < KEPT_SECONDS
        if self._looking is None or (self._looking.done() and not fresh):
            self._looking = asyncio.ensure_future(self._look())
        # Whoever gives up does not take the answer from the others.
        return {**self._own(), **await asyncio.shield(self._looking)}

    async def forget(self) -> None:
        """Look anew from now on: what was seen while the process was still starting counts no more."""
        if self._looking is not None:
            await asyncio.wait([self._looking])
        self._looking, self._looked_at = None, float("-inf")

    async def _look(self) -> dict[str, str]:
        for part, check in self._checks.items():
            # A part that hangs is asked once, not once a second by ever more threads.
            if part not in self._under_way:
                self._under_way[part] = asyncio.ensure_future(check())
        await asyncio.wait(self._under_way.values(), timeout=PART_SECONDS)
        states = {part: _state(asked) for part, asked in self._under_way.items()}
        self._under_way = {part: asked for part, asked in self._under_way.items() if not asked.done()}
        self._looked_at = time.monotonic()
        remark = states.pop(WORKERS, OK)
        self.warnings = {} if remark == OK else {WORKERS: remark}
        return states

    async def _ask_database(self) -> str:
        async with self._container.look() as uow:
            await uow.tasks.now()
        if await pending_migrations(self._container.database()):
            return "its tables are older than this release"
        return OK

    async def _ask_blobs(self) -> str:
        if not self._settings.bucket:
            return await asyncio.to_thread(_try_folder, self._settings)
        # A bucket that is gone, or a key that is not ours any more, answers this with an error.
        async for _ in self._container.blobs().list(_PREFIX):
            break
        return OK

    async def _ask_for_workers(self) -> str:
        """Say so when nobody works though somebody should; accepting tasks and giving results goes on all the same."""
        async with self._container.look() as uow:
            since = await uow.tasks.now() - _SLOW
            if await uow.tasks.leased() or not await uow.tasks.due(now=since, limit=1):
                return OK
        return "tasks wait, and nobody takes them"

    async def _ask_broker(self) -> str:
        return OK if await self._container.queue().answers() else _NO_ANSWER

    async def _look_for_models(self) -> str:
        missing = await asyncio.to_thread(missing_models, self._settings)
        return f"no weights for {', '.join(missing)}" if missing else OK

    async def _look_for_devices(self) -> str:
        out = self._container.devices().out_of_service()
        return f"out of service: {', '.join(out)}" if out else OK


def _state(asked: "asyncio.Future[str]") -> str:
    if not asked.done():
        return _NO_ANSWER
    error = asked.exception()
    if error is None:
        return asked.result()
    # Errors of ours say nothing that is not for everybody; what a client's says is not known.
    return _NO_ANSWER if isinstance(error, ColloquyError) else f"fails: {type(error).__name__}"


def _try_folder(settings: Settings) -> str:
    if not settings.blob_dir.is_dir():
        return "the folder is gone"
    return OK if os.access(settings.blob_dir, os.R_OK | os.W_OK | os.X_OK) else "the folder may not be written to"


def _measure_storage(settings: Settings) -> str:
    for folder in filter(Path.is_dir, {settings.data, settings.blob_dir}):  # one that is gone is missed elsewhere
        volume = shutil.disk_usage(folder)
        least = max(settings.max.file_size, volume.total * settings.min.free_percent / 100)
        if volume.free < least:
            return "nearly full"
    return OK
