import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidSpan
from domain.span import Span, covered, merged, restricted, to_ms, to_seconds
from tests.domain.speech import spans

many = st.lists(spans(), max_size=8)


def instants_of(*parts: Span) -> set[int]:
    return {instant for part in parts for instant in range(part.start, part.end)}


@given(st.integers(0, 360_000_000))
def test_seconds_and_back_lose_nothing(ms: int) -> None:
    assert to_ms(to_seconds(ms)) == ms


def test_halves_of_a_millisecond_round_up() -> None:
    assert [to_ms(seconds) for seconds in (0.0004, 0.0005, 1.0005, 1.001)] == [0, 1, 1001, 1001]


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (6, 5)])
def test_a_span_that_cannot_be_is_refused(start: int, end: int) -> None:
    with pytest.raises(InvalidSpan):
        Span(start, end)


def test_a_span_cannot_be_shifted_before_zero() -> None:
    with pytest.raises(InvalidSpan):
        Span(5, 9).shift(-6)


@given(spans(), spans())
def test_overlap_counts_common_instants(one: Span, other: Span) -> None:
    assert one.overlap(other) == other.overlap(one) == len(instants_of(one) & instants_of(other))


@given(spans(), spans())
def test_spans_are_apart_or_overlap_but_never_both(one: Span, other: Span) -> None:
    assert one.distance(other) == other.distance(one)
    assert not (one.distance(other) and one.overlap(other))
    assert one.hull(other).duration >= one.duration + one.distance(other)


@given(spans(), spans())
def test_clamping_keeps_just_the_common_part(one: Span, within: Span) -> None:
    part = one.clamp(within)
    assert part.duration == one.overlap(within)
    assert within.start <= part.start <= part.end <= within.end


@given(spans(), spans(), st.integers(0, 9_999))
def test_the_algebra_does_not_depend_on_where_zero_is(one: Span, other: Span, by: int) -> None:
    assert one.shift(by).overlap(other.shift(by)) == one.overlap(other)
    assert one.shift(by).distance(other.shift(by)) == one.distance(other)
    assert one.shift(by).hull(other.shift(by)) == one.hull(other).shift(by)


@given(many)
def test_merging_keeps_the_instants_and_leaves_gaps_between(parts: list[Span]) -> None:
    whole = merged(parts)
    assert instants_of(*whole) == instants_of(*parts)
    assert all(left.end < right.start for left, right in itertools.pairwise(whole))
    assert covered(parts) == len(instants_of(*parts))


@given(many, st.integers(0, 2_000))
def test_merging_over_gaps_leaves_only_wider_ones(parts: list[Span], gap: int) -> None:
    whole = merged(parts, gap)
    assert all(right.start - left.end > gap for left, right in itertools.pairwise(whole))


@given(many, spans())
def test_restricting_keeps_what_lies_inside(parts: list[Span], within: Span) -> None:
    assert instants_of(*restricted(parts, within)) == instants_of(*parts) & instants_of(within)
