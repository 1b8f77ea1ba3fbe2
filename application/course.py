"""The course of one phase of an attempt: where it is, since when, and how long it will still take at this pace."""

_SETTLED = 0.05
"""Below this much of the phase what was measured of it says nothing."""
_CERTAIN = 0.5
"""From this much on only what was measured counts: this recording is what it is, whatever others were like."""
_RESERVE = 0.1
"""So much of what was to go is never counted down: it takes the next sign of life to know better."""


class Course:
    """One thread reports, another looks; neither waits."""

    def __init__(self, now: float) -> None:
        self.longest_pause = 0.0
        self._moved = (now, 0.0)
        self._since: tuple[float, float] | None = None

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return self._moved[1]

    @property
    def moved_at(self) -> float:
        """When it moved last, or began."""
        return self._moved[0]

    def report(self, fraction: float, now: float) -> None:
        """Take a fraction; it never falls."""
        at, before = self._moved
        if fraction > before:
            self.longest_pause = max(self.longest_pause, now - at)
            self._moved = (now, min(1.0, fraction))

    def look(self, now: float) -> None:
        """Note from where the measuring starts: what an earlier attempt did is there at once, and was no work."""
        self._since = self._since or (now, self.fraction)

    def left(self, expected: float | None, now: float) -> float | None:
        """Return the seconds to go, or None; `expected` is how long all of it should take, if that is known."""
        at, fraction = self._moved
        whole = self._whole(expected)
        if whole is None or fraction >= 1.0:
            return None if whole is None and fraction < 1.0 else 0.0
        left = whole * (1.0 - fraction)
        return max(left - (now - at), left * _RESERVE)

    def _whole(self, expected: float | None) -> float | None:
        at, fraction = self._moved
        began, first = self._since or (at, fraction)
        gained = fraction - first
        if gained < _SETTLED:
            return expected
        measured = (at - began) / gained
        weight = 1.0 if expected is None else min(1.0, gained / _CERTAIN)
        return weight * measured + (1.0 - weight) * (expected or 0.0)
