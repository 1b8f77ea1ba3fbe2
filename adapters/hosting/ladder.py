"""The steps down that an engine declares for want of memory, and where its child stands on them.

It must not know what the steps are.
"""

import pickle
import time
from typing import Protocol, runtime_checkable

_STEPS = 3
"""The most steps down before a call fails: half the batch, eight bits, the CPU."""


@runtime_checkable
class Reducible(Protocol):
    """An engine that can do with less memory."""

    def reduced(self) -> tuple[object, str] | None:
        """Return an engine like this one, unloaded, that needs less, and a sentence on what it does without.

        None when nothing is left to give up. Loads nothing; the answer can be pickled and is reducible itself.
        """


class Ladder:
    """An engine, and the reduced one that stands in for it until `climb`, or until `seconds` have passed."""

    def __init__(self, engine: object, seconds: float) -> None:
        self._top = engine
        self._seconds = seconds
        self._top_pickled = pickle.dumps(engine)
        self.climb()

    def climb(self) -> None:
        """Go back to the engine as it was configured."""
        self.engine, self.pickled = self._top, self._top_pickled
        self.sentences: tuple[str, ...] = ()
        self._since = 0.0

    def descend(self) -> bool:
        """Take one step down; False when there is none."""
        if len(self.sentences) >= _STEPS or not isinstance(self.engine, Reducible):
            return False
        less = self.engine.reduced()
        if less is None:
            return False
        self.engine, sentence = less
        self.pickled = pickle.dumps(self.engine)
        self.sentences = (*self.sentences, sentence)
        self._since = time.monotonic()
        return True

    @property
    def over(self) -> bool:
        """Whether it is time to try the engine as it was configured: what took the memory may be gone."""
        return bool(self.sentences) and time.monotonic() - self._since >= self._seconds
