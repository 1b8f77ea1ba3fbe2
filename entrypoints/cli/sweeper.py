"""`colloquy sweeper`: sweeping and chores alone, until a signal ends it."""

import asyncio
import sys

from entrypoints.cli.configured import Exit
from entrypoints.sweeper import sweep_until_signalled
from infrastructure.folders import DataFolderBusy
from infrastructure.log_config import start_logging
from infrastructure.settings import Settings


def run_sweeper(settings: Settings) -> int:
    """Sweep until SIGINT or SIGTERM; return the exit status."""
    start_logging(settings, "sweeper")
    if settings.alone:
        print("colloquy: a sweeper needs DATABASE_URL=postgresql+psycopg://…; `colloquy serve` sweeps by itself",
              file=sys.stderr)  # fmt: skip
        return Exit.BAD_SETTINGS
    try:
        asyncio.run(sweep_until_signalled(settings))
    except DataFolderBusy as error:
        print(f"colloquy: {error}", file=sys.stderr)
        return Exit.FAILED
    return 0
