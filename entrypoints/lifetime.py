"""How long a process that serves nobody lives: until a signal, which it heeds even while it waits for what it needs."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import structlog

T = TypeVar("T")
_log = structlog.get_logger()


async def live(process: AbstractAsyncContextManager[T], name: str, ready: Callable[[T], dict[str, object]]) -> None:
    """Run `process` until SIGTERM or SIGINT; a second one ends it at once. `ready` is what the log says then."""
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - inside a coroutine there is one
    signals: list[int] = []

    def stop(number: int) -> None:
        if signals:
            os._exit(128 + number)
        signals.append(number)
        _log.info(f"{name}_stopping", signal=signal.Signals(number).name)
        main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    with contextlib.suppress(asyncio.CancelledError):
        async with process as running:
            _log.info(f"{name}_ready", **ready(running))
            await asyncio.Event().wait()
    _log.info(f"{name}_stopped")
