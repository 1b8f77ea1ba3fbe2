"""A place in what is told of a task: short enough to be an event's id, good in any process and after any restart."""

import re
from dataclasses import dataclass

_TEXT = re.compile(r"(\d{1,15})(f?)(?:\.(\d{1,4})\.(\d{1,12})\.(\d{1,7})\.(\d{1,12})\.(\d{1,7}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was told so far: the state of `version`, and the end if `final`.

    Of the segments those of earlier tracks, and of earlier windows of `track`, and the first `count` of the window that
    starts at `start` ms, all of which end by `until` ms; and of the finished transcript's the first `rest` that begin
    after that.
    """

    version: int = -1
    final: bool = False
    track: int = 0
    start: int = -1
    count: int = 0
    until: int = 0
    rest: int = 0

    def __str__(self) -> str:
        """Write it; what has no segments is short.

        >>> str(Place(version=7)), str(Place(version=9, final=True, start=300, count=2, until=4100))
        ('7', '9f.0.301.2.4100.0')
        """
        heard = (self.track, self.start + 1, self.count, self.until, self.rest)
        told = f"{max(self.version, 0)}{'f' if self.final else ''}"
        return told if not any(heard) else ".".join([told, *map(str, heard)])

    @staticmethod
    def parse(text: str) -> "Place":
        """Read what `str` wrote; what nobody wrote here is the beginning.

        >>> Place.parse("9f.0.301.2.4100.0") == Place(version=9, final=True, start=300, count=2, until=4100)
        True
        >>> Place.parse("42; DROP") == Place()
        True
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            return Place()
        version, final, *heard = found.groups()
        track, after, count, until, rest = (int(each or 0) for each in heard)
        return Place(
            version=int(version), final=bool(final), track=track, start=after - 1, count=count, until=until, rest=rest
        )


BEGINNING = Place()
