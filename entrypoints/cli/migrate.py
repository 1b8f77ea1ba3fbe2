"""`colloquy migrate`: bring the database up to date and end, before processes of a new release start."""

import asyncio
import sys
import time

from application.patience import patiently
from domain.errors import DatabaseUnavailable
from entrypoints.cli.configured import Exit
from infrastructure.log_config import start_logging
from infrastructure.settings import Settings
from infrastructure.startup import prepare_database


def run_migrations(settings: Settings, *, wait_seconds: float) -> int:
    """Migrate; return the exit status, which is `UNREACHABLE` when the database did not answer in time."""
    start_logging(settings, "migrate")
    begun = time.monotonic()
    try:
        asyncio.run(
            patiently(
                lambda: asyncio.to_thread(prepare_database, settings),
                left=lambda: begun + wait_seconds - time.monotonic(),
                away=(DatabaseUnavailable,),
            )
        )
    except DatabaseUnavailable as error:
        print(f"colloquy: after {wait_seconds:g} seconds, {error.detail}", file=sys.stderr)
        return Exit.UNREACHABLE
    print("the database is up to date")
    return 0
