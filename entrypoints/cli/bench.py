"""`colloquy bench`: how well and how fast configurations do on recordings of one's own, measured through the service.

Each configuration runs by itself over a private data folder; scores are counted after the last one has ended.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from application.ports.scoring import Forgiveness
from domain.errors import ColloquyError, EngineUnavailable, InvalidOptions
from domain.options import TranscriptionOptions
from domain.scoring import Reference
from domain.transcript import Transcript
from entrypoints.cli.bench_references import reference_for
from entrypoints.cli.bench_report import Measured, as_json, show
from entrypoints.cli.configured import Exit
from entrypoints.cli.transcribe import private, transcribed
from entrypoints.embedded import Embedded
from infrastructure.container import Container
from infrastructure.load_settings import BadSettings, load_settings
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from infrastructure.peak_memory import PeakMemory
from infrastructure.settings import Settings

_SHORT = {"asr": "ASR_ENGINE", "diarization": "DIARIZATION_ENGINE", "model": "ASR_MODEL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be measured: each of `engines` is `asr=NAME,diarization=NAME,model=NAME,SETTING=VALUE`."""

    files: Sequence[Path]
    references: Sequence[Path]
    engines: Sequence[str]
    options: TranscriptionOptions
    forgiveness: Forgiveness
    warm_up: bool


def measure(wanted: Wanted, report: Path | None) -> int:
    """Print a table, write `report`; return the exit status, which is not 0 when a configuration did not run."""
    configure_logging(Log(level="error"))
    try:
        scorer = Container(settings=Settings()).scorer()
        scorer.prepare()
        truths = {file: reference_for(file, wanted.references, alone=len(wanted.files) == 1) for file in wanted.files}
        configurations = {name: load_settings(changed=_changes(name)) for name in wanted.engines or [""]}
    except BadSettings as error:
        return _complain(*error.problems, status=Exit.BAD_SETTINGS)
    except EngineUnavailable as error:
        return _complain(error.detail, status=Exit.ENGINE_MISSING)
    except InvalidOptions as error:
        return _complain(error.detail, status=Exit.FAILED)
    for file in (file for file, truth in truths.items() if truth == Reference()):
        print(f"colloquy: there is no reference for {file.name}: only its speed is measured", file=sys.stderr)
    runs = [_run(name or "as configured", settings, wanted) for name, settings in configurations.items()]
    measured = [
        Measured(
            name=name,
            results=[(file, found, scorer.score(truths[file], found, wanted.forgiveness)) for file, found in results],
            peak=peak,
            failure=failure,
        )
        for name, results, peak, failure in runs
    ]
    show(measured, wanted.forgiveness)
    if report is not None:
        report.write_bytes(as_json(measured, wanted.forgiveness))
    return Exit.FAILED if any(one.failure for one in measured) else 0


def _changes(name: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in name.split(",") if part]
    return {_SHORT.get(key.strip(), key.strip()): value.strip() for key, _, value in pairs}


def _run(name: str, settings: Settings, wanted: Wanted) -> tuple[str, list[tuple[Path, Transcript]], int, str]:
    results: list[tuple[Path, Transcript]] = []

    async def run(folder: str) -> None:
        async with Embedded(private(settings, folder)) as service:
            if wanted.warm_up:  # so that loading a model is not taken for slowness
                shortest = min(wanted.files, key=lambda file: file.stat().st_size)
                await transcribed(service, shortest, wanted.options, quiet=True)
            for file in wanted.files:
                print(f"colloquy: {name}: {file.name}", file=sys.stderr)
                results.append((file, await transcribed(service, file, wanted.options, quiet=not sys.stderr.isatty())))

    with tempfile.TemporaryDirectory(prefix="colloquy-") as folder, PeakMemory() as memory:
        try:
            asyncio.run(run(folder))
        except ColloquyError as error:
            return name, results, memory.bytes, error.detail
    return name, results, memory.bytes, ""


def _complain(*problems: str, status: int) -> int:
    for problem in problems:
        print(f"colloquy: {problem}", file=sys.stderr)
    return status
