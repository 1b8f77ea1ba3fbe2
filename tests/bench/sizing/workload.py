"""Recordings as they come: many short calls, some long meetings, from several owners; each seed gives its own day."""

import itertools
import math
import random
from collections.abc import Callable, Iterator
from functools import cache

from tests.bench.sizing.simulation import Recording

SHORT = 900.0
"""Seconds: what is called short in the tables."""
_CALLS = (0.8, 240.0, 0.8, 1_800.0)
_MEETINGS = (0.2, 3_000.0, 0.45, 10_800.0)
"""Share, median seconds, spread of the logarithm, and the longest."""
_OWNERS = 10
_URGENT = 0.05


def length(dice: random.Random) -> float:
    """Seconds of one recording."""
    _, median, spread, most = _CALLS if dice.random() < _CALLS[0] else _MEETINGS
    return min(most, max(5.0, median * math.exp(dice.gauss(0, spread))))


@cache
def mean_length(seed: int = 9, sample: int = 50_000) -> float:
    """Of many, in seconds."""
    dice = random.Random(seed)
    return sum(length(dice) for _ in range(sample)) / sample


def recordings(
    rate: float, seconds: float, *, seed: int, shape: Callable[[float], float] = lambda _: 1.0
) -> Iterator[Recording]:
    """Recordings that come at random, `rate` a second where `shape` of the time is 1, its most."""
    dice, now = random.Random(seed), 0.0
    weights = list(itertools.accumulate(1 / (number + 1) for number in range(_OWNERS)))
    while (now := now + dice.expovariate(rate)) < seconds:
        if dice.random() < shape(now):
            owner = dice.choices(range(_OWNERS), cum_weights=weights)[0]
            yield Recording(at=now, seconds=length(dice), owner=owner, priority=5 if dice.random() < _URGENT else 0)
