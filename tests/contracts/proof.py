"""Proving a contract suite: run against a deliberately broken adapter, it must fail."""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.suite import Suite

_PATIENCE = 1.0
"""Seconds after which a test of a broken adapter counts as failed."""


async def failures(suite: type[Suite], *names: str, **fixtures: Callable[[], Any]) -> set[str]:
    """Run tests of `suite`, all unless some are named, each with fixtures of its own; return the names that failed."""
    names = names or tuple(name for name in dir(suite) if name.startswith("test_"))
    return {name for name in names if not await _passes(getattr(suite(), name), fixtures)}


async def _passes(test: Callable[..., Any], fixtures: dict[str, Callable[[], Any]]) -> bool:
    async with AsyncExitStack() as stack:
        wanted = {}
        for name in inspect.signature(test).parameters:
            made = fixtures[name]()
            if hasattr(made, "__aexit__"):
                made = await stack.enter_async_context(made)
            elif hasattr(made, "__exit__") and not isinstance(made, Path):  # which is none any more
                made = stack.enter_context(made)
            wanted[name] = made
        try:
            outcome = test(**wanted)
            if inspect.isawaitable(outcome):
                await asyncio.wait_for(outcome, _PATIENCE)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - any of them is a failed test
            return False
        return True
