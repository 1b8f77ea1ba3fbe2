"""A step that has begun is finished, whatever is cancelled meanwhile."""

import asyncio

import pytest

from adapters.uninterrupted import uninterrupted


async def test_results_and_errors_pass() -> None:
    async def divide(by: int) -> float:
        await asyncio.sleep(0)
        return 1 / by

    assert await uninterrupted(divide(2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        await uninterrupted(divide(0))


@pytest.mark.parametrize("cancellations", [1, 3])
async def test_a_cancellation_waits_for_the_end_of_the_step(cancellations: int) -> None:
    finished: list[str] = []

    async def step() -> None:
        await asyncio.sleep(0.03)
        finished.append("step")

    working = asyncio.create_task(uninterrupted(step()))
    for _ in range(cancellations):
        await asyncio.sleep(0.001)
        working.cancel()
        assert not working.done()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert finished == ["step"]


async def test_an_error_of_a_cancelled_step_is_forgotten() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    working = asyncio.create_task(uninterrupted(fail()))
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
