from hypothesis import given
from hypothesis import strategies as st

from domain.span import Span, covered, merged
from domain.speaker import SpeakerTurn
from domain.statistics import statistics
from domain.transcript import Segment, Word
from tests.domain.speech import halved, segments, shifted, turns

Segments = tuple[Segment, ...]
Turns = tuple[SpeakerTurn, ...]


def a_segment(speaker: str, *words: tuple[int, int]) -> Segment:
    said = tuple(Word(span=Span(*times), text="word", speaker=speaker) for times in words)
    return Segment(span=Span(words[0][0], words[-1][1]), text="word " * len(words), words=said, speaker=speaker)


def test_statistics_of_a_short_conversation() -> None:
    said = (a_segment("b", (100, 400), (500, 900)), a_segment("a", (1000, 1400)), a_segment("b", (5000, 5500)))
    held = (
        SpeakerTurn(Span(0, 1000), "b"), SpeakerTurn(Span(800, 1600), "a"), SpeakerTurn(Span(1400, 1700), "b"),
        SpeakerTurn(Span(5000, 6000), "b"), SpeakerTurn(Span(8000, 8100), "c"),
    )  # fmt: skip
    b, a, c = statistics(said, held)
    assert (b.speaker, b.talk_time, b.words, b.turns, b.longest_turn, b.overlap_time) == ("b", 2300, 3, 2, 1700, 400)
    assert (a.speaker, a.talk_time, a.words, a.turns, a.longest_turn, a.overlap_time) == ("a", 800, 1, 1, 800, 400)
    assert (c.speaker, c.talk_time, c.words, c.overlap_time) == ("c", 100, 0, 0)
    assert (b.segments, a.segments, c.segments) == (2, 1, 0)
    assert (b.interruptions, a.interruptions, c.interruptions) == (0, 0, 0), "b goes on after a"
    assert b.words_per_minute == 3 / (2.3 / 60)
    assert b.share == 2300 / 3200


def test_whoever_begins_within_a_turn_and_outlasts_it_interrupts() -> None:
    def interruptions(*held: tuple[int, int, str]) -> dict[str, int]:
        turns = [SpeakerTurn(Span(start, end), who) for start, end, who in held]
        return {part.speaker: part.interruptions for part in statistics((), turns)}

    assert interruptions((0, 5000, "a"), (2000, 2400, "b")) == {"a": 0, "b": 0}, "a sound of agreement"
    assert interruptions((0, 5000, "a"), (4000, 9000, "b")) == {"a": 0, "b": 1}
    assert interruptions((0, 5000, "a"), (5000, 9000, "b")) == {"a": 0, "b": 0}, "taking turns"
    assert interruptions((0, 5000, "a"), (0, 9000, "b")) == {"a": 0, "b": 0}, "at once"
    assert interruptions((0, 5000, "a"), (4000, 5000, "b"), (5400, 9000, "b")) == {"a": 0, "b": 1}, "one turn"
    assert interruptions((0, 5000, "a"), (1000, 6000, "b"), (2000, 7000, "c")) == {"a": 0, "b": 1, "c": 1}


def test_without_turns_words_count_and_short_pauses_between_them() -> None:
    (only,) = statistics((a_segment("a", (0, 400), (600, 1000), (2000, 2500)),), ())
    assert (only.talk_time, only.turns, only.longest_turn) == (1500, 2, 1000)


def test_segments_without_words_count_by_their_text() -> None:
    (only,) = statistics((Segment(span=Span(0, 6000), text="three short words", speaker="a"),), ())
    assert (only.words, only.talk_time, only.words_per_minute) == (3, 6000, 30.0)


def test_nobody_gives_no_statistics() -> None:
    assert statistics((), ()) == ()


@given(segments(), turns)
def test_the_parts_make_the_whole(said: Segments, held: Turns) -> None:
    found = statistics(said, held)
    speakers = {segment.speaker for segment in said} | {turn.speaker for turn in held}
    assert {part.speaker for part in found} == speakers - {None}
    if sum(part.talk_time for part in found):
        assert abs(sum(part.share for part in found) - 1) < 1e-9
    for part in found:
        assert 0 <= part.overlap_time <= part.talk_time
        assert 0 <= part.interruptions <= part.turns
        assert part.segments == sum(segment.speaker == part.speaker for segment in said)
        assert part.longest_turn <= sum(turn.span.duration for turn in held) + 500 * len(held) or not held


@given(segments(), turns)
def test_overlap_is_time_in_which_others_speak(said: Segments, held: Turns) -> None:
    for part in statistics(said, held) if held else ():
        own = {at for turn in held if turn.speaker == part.speaker for at in range(turn.span.start, turn.span.end)}
        others = {at for turn in held if turn.speaker != part.speaker for at in range(turn.span.start, turn.span.end)}
        assert part.overlap_time == len(own & others)
        assert part.talk_time == covered(turn.span for turn in held if turn.speaker == part.speaker)


@given(turns)
def test_interruptions_are_as_their_definition_counts_them(held: Turns) -> None:
    spoken = {turn.speaker: merged((t.span for t in held if t.speaker == turn.speaker), 500) for turn in held}
    for part in statistics((), held):
        others = [span for who, spans in spoken.items() if who != part.speaker for span in spans]
        counted = sum(
            any(other.start < mine.start < other.end < mine.end for other in others) for mine in spoken[part.speaker]
        )
        assert part.interruptions == counted


@given(segments(), turns, st.integers())
def test_cutting_turns_in_two_changes_nothing(said: Segments, held: Turns, seed: int) -> None:
    assert set(statistics(said, halved(held, seed))) == set(statistics(said, held))


@given(segments(), turns.filter(bool), st.integers(0, 9_999))
def test_when_it_was_said_does_not_matter(said: Segments, held: Turns, by: int) -> None:
    assert statistics(said, shifted(held, by)) == statistics(said, held)
