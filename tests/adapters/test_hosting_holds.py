"""What a host knows of its child's memory, without asking anybody to load anything."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.hosting.child import EngineChild
from adapters.hosting.policy import Hosting
from domain.errors import EngineUnavailable
from tests.adapters.engine_probe import Probe, SlowToLoad
from tests.adapters.processes import wait_until


def unheard(_: float) -> None:
    """A sink that never objects."""


def held(child: EngineChild) -> str | None:
    return child.holds


@pytest.fixture
def started() -> Iterator[Callable[..., EngineChild]]:
    opened: list[EngineChild] = []

    def start(adapter: object, **policy: Any) -> EngineChild:
        opened.append(EngineChild(adapter, Hosting(**policy)))
        return opened[-1]

    yield start
    for child in opened:
        child.close()


def test_a_host_knows_what_its_child_has_in_memory_and_asks_nobody_to_load(
    started: Callable[..., EngineChild],
) -> None:
    idle = started(Probe())
    assert held(idle) is None
    idle.outcome("pid", on_progress=unheard, model="large")
    assert held(idle) == "large"
    idle.close()
    assert held(idle) is None


def test_a_child_that_loaded_ahead_holds_its_default(started: Callable[..., EngineChild]) -> None:
    ahead = started(SlowToLoad(), preload=True)
    ahead.start()
    wait_until(lambda: held(ahead) == "", seconds=10)


def test_asking_what_is_held_does_not_wait_for_a_call(started: Callable[..., EngineChild]) -> None:
    child = started(Probe())
    child.call("pid", on_progress=unheard)
    busy = threading.Thread(target=lambda: child.call("compute", 2.0, on_progress=unheard))
    busy.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert held(child) == ""
    assert time.monotonic() - began < 1.0
    busy.join()


def test_an_error_that_is_its_own_cause_does_not_hold_the_child(started: Callable[..., EngineChild]) -> None:
    child = started(Probe())
    error = EngineUnavailable("round")
    with pytest.raises(EngineUnavailable):
        child.call("fail_from_itself", error, on_progress=unheard)
