import itertools

from hypothesis import given
from hypothesis import strategies as st

from domain.span import Span, covered
from domain.speaker import Diarization, SpeakerHints, SpeakerTurn, exclusive_turns
from tests.domain.speech import halved, shifted, turns

Turns = tuple[SpeakerTurn, ...]


@given(turns)
def test_exclusive_turns_give_each_spoken_instant_to_one_who_speaks_then(held: Turns) -> None:
    alone = exclusive_turns(held)
    assert all(left.span.end <= right.span.start for left, right in itertools.pairwise(alone))
    assert covered(turn.span for turn in alone) == covered(turn.span for turn in held)
    for turn in alone:
        own = [other.span for other in held if other.speaker == turn.speaker]
        assert covered(part.clamp(turn.span) for part in own) == turn.span.duration


@given(turns)
def test_no_exclusive_turn_touches_another_of_the_same_speaker(held: Turns) -> None:
    alone = exclusive_turns(held)
    assert all(
        left.speaker != right.speaker or left.span.end < right.span.start for left, right in itertools.pairwise(alone)
    )


@given(turns.flatmap(lambda held: st.tuples(st.just(held), st.permutations(held))))
def test_exclusive_turns_do_not_depend_on_the_order_of_turns(orders: tuple[Turns, list[SpeakerTurn]]) -> None:
    held, mixed = orders
    assert exclusive_turns(mixed) == exclusive_turns(held)


@given(turns, st.integers())
def test_cutting_turns_in_two_changes_no_exclusive_turn(held: Turns, seed: int) -> None:
    assert exclusive_turns(halved(held, seed)) == exclusive_turns(held)


@given(turns, st.integers(0, 9_999))
def test_shifting_turns_shifts_exclusive_ones(held: Turns, by: int) -> None:
    assert exclusive_turns(shifted(held, by)) == shifted(exclusive_turns(held), by)


def test_whoever_started_last_holds_the_floor() -> None:
    held = (SpeakerTurn(Span(0, 900), "a"), SpeakerTurn(Span(300, 500), "b"))
    assert exclusive_turns(held) == (
        SpeakerTurn(Span(0, 300), "a"), SpeakerTurn(Span(300, 500), "b"), SpeakerTurn(Span(500, 900), "a"),
    )  # fmt: skip


def test_speakers_come_in_order_of_first_appearance() -> None:
    held = (SpeakerTurn(Span(0, 1), "z"), SpeakerTurn(Span(1, 2), "a"), SpeakerTurn(Span(2, 3), "z"))
    assert Diarization(turns=held, exclusive=held).speakers == ("z", "a")


def test_hints_bound_the_count() -> None:
    assert SpeakerHints(exact=3).bounds(20) == (3, 3)
    assert SpeakerHints().bounds(20) == (1, 20)
    assert SpeakerHints(at_least=2, at_most=4).bounds(20) == (2, 4)
    assert SpeakerHints(at_least=30).bounds(20) == (30, 30)
