"""`colloquy models`: prints what there is and how fetching goes; a model is never loaded for it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from application.list_models import ShelvedModel
from domain.errors import ColloquyError, EngineUnavailable, ModelNotFound
from entrypoints.cli.configured import Exit
from infrastructure import models
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from infrastructure.settings import Settings


def show(settings: Settings) -> None:
    """Print the models, those of one engine together."""
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "engine", "does", "size", "licence", "state"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "size" else "left")
    for model in models.shelf(settings):
        state = "; ".join(filter(None, ["here" if model.here else "", model.absent])) or "can be pulled"
        gate = " (gated)" if model.gated else ""
        row = (model.name, model.engine, model.kind, _size(model), f"{model.licence}{gate}", state)
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)
    print(f"\nThey are kept in {settings.models_dir}")


def pull(settings: Settings, name: str, *, again: bool, quiet: bool) -> int:
    """Fetch a model; return the exit status."""
    if not again and name in {model.name for model in models.shelf(settings) if model.here}:
        print(f"{name} is here: {models.locate(settings, name)}")
        return 0
    with _reported() as outcome, _bar(name, quiet=quiet) as report:
        folder = models.pull(settings, name, report, again=again)
        outcome.said = f"{name} is in {folder}"
    return outcome.end()


def verify(settings: Settings, name: str) -> int:
    """Check a model, or every one that is here; return the exit status."""
    configure_logging(Log(level="error"))
    wrong = False
    try:
        for each in [name] if name else [model.name for model in models.shelf(settings) if model.here]:
            found = list(models.faults(settings, each))
            wrong = wrong or bool(found)
            print(f"{each}: {'; '.join(found) or 'as published'}")
    except ModelNotFound as error:
        print(f"colloquy: {error.detail}", file=sys.stderr)
        return Exit.ENGINE_MISSING
    return Exit.FAILED if wrong else 0


def export(settings: Settings, name: str, file: Path) -> int:
    """Pack a model; return the exit status."""
    with _reported() as outcome:
        size = models.export(settings, name, file)
        outcome.said = f"{name} is in {file}, {size / 1e6:,.0f} MB"
    return outcome.end()


def take_in(settings: Settings, file: Path, *, again: bool, quiet: bool) -> int:
    """Take a packed model in; return the exit status."""
    size = file.stat().st_size
    with _reported() as outcome, _bar(file.name, quiet=quiet) as report:
        name = models.take_in(settings, file, lambda arrived: report(arrived, size), again=again)
        outcome.said = f"{name} is in {settings.models_dir / name}"
    return outcome.end()


def convert(settings: Settings, name: str, into: Path | None) -> int:
    """Convert a pipeline; return the exit status."""
    with _reported() as outcome:
        made = models.convert(settings, name, into)
        outcome.said = f"the ONNX files are in {made}"
    return outcome.end()


class _Outcome:
    def __init__(self) -> None:
        self.said = ""
        self.wrong = ""
        self.status = 0

    def end(self) -> int:
        if self.status:
            print(f"colloquy: {self.wrong}", file=sys.stderr)
        else:
            print(self.said)
        return self.status


@contextmanager
def _reported() -> Iterator[_Outcome]:
    """Turn what may be expected to fail into a sentence and a status."""
    configure_logging(Log(level="error"))
    outcome = _Outcome()
    try:
        yield outcome
    except (ModelNotFound, EngineUnavailable) as error:
        outcome.wrong, outcome.status = error.detail, Exit.ENGINE_MISSING
    except ColloquyError as error:
        outcome.wrong, outcome.status = error.detail, Exit.FAILED
    except KeyboardInterrupt:
        outcome.wrong, outcome.status = "interrupted; the same command takes it up again", Exit.INTERRUPTED


@contextmanager
def _bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    shown = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*shown, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(name, total=None)
        yield lambda arrived, total: progress.update(task, completed=arrived, total=total)


def _size(model: ShelvedModel) -> str:
    return "?" if model.size is None else f"{model.size / 1e6:,.0f} MB"
