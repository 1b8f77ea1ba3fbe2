"""What every audit log promises, as part of its unit of work."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from application.ports.audit import AuditFilter
from application.ports.persistence import NewUnitOfWork
from domain.audit import Action, Fact, Thing
from domain.task import OwnerId
from tests.contracts.suite import Suite

OURS, THEIRS = OwnerId(UUID(int=1)), OwnerId(UUID(int=2))
EVERYTHING = AuditFilter()


def a_fact(number: int = 1) -> Fact:
    return Fact(
        action=Action.EXPORTED, thing=Thing.TRANSCRIPT, object=str(UUID(int=number)), actor=f"key:{number}", owner=OURS,
        detail="srt", request_id="0123456789abcdef", address="203.0.113.0/24",
    )  # fmt: skip


class AuditRepositoryContract(Suite):
    """Audit logs."""

    async def test_every_field_comes_back(self, new_uow: NewUnitOfWork) -> None:
        facts = [a_fact(), Fact(action=Action.DELETED, thing=Thing.KEY, object="a", actor="system")]
        async with new_uow() as uow:
            await uow.audit.add(*facts)
            await uow.audit.add()
            await uow.commit()
        async with new_uow() as uow:
            found, now = await uow.audit.page(EVERYTHING, before=None, limit=9), await uow.tasks.now()
        assert [entry.fact for entry in found] == facts[::-1]
        assert all(timedelta() <= now - entry.at < timedelta(seconds=30) for entry in found)

    async def test_the_database_tells_the_time_less_the_age(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            await uow.audit.add(replace(a_fact(), age=timedelta(hours=3)))
            (entry,), now = await uow.audit.page(EVERYTHING, before=None, limit=9), await uow.tasks.now()
        assert timedelta(hours=3) <= now - entry.at < timedelta(hours=3, seconds=30)
        assert entry.fact == a_fact()

    async def test_without_a_commit_nothing_happened(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            await uow.audit.add(a_fact())
        async with new_uow() as uow:
            assert list(await uow.audit.page(EVERYTHING, before=None, limit=9)) == []

    async def test_each_filter_alone_and_all_together(self, new_uow: NewUnitOfWork) -> None:
        base = a_fact()
        others = [
            replace(base, owner=THEIRS), replace(base, owner=None), replace(base, actor="user:9"),
            replace(base, action=Action.READ), replace(base, object="9"), replace(base, age=timedelta(hours=2)),
        ]  # fmt: skip
        async with new_uow() as uow:
            await uow.audit.add(base, *others)
            hour_ago = await uow.tasks.now() - timedelta(hours=1)
            asked = {
                AuditFilter(owner=THEIRS): [others[0]],
                AuditFilter(actor="user:9"): [others[2]],
                AuditFilter(action=Action.READ): [others[3]],
                AuditFilter(object="9"): [others[4]],
                AuditFilter(until=hour_ago): [base],
                AuditFilter(
                    owner=OURS, actor=base.actor, action=base.action, object=base.object, since=hour_ago
                ): [base],
            }  # fmt: skip
            for only, expected in asked.items():
                found = await uow.audit.page(only, before=None, limit=9)
                assert [entry.fact for entry in found] == expected, only

    async def test_pages_run_from_the_latest_back(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            for number in range(7):
                await uow.audit.add(a_fact(number))
            pages, before = [], None
            while page := await uow.audit.page(EVERYTHING, before=before, limit=3):
                pages.append([entry.fact for entry in page])
                before = page[-1].id
        facts = [a_fact(number) for number in range(7)][::-1]
        assert pages == [facts[:3], facts[3:6], facts[6:]]

    async def test_only_what_is_old_is_pruned(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            for days in range(5):
                await uow.audit.add(replace(a_fact(days), age=timedelta(days=days, minutes=1)))
            now = await uow.tasks.now()
            assert await uow.audit.prune(before=now - timedelta(days=2), limit=2) == 2
            assert await uow.audit.prune(before=now - timedelta(days=2), limit=2) == 1
            assert await uow.audit.prune(before=now - timedelta(days=2), limit=2) == 0
            with pytest.raises(ValueError, match="day"):
                await uow.audit.prune(before=now - timedelta(hours=23), limit=2)
            left = await uow.audit.page(EVERYTHING, before=None, limit=9)
        assert {entry.fact for entry in left} == {a_fact(0), a_fact(1)}
