"""What every clock and every maker of ids promises. Bindings give `clock` or `ids`."""

import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122, UUID

from application.ports.system import Clock, IdFactory
from tests.contracts.suite import Suite


class ClockContract(Suite):
    """Time."""

    def test_now_is_aware_in_utc_and_right(self, clock: Clock) -> None:
        now = clock.now()
        assert now.tzinfo is UTC
        assert abs(now - datetime.fromtimestamp(time.time(), UTC)) < timedelta(seconds=5)

    def test_monotonic_counts_seconds_and_never_falls(self, clock: Clock) -> None:
        start, reference = clock.monotonic(), time.perf_counter()
        readings = [clock.monotonic() for _ in range(1000)]
        time.sleep(0.05)
        passed, real = clock.monotonic() - start, time.perf_counter() - reference
        assert readings == sorted(readings)
        assert 0.05 <= passed <= real + 0.01


class IdFactoryContract(Suite):
    """Ids."""

    def test_ids_are_version_7(self, ids: IdFactory) -> None:
        for made in (ids.new() for _ in range(100)):
            assert (made.version, made.variant) == (7, RFC_4122)

    def test_ids_hold_the_time(self, ids: IdFactory) -> None:
        assert abs((ids.new().int >> 80) - time.time() * 1000) < 5000

    def test_a_later_id_is_greater(self, ids: IdFactory) -> None:
        made = [ids.new() for _ in range(20_000)]
        assert made == sorted(set(made))
        assert [str(each) for each in made] == sorted(str(each) for each in made)

    def test_threads_make_no_id_twice(self, ids: IdFactory) -> None:
        made: list[list[UUID]] = [[] for _ in range(4)]
        threads = [
            threading.Thread(target=lambda mine=mine: mine.extend(ids.new() for _ in range(2000))) for mine in made
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({each for mine in made for each in mine}) == 8000
        assert all(mine == sorted(mine) for mine in made)

    def test_ids_cannot_be_guessed_from_others(self, ids: IdFactory) -> None:
        made = [ids.new().int for _ in range(50)]
        steps = {later - earlier for earlier, later in pairwise(made)}
        assert len(steps) == 49
        assert min(steps) > 1
