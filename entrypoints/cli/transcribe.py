"""`colloquy transcribe`: the service's own use cases over a private, temporary data folder; no server, no trace."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from application.manage_api_keys import LOCAL_OWNER
from application.ports.notify import TaskEvent
from application.rendering.registry import FORMATS
from application.submission import Submission
from domain.errors import ColloquyError, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.options import TranscriptionOptions
from domain.span import to_seconds
from domain.stage import StageStatus
from domain.task import Task, TaskId, TaskStatus
from domain.transcript import Transcript
from entrypoints.cli.configured import Exit
from entrypoints.embedded import Embedded
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from infrastructure.settings import Settings

_CHUNK = 1 << 20
_MEDIA_CODES = {
    "empty_file",
    "not_media",
    "no_audio_stream",
    "no_audio_frames",
    "too_long",
    "too_large",
    "decode_failed",
}


def transcribe_file(
    settings: Settings, file: Path, options: TranscriptionOptions, output: Path | None, *, quiet: bool
) -> int:
    """Write the transcript of `file`; return the exit status."""
    configure_logging(Log(level="error"))
    try:
        with tempfile.TemporaryDirectory(prefix="colloquy-") as folder:
            transcript = asyncio.run(_transcribe(private(settings, folder), file, options, quiet=quiet))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except (ModelNotFound, EngineUnavailable, InvalidOptions) as error:
        return _complain(error.detail, Exit.ENGINE_MISSING)
    except ColloquyError as error:
        return _complain(error.detail, Exit.MEDIA_REJECTED if error.reason in _MEDIA_CODES else Exit.FAILED)
    written = FORMATS[options.format].render(transcript)
    if output is None:
        sys.stdout.buffer.write(written)
    else:
        output.write_bytes(written)
    _remark(transcript)
    return 0


def private(settings: Settings, folder: str) -> Settings:
    """Have everything but the models, and what is known of the hub, in a folder of its own."""
    return msgspec.structs.replace(
        settings, data_dir=folder, database_url="", blob_url="", queue_url="",
        models=msgspec.structs.replace(settings.models, dir=str(settings.models_dir)),
    )  # fmt: skip


async def transcribed(service: Embedded, file: Path, options: TranscriptionOptions, *, quiet: bool) -> Transcript:
    """Have a running service transcribe `file`.

    Raises:
        ColloquyError: why it could not.
    """
    container = service.container
    submission = Submission(owner=LOCAL_OWNER, options=options, filename=file.name)
    task = await container.submit_transcription()(submission, _chunks(file))
    await _watch(service, task.id, quiet=quiet)
    ended = (await container.query_tasks().one(LOCAL_OWNER, task.id)).task
    if ended.status is not TaskStatus.DONE:
        raise _failure(ended)
    return await container.get_result()(LOCAL_OWNER, task.id)


async def _transcribe(settings: Settings, file: Path, options: TranscriptionOptions, *, quiet: bool) -> Transcript:
    async with Embedded(settings) as service:
        return await transcribed(service, file, options, quiet=quiet)


async def _watch(service: Embedded, task_id: TaskId, *, quiet: bool) -> None:
    what, pace = TextColumn("{task.description:<18}"), TextColumn("{task.fields[pace]}")
    columns = (SpinnerColumn(), what, BarColumn(), TaskProgressColumn(), pace)
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        line, started = bar.add_task("waiting", total=1.0, pace=""), time.monotonic()
        async for event in service.container.follow_task()(LOCAL_OWNER, task_id):
            bar.update(
                line, completed=event.progress, description=event.phase.replace("_", " "),
                pace=_pace(event, time.monotonic() - started),
            )  # fmt: skip


def _pace(event: TaskEvent, elapsed: float) -> str:
    words = []
    if event.duration and event.progress and elapsed:
        words.append(f"{to_seconds(event.duration) * event.progress / elapsed:.1f}x real time")
    if event.eta_ms is not None:
        minutes, seconds = divmod(event.eta_ms // 1000, 60)
        words.append(f"{minutes}:{seconds:02} to go")
    return ", ".join(words)


def _failure(task: Task) -> ColloquyError:
    if task.error is None:
        return ColloquyError(f"the task was {task.status}")
    return ColloquyError(task.error.detail, code=task.error.code)


def _remark(transcript: Transcript) -> None:
    for notice in transcript.warnings:
        print(f"colloquy: {notice.detail}", file=sys.stderr)
    for stage in transcript.stages:
        if stage.status in {StageStatus.FAILED, StageStatus.DEGRADED, StageStatus.SKIPPED}:
            print(f"colloquy: {stage.name} {stage.status}: {stage.reason}", file=sys.stderr)


def _complain(detail: str, status: int) -> int:
    print(f"colloquy: {detail}", file=sys.stderr)
    return status


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as source:
        while chunk := await asyncio.to_thread(source.read, _CHUNK):
            yield chunk
