"""The machine's clock and ids against their contracts."""

import time
from datetime import datetime
from uuid import UUID, uuid1, uuid5

import pytest

from adapters.system import SystemClock, Uuid7Factory
from application.ports.system import Clock, IdFactory
from tests.contracts.proof import failures
from tests.contracts.system import ClockContract, IdFactoryContract


class TestSystemClock(ClockContract, adapter=SystemClock):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestUuid7Factory(IdFactoryContract, adapter=Uuid7Factory):
    @pytest.fixture
    def ids(self) -> IdFactory:
        return Uuid7Factory()


def test_ids_grow_although_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, now = Uuid7Factory(), time.time_ns()
    before = ids.new()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3_600_000_000_000)
    after = [ids.new() for _ in range(1000)]
    assert [before, *after] == sorted({before, *after})
    assert all((made.version, made.int >> 62 & 0b11) == (7, 0b10) for made in after)


def test_a_full_random_part_carries_into_the_time() -> None:
    ids = Uuid7Factory()
    ids._last = last = (2**48 - 2 << 74) | (2**74 - 1)
    made = ids.new()
    assert made.int >> 80 == 2**48 - 1
    assert ids._last > last
    assert made.version == 7


class NaiveClock(SystemClock):
    def now(self) -> datetime:
        return super().now().replace(tzinfo=None)


class MillisecondClock(SystemClock):
    def monotonic(self) -> float:
        return super().monotonic() * 1000


class BackwardClock(SystemClock):
    def monotonic(self) -> float:
        return -super().monotonic()


class HostIds(IdFactory):
    def new(self) -> UUID:
        return uuid1()


class RandomIds(Uuid7Factory):
    def new(self) -> UUID:
        self._last = 0
        return super().new()


class CountedIds(Uuid7Factory):
    def new(self) -> UUID:
        self._last += 1
        return UUID(int=self._last | 7 << 76 | 0b10 << 62 | int(time.time()) * 1000 << 80)


class OneId(IdFactory):
    def new(self) -> UUID:
        return uuid5(UUID(int=0), "the same")


@pytest.mark.parametrize(
    ("clock", "caught_by"),
    [
        (NaiveClock, "test_now_is_aware_in_utc_and_right"),
        (MillisecondClock, "test_monotonic_counts_seconds_and_never_falls"),
        (BackwardClock, "test_monotonic_counts_seconds_and_never_falls"),
    ],
)
async def test_the_clock_contract_catches(clock: type[Clock], caught_by: str) -> None:
    assert await failures(ClockContract, caught_by, clock=clock)


@pytest.mark.parametrize(
    ("ids", "caught_by"),
    [
        (HostIds, "test_ids_are_version_7"),
        (HostIds, "test_ids_hold_the_time"),
        (RandomIds, "test_a_later_id_is_greater"),
        (OneId, "test_threads_make_no_id_twice"),
        (CountedIds, "test_ids_cannot_be_guessed_from_others"),
    ],
)
async def test_the_id_contract_catches(ids: type[IdFactory], caught_by: str) -> None:
    assert await failures(IdFactoryContract, caught_by, ids=ids)
