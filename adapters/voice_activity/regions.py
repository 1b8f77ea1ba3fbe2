"""From the probability of speech in each frame to regions of speech.

It knows nothing of models or audio: frames come in, spans of frames go out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Hysteresis:
    """Speech begins at a frame of at least `onset` and ends where `min_silence` ms start below `offset`.

    Probabilities between the two continue whatever was there. Regions of up to `min_speech` ms are dropped; the others
    grow by `padding` ms on both sides, or meet in the middle of a shorter silence.
    """

    onset: float
    offset: float
    min_silence: int
    min_speech: int
    padding: int

    def regions(self, probabilities: Iterable[float], frame: int, duration: int) -> tuple[Span, ...]:
        """Return the padded regions in a recording of `duration` ms whose frames last `frame` ms each."""
        spoken = [span for span in self._spoken(probabilities, frame, duration) if span.duration > self.min_speech]
        return tuple(self._padded(spoken, duration))

    def _spoken(self, probabilities: Iterable[float], frame: int, duration: int) -> Iterator[Span]:
        began: int | None = None
        fell: int | None = None
        for number, probability in enumerate(probabilities):
            now = number * frame
            if probability >= self.onset:
                began = now if began is None else began
                fell = None
            elif probability < self.offset and began is not None:
                fell = now if fell is None else fell
                if now - fell >= self.min_silence:
                    yield Span(began, fell)
                    began = fell = None
        if began is not None and began < duration:
            yield Span(began, duration)

    def _padded(self, spoken: list[Span], duration: int) -> Iterator[Span]:
        start = 0
        for number, span in enumerate(spoken):
            end = spoken[number + 1].start if number + 1 < len(spoken) else duration
            half = (end - span.end) // 2 if number + 1 < len(spoken) else end - span.end
            yield Span(max(start, span.start - self.padding), span.end + min(self.padding, half))
            start = span.end + half
