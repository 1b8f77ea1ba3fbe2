"""Progress that never falls, whoever reports to it."""

from application.ports.system import ProgressSink


class Rising:
    """A progress sink that passes the largest fraction so far on to `sink`, and at most 1."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._highest = 0.0

    def __call__(self, fraction: float) -> None:
        """Report."""
        self._highest = max(self._highest, min(1.0, fraction))
        self._sink(self._highest)
