"""Reading together: one read for many, begun after each of them has asked."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from application.read_together import ReadTogether


class Rows:
    """A slow store that counts its reads."""

    def __init__(self) -> None:
        self.rows = {"a": 1, "b": 2}
        self.reads: list[set[str]] = []
        self.fails = False

    async def read(self, keys: Collection[str]) -> Mapping[str, int]:
        self.reads.append(set(keys))
        found = {key: self.rows[key] for key in keys if key in self.rows}
        await asyncio.sleep(0.01)
        if self.fails:
            raise LookupError("away")
        return found


async def test_who_asks_at_once_is_answered_by_one_read() -> None:
    rows = Rows()
    together = ReadTogether(rows.read)
    assert await asyncio.gather(*[together(key) for key in ("a", "b", "a", "c")]) == [1, 2, 1, None]
    assert rows.reads == [{"a", "b", "c"}]


async def test_who_asks_later_is_told_what_is_so_by_then() -> None:
    rows = Rows()
    together = ReadTogether(rows.read)
    early = asyncio.create_task(together("a"))
    await asyncio.sleep(0.005)
    rows.rows["a"] = 9
    assert await together("a") == 9
    assert await early == 1
    assert len(rows.reads) == 2


async def test_a_failure_is_told_to_those_who_asked_and_to_no_one_else() -> None:
    rows = Rows()
    together = ReadTogether(rows.read)
    rows.fails = True
    for outcome in await asyncio.gather(*[together("a") for _ in range(3)], return_exceptions=True):
        assert isinstance(outcome, LookupError)
    rows.fails = False
    assert await together("a") == 1


async def test_one_who_goes_away_takes_nobody_along() -> None:
    rows = Rows()
    together = ReadTogether(rows.read)
    gone, stays = asyncio.create_task(together("a")), asyncio.create_task(together("a"))
    await asyncio.sleep(0.002)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays == 1
