import itertools

from hypothesis import given
from hypothesis import strategies as st

from domain.span import Span, covered, merged, restricted
from domain.windows import plan_windows

speech = st.lists(
    st.tuples(st.integers(0, 100_000), st.integers(1, 5_000)).map(lambda pair: Span(pair[0], pair[0] + pair[1])),
    max_size=30,
).map(merged)
limits = st.integers(10, 8_000)


@given(speech, limits)
def test_every_bit_of_speech_is_in_exactly_one_window(speech: tuple[Span, ...], longest: int) -> None:
    windows = plan_windows(speech, longest)
    assert sum(covered(restricted(speech, window)) for window in windows) == covered(speech)
    assert all(first.end <= second.start for first, second in itertools.pairwise(windows))


@given(speech, limits)
def test_no_window_is_longer_than_allowed(speech: tuple[Span, ...], longest: int) -> None:
    assert all(0 < window.duration <= longest for window in plan_windows(speech, longest))


@given(speech, limits)
def test_windows_are_cut_in_silence_where_there_is_some(speech: tuple[Span, ...], longest: int) -> None:
    for window in plan_windows(speech, longest):
        for edge in (window.start, window.end):
            inside = [region for region in speech if region.start < edge < region.end]
            assert all(region.duration > longest for region in inside)


def test_no_speech_needs_no_window() -> None:
    assert plan_windows(()) == ()
