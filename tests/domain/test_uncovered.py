"""Speech that no word covers."""

from hypothesis import given
from hypothesis import strategies as st

from domain.span import Span, covered, merged
from domain.uncovered import LEAST, MARGIN, uncovered

spans = st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 9_000)), max_size=12).map(
    lambda pairs: merged(Span(start, start + length) for start, length in pairs)
)


@given(speech=spans, words=spans)
def test_it_is_what_speech_and_words_leave(speech: tuple[Span, ...], words: tuple[Span, ...]) -> None:
    lost = uncovered(speech, words)
    vouched = {ms for word in words for ms in range(max(0, word.start - MARGIN), word.end + MARGIN)}
    heard = {ms for region in speech for ms in range(region.start, region.end)}
    named = {ms for span in lost for ms in range(span.start, span.end)}
    assert named <= heard - vouched
    assert all(span.duration >= LEAST for span in lost)
    short = heard - vouched - named
    runs = merged(Span(ms, ms + 1) for ms in short)
    assert all(run.duration < LEAST for run in runs)


def test_without_words_all_speech_is_lost_and_without_speech_nothing() -> None:
    speech = (Span(0, 5_000), Span(9_000, 9_999), Span(20_000, 21_000))
    assert uncovered(speech, ()) == (speech[0], speech[2])
    assert uncovered((), (Span(0, 900),)) == ()


def test_eight_hours_are_searched_at_once() -> None:
    speech = [Span(start, start + 2_500) for start in range(0, 28_800_000, 3_000)]
    words = [Span(start, start + 300) for start in range(0, 28_800_000, 400) if start % 60_000 > 5_000]
    assert covered(uncovered(speech, words)) > 480 * LEAST
