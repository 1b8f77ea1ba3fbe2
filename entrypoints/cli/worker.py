"""`colloquy worker`: the work alone, until a signal ends it."""

import asyncio
import sys

from entrypoints.cli.configured import Exit
from entrypoints.worker.main import work
from infrastructure.folders import DataFolderBusy
from infrastructure.log_config import start_logging
from infrastructure.settings import Settings


def run_worker(settings: Settings) -> int:
    """Work until SIGINT or SIGTERM; return the exit status."""
    start_logging(settings, "worker")
    if settings.alone:
        print("colloquy: a worker needs DATABASE_URL=postgresql+psycopg://…; `colloquy serve` works by itself",
              file=sys.stderr)  # fmt: skip
        return Exit.BAD_SETTINGS
    try:
        asyncio.run(work(settings))
    except DataFolderBusy as error:
        print(f"colloquy: {error}", file=sys.stderr)
        return 1
    return 0
