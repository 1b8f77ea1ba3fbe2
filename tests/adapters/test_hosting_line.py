"""The line before an engine, and the children of a pool: short recordings do not wait behind long ones."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hosting.line import EXPRESS_SECONDS, RATE, Line, Wish
from adapters.hosting.policy import Hosting
from adapters.hosting.pool import EnginePool
from domain.errors import EngineFailed
from tests.adapters.engine_probe import Probe
from tests.adapters.processes import children, running, wait_until

HOUR, CLIP = 3_600_000, 10_000


def unheard(_: float) -> None:
    """A sink that never objects."""


class Stop(Exception):
    """What a sink raises to call work off."""


@pytest.fixture
def opened() -> Iterator[Callable[..., EnginePool]]:
    """Makes pools with a policy of the test's own; they are closed, and no child may be left."""
    before = children()
    pools: list[EnginePool] = []

    def open_pool(adapter: object | None = None, device: str = "cpu", **policy: Any) -> EnginePool:
        pools.append(EnginePool(adapter or Probe(), Hosting(**policy), devices=None, device=lambda _: device))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()
    assert children() <= before


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


class Recordings:
    """Recordings whose calls share a pool; `order` is that in which the calls ended."""

    def __init__(self, pool: EnginePool) -> None:
        self.order: list[str] = []
        self._pool = pool
        self._threads: list[threading.Thread] = []

    def begin(self, name: str, calls: int, each: int, *, seconds: float = 0.15) -> None:
        """Start one; it has `calls` calls of `each` ms."""

        def work() -> None:
            for left in range(calls, 0, -1):
                self._pool.outcome("steps", [0.5], seconds, on_progress=unheard, size=each, left=left * each)
                self.order.append(name)

        self._threads.append(in_thread(work))
        time.sleep(0.05)

    def join(self) -> list[str]:
        for thread in self._threads:
            thread.join(20)
        return self.order


# The order


def test_a_short_recording_overtakes_a_long_one_between_its_windows(opened: Callable[..., EnginePool]) -> None:
    pool = opened()
    recordings = Recordings(pool)
    recordings.begin("long", 5, HOUR // 12)
    recordings.begin("clip", 1, CLIP)
    assert recordings.join() == ["long", "clip", "long", "long", "long", "long"]


def test_what_is_left_decides_and_not_how_long_a_recording_was(opened: Callable[..., EnginePool]) -> None:
    recordings = Recordings(opened())
    recordings.begin("busy", 1, CLIP)
    recordings.begin("ten minutes", 2, 300_000, seconds=0.02)
    recordings.begin("one minute", 1, 60_000, seconds=0.02)
    recordings.begin("two minutes", 1, 120_000, seconds=0.02)
    assert recordings.join() == ["busy", "one minute", "two minutes", "ten minutes", "ten minutes"]


def test_equals_go_in_the_order_they_came(opened: Callable[..., EnginePool]) -> None:
    recordings = Recordings(opened())
    names = [f"clip {number}" for number in range(6)]
    for name in names:
        recordings.begin(name, 1, CLIP)
    assert recordings.join() == names


@given(
    first=st.floats(0, 30_000),
    others=st.lists(st.tuples(st.floats(0, 5_000), st.floats(0, 30_000)), max_size=30),
)
def test_nobody_is_passed_by_those_who_come_later_than_a_tenth_of_what_it_has_left(
    first: float, others: list[tuple[float, float]]
) -> None:
    """Whoever waits is served before all those: it can wait no longer than for those who came before them."""
    waiter = Wish(left=first, size=first, since=0.0)
    later = [Wish(left=left, size=left, since=since) for since, left in others if since > first / RATE]
    assert all(waiter.rank < other.rank for other in later)


@given(lefts=st.lists(st.floats(0, 30_000), min_size=2, max_size=20), at=st.floats(0, 1e6))
def test_of_those_who_came_together_the_one_with_the_least_left_goes_first(lefts: list[float], at: float) -> None:
    ranks = [Wish(left=left, size=0.0, since=at).rank for left in sorted(lefts)]
    assert all(one <= other for one, other in pairwise(ranks))


def test_a_long_recording_is_not_starved_by_clips_that_never_end() -> None:
    """Ten clips at once, each replaced by the next; the long one's turn comes when the clips are younger than that."""
    line = Line(["place"], beat=0.05)
    served: list[str] = []
    ended = threading.Event()
    patience = 1.0

    def clips() -> None:
        while not ended.is_set():
            with line.place(Wish(left=0.1, size=0.1), while_waiting=lambda: None):
                time.sleep(0.01)
                served.append("clip")

    crowd = [in_thread(clips) for _ in range(10)]
    began = time.monotonic()
    with line.place(Wish(left=patience * RATE, size=0.1), while_waiting=lambda: None):
        waited = time.monotonic() - began
        ended.set()
    for thread in crowd:
        thread.join(5)
    assert len(served) > 10
    assert patience * 0.5 < waited < patience + 2.0


# Several children


@pytest.mark.parametrize("concurrency", [1, 3])
def test_exactly_as_many_calls_run_at_once_as_are_allowed(opened: Callable[..., EnginePool], concurrency: int) -> None:
    pool = opened(concurrency=concurrency)
    pids: list[int] = []

    def note() -> None:
        result = pool.outcome("compute", 0.15, on_progress=unheard, size=CLIP).result
        assert isinstance(result, int)
        pids.append(result)

    threads = [in_thread(note) for _ in range(9)]
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, sum(child._turns.taken for child in pool.children))
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    assert len(pids) == 9
    assert len(set(pids)) == most == concurrency


