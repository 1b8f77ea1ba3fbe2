"""Running one use case from the command line, beside a service that may be running."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from application.audit import Asking, asked_by
from domain.audit import OPERATOR
from infrastructure.container import Container
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from infrastructure.settings import Settings
from infrastructure.startup import prepare

T = TypeVar("T")


def beside(settings: Settings, use: Callable[[Container], Awaitable[T]]) -> T:
    """Return what `use` gives; the database is brought up to date before, and left after. The operator did it."""
    configure_logging(Log(level="error"))
    container = Container(settings=settings)

    async def run() -> T:
        await asyncio.to_thread(prepare, settings)
        try:
            return await use(container)
        finally:
            await container.database().dispose()

    with asked_by(Asking(actor=OPERATOR)):
        return asyncio.run(run())
