"""What every repository of learned paces promises, as part of its unit of work."""

import asyncio

import pytest

from application.ports.persistence import NewUnitOfWork
from domain.pace import KEPT, Pace, Work
from domain.stage import StageName
from tests.contracts.suite import Suite

WORK = Work(stage=StageName.RECOGNITION, engine="whisper", model="größe-3", device="cuda:0")


class PaceRepositoryContract(Suite):
    """Learned paces."""

    async def test_nothing_is_known_at_first(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            assert await uow.paces.all() == {}

    async def test_the_first_figures_are_the_pace(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            await uow.paces.learn(WORK, seconds=12.5, audio=50)
            assert await uow.paces.all() == {WORK: Pace(12.5, 50.0)}

    async def test_older_figures_count_less(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            for seconds in (100.0, 10.0, 1.0):
                await uow.paces.learn(WORK, seconds=seconds, audio=100)
            pace = (await uow.paces.all())[WORK]
        assert pace.seconds == pytest.approx(100 * KEPT**2 + 10 * KEPT + 1)
        assert pace.audio == pytest.approx(100 * KEPT**2 + 100 * KEPT + 100)

    async def test_stage_engine_model_and_device_are_told_apart(self, new_uow: NewUnitOfWork) -> None:
        others = [
            Work(stage=StageName.DECODE),
            Work(stage=StageName.RECOGNITION, engine="whisper", model="größe-3", device="cpu"),
            Work(stage=StageName.RECOGNITION, engine="whisper", model="tiny", device="cuda:0"),
            Work(stage=StageName.RECOGNITION, engine="sphinx", model="größe-3", device="cuda:0"),
            WORK,
        ]
        async with new_uow() as uow:
            for number, work in enumerate(others, 1):
                await uow.paces.learn(work, seconds=number, audio=1)
            known = await uow.paces.all()
        assert {work: pace.per_second for work, pace in known.items()} == dict(
            zip(others, [1.0, 2.0, 3.0, 4.0, 5.0], strict=True)
        )

    async def test_what_is_not_committed_is_not_learned(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            await uow.paces.learn(WORK, seconds=1, audio=1)
        async with new_uow() as uow:
            assert await uow.paces.all() == {}

    async def test_of_many_at_once_all_are_learned(self, new_uow: NewUnitOfWork) -> None:
        async def learn() -> None:
            async with new_uow() as uow:
                await uow.paces.learn(WORK, seconds=1, audio=10)
                await uow.commit()

        await asyncio.gather(*[learn() for _ in range(6)])
        async with new_uow() as uow:
            pace = (await uow.paces.all())[WORK]
        assert pace.seconds == pytest.approx(sum(KEPT**age for age in range(6)))
        assert pace.per_second == pytest.approx(0.1)