def test_a_second_child_is_not_started_before_it_is_needed(opened: Callable[..., EnginePool]) -> None:
    pool = opened(concurrency=2)
    before = children()
    for _ in range(5):
        pool.outcome("pid", on_progress=unheard, size=CLIP)
    assert len(children() - before) == 1


def test_who_waits_for_a_place_is_heard_from_and_leaves_the_line_when_called_off(
    opened: Callable[..., EnginePool],
) -> None:
    pool = opened()
    busy = in_thread(lambda: pool.outcome("steps", [0.5], 1.5, on_progress=unheard, size=CLIP))
    time.sleep(0.1)
    heard: list[float] = []

    def give_up(fraction: float) -> None:
        heard.append(fraction)
        if len(heard) == 3:
            raise Stop

    with pytest.raises(Stop):
        pool.outcome("pid", on_progress=give_up, size=1)
    assert busy.is_alive()
    busy.join()
    pool.outcome("pid", on_progress=unheard, size=HOUR)


# The express child


@pytest.fixture
def long_call() -> Iterator[Callable[[EnginePool], None]]:
    """Begins a call for a whole hour's recording, which is called off at the end of the test."""
    threads: list[threading.Thread] = []
    ended = threading.Event()

    def sink(_: float) -> None:
        if ended.is_set():
            raise Stop

    def begin(pool: EnginePool) -> None:
        def work() -> None:
            with pytest.raises(Stop):
                pool.outcome("repeat", 60.0, 0.0001, on_progress=sink, size=HOUR)

        threads.append(in_thread(work))
        wait_until(lambda: pool.children[0].load is not None, seconds=10)

    yield begin
    ended.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def quick(pool: EnginePool, size: int = CLIP) -> int:
    """The process that did a short call; it must not take as long as the long one."""

    def impatient(_: float, until: float = time.monotonic() + 5.0) -> None:
        if time.monotonic() > until:
            raise TimeoutError

    result = pool.outcome("pid", on_progress=impatient, size=size).result
    assert isinstance(result, int)
    return result


def test_a_clip_does_not_wait_for_a_call_that_lasts_as_long_as_its_recording(
    opened: Callable[..., EnginePool], long_call: Callable[[EnginePool], None]
) -> None:
    pool = opened(express_memory=500_000_000)
    long_call(pool)
    began = time.monotonic()
    first = quick(pool)
    assert time.monotonic() - began < 3
    assert quick(pool) == first, "a burst of clips shares one express child"
    (ordinary,) = {child._process._popen.pid for child in pool.children if child._process}
    assert first != ordinary


def test_the_express_child_is_ended_when_it_is_idle(
    opened: Callable[..., EnginePool], long_call: Callable[[EnginePool], None]
) -> None:
    pool = opened(express_memory=500_000_000, idle_seconds=0)
    long_call(pool)
    express = quick(pool)
    wait_until(lambda: not running(express), seconds=5)


def test_nobody_starts_one_while_there_is_no_contention(opened: Callable[..., EnginePool]) -> None:
    pool = opened(express_memory=500_000_000)
    before = children()
    recordings = Recordings(pool)
    for number in range(4):
        recordings.begin(f"clip {number}", 2, CLIP, seconds=0.3)
    recordings.join()
    assert len(children() - before) == 1


@pytest.mark.parametrize(
    ("policy", "size"),
    [
        ({"express_memory": 0}, CLIP),
        ({"express_memory": 1_000_000}, CLIP),
        ({"express_memory": 500_000_000, "device": "cuda:0"}, CLIP),
        ({"express_memory": 500_000_000}, int(EXPRESS_SECONDS * 1000) + 1),
    ],
    ids=["turned off", "too much memory", "a GPU", "not short"],
)
def test_a_call_waits_in_the_line_where(
    opened: Callable[..., EnginePool],
    long_call: Callable[[EnginePool], None],
    policy: dict[str, Any],
    size: int,
) -> None:
    pool = opened(**policy)
    long_call(pool)
    before = children()
    calls = 0

    def give_up(_: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise Stop

    with pytest.raises(Stop):
        pool.outcome("pid", on_progress=give_up, size=size)
    assert children() == before


def test_what_fails_in_the_express_child_is_repeated_in_the_line(
    opened: Callable[..., EnginePool],
) -> None:
    pool = opened(express_memory=500_000_000)
    busy = in_thread(lambda: pool.outcome("steps", [0.5], 2.5, on_progress=unheard, size=HOUR))
    wait_until(lambda: pool.children[0].load is not None, seconds=10)
    killed: list[int] = []

    def kill_once(_: float) -> None:
        express = pool.express and pool.express._process
        if not killed and express and express.took:
            killed.append(express._popen.pid)
            os.kill(express._popen.pid, signal.SIGKILL)

    result = pool.outcome("compute", 0.6, on_progress=kill_once, size=CLIP).result
    assert killed
    assert not busy.is_alive(), "it waited for its turn"
    assert result == pool.outcome("pid", on_progress=unheard, size=CLIP).result
    busy.join()


def test_a_poisonous_clip_fails_as_it_does_without_contention(
    opened: Callable[..., EnginePool],
) -> None:
    pool = opened(express_memory=500_000_000)
    busy = in_thread(lambda: pool.outcome("steps", [0.5], 1.5, on_progress=unheard, size=HOUR))
    wait_until(lambda: pool.children[0].load is not None, seconds=10)
    with pytest.raises(EngineFailed) as failed:
        pool.outcome("leave", 3, on_progress=unheard, size=CLIP)
    assert failed.value.reason == "worker_crashed"
    busy.join()
