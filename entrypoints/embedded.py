"""The whole service in one process: the use cases of the large installation over SQLite, a folder, a queue in memory.

It holds the data folder by a lock, so a second process on the same folder is refused instead of doing damage.
"""

import asyncio
import contextlib
import fcntl
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import structlog

from domain.task import TaskId
from entrypoints.http.app import ApiDependencies
from infrastructure.container import Container
from infrastructure.settings import Settings
from infrastructure.startup import prepare, remove_leftovers

SWEEP_SECONDS = 10.0
_SPARE_THREADS = 16
_SHARED_PARTIAL = timedelta(days=1)
"""No upload takes longer than this, so what is older was left by a crash."""
_log = structlog.get_logger()


class DataFolderBusy(Exception):
    """Another process works on this data folder."""


class Embedded:
    """Runs tasks in this process, as an async context; leaving it puts running tasks back into the queue, unharmed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.container = Container(settings=settings)
        self._lock: IO[bytes] | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._background: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Take the data folder, bring the database up to date, take back what a crash left, and start working.

        Raises:
            DataFolderBusy: another process has the folder.
        """
        self._lock = _take(self.settings.data)
        # Each task keeps up to two threads busy with its engines; files and answers must not wait behind them.
        threads = _SPARE_THREADS + 2 * self.settings.max.workers
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="blocking"))
        await asyncio.to_thread(prepare, self.settings)
        await asyncio.to_thread(remove_leftovers, self.settings)
        await self.container.blobs().prepare()
        # Others may be writing to the same bucket now; a folder is this process's alone.
        await self.container.blobs().sweep_partial(_SHARED_PARTIAL if self.settings.bucket else timedelta())
        self._background.append(asyncio.create_task(asyncio.to_thread(self.container.hosts().start)))
        await self.container.sweep()(alone=self.settings.alone)
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.settings.max.workers)]
        self._background.append(asyncio.create_task(self._sweep()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop taking tasks, release those that run, end the engines' processes, close the database."""
        self.container.process_task().stop()
        for task in (*self._workers, *self._background):
            task.cancel()
        # A worker that is inside an attempt ends it first: `_work` shields it, and its sinks raise from now on.
        await asyncio.gather(*self._workers, *self._background, return_exceptions=True)
        await asyncio.to_thread(self.container.hosts().close)
        await self.container.database().dispose()
        if self._lock is not None:
            self._lock.close()

    def api(self) -> ApiDependencies:
        """The use cases that the HTTP API drives."""
        container = self.container
        return ApiDependencies(
            admit_caller=container.admit_caller(),
            submit=container.submit_transcription(),
            tasks=container.query_tasks(),
            result=container.get_result(),
            cancel=container.cancel_task(),
            delete=container.delete_task(),
            models=container.list_models(),
            probe=self._probe,
        )

    async def _probe(self) -> dict[str, str]:
        running = all(not worker.done() for worker in self._workers)
        checks = {"database": self._ask_database(), "storage": asyncio.to_thread(self._measure_storage)}
        out = self.container.devices().out_of_service()
        parts = {
            "workers": "ok" if running else "stopped",
            "devices": f"out of service: {', '.join(out)}" if out else "ok",
        }
        for part, check in checks.items():
            try:
                parts[part] = await check
            except Exception as error:  # noqa: BLE001 - whatever it is, the part is down
                parts[part] = type(error).__name__
        return parts

    async def _ask_database(self) -> str:
        async with self.container.new_uow() as uow:
            await uow.tasks.now()
        return "ok"

    def _measure_storage(self) -> str:
        free = shutil.disk_usage(self.settings.data).free
        return "ok" if free > self.settings.max.file_size else "nearly full"

    async def _work(self) -> None:
        queue, process = self.container.queue(), self.container.process_task()
        while True:
            _, subject = await queue.next()
            attempt = asyncio.create_task(process(TaskId(subject)))
            try:
                await asyncio.shield(attempt)
            except asyncio.CancelledError:
                await asyncio.wait([attempt])
                raise
            except Exception:  # noqa: BLE001 - one task's trouble must not end the worker
                # The row keeps the task; the sweep finds it again.
                _log.exception("work_failed", task_id=str(subject))

    async def _sweep(self) -> None:
        sweep = self.container.sweep()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await sweep()
            except Exception:  # noqa: BLE001 - the next sweep may find the database well again
                _log.exception("sweep_failed")


def _take(folder: Path) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (folder / "lock").open("wb")
    with contextlib.ExitStack() as undo:
        undo.callback(lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataFolderBusy(f"another Colloquy works on {folder}") from error
        undo.pop_all()
    return lock
