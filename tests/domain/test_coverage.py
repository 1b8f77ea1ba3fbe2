from hypothesis import given
from hypothesis import strategies as st

from domain.coverage import Timeline, foremost
from domain.span import Span, covered, merged
from domain.speaker import SpeakerTurn
from domain.transcript import Word
from tests.bench.bench_attribution import whisperx_rule
from tests.bench.conversations import Setting, Spoken, simulate
from tests.domain.speech import LATEST, halved, spans, talks, turns

Turns = tuple[SpeakerTurn, ...]
BEFORE_AND_AFTER = st.lists(spans(least=1), max_size=12).map(sorted)


def overlap_by_hand(span: Span, speaker: str, held: Turns) -> int:
    parts = [turn.span.clamp(span) for turn in held if turn.speaker == speaker]
    return covered(parts)


@given(BEFORE_AND_AFTER, turns)
def test_shares_are_what_each_speakers_turns_cover_of_a_span(asked: list[Span], held: Turns) -> None:
    for span, shares in zip(asked, Timeline(held).shares(asked), strict=True):
        by_hand = {
            speaker: common / span.duration
            for speaker in sorted({turn.speaker for turn in held})
            if (common := overlap_by_hand(span, speaker, held))
        }
        assert dict(shares) == by_hand
        assert list(shares) == list(by_hand)


@given(turns, st.integers(0, LATEST))
def test_a_span_of_no_length_has_whoever_talks_then(held: Turns, instant: int) -> None:
    (shares,) = Timeline(held).shares([Span(instant, instant)])
    assert dict(shares) == {turn.speaker: 1.0 for turn in held if turn.span.contains(instant)}


@given(BEFORE_AND_AFTER, turns, st.integers())
def test_cutting_turns_in_two_changes_no_share(asked: list[Span], held: Turns, seed: int) -> None:
    assert Timeline(halved(held, seed)).shares(asked) == Timeline(held).shares(asked)


@given(BEFORE_AND_AFTER, turns, st.integers(1, 900))
def test_a_widened_timeline_has_everybody_who_is_near(asked: list[Span], held: Turns, by: int) -> None:
    for span, shares in zip(asked, Timeline(held, widened=by).shares(asked), strict=True):
        assert set(shares) == {turn.speaker for turn in held if turn.span.distance(span) < by}


def test_the_foremost_is_the_first_of_equals() -> None:
    assert foremost({}) is None
    assert foremost({"b": 1.0}) == "b"
    assert foremost({"a": 0.5, "b": 0.5, "c": 0.25}) == "a"


@given(talks(), turns)
def test_the_merge_gives_the_labels_that_whisperx_publishes_but_for_ties(said: tuple[Word, ...], held: Turns) -> None:
    same_as_published([Spoken(word, "") for word in said], held)


def test_so_it_does_in_a_long_conversation() -> None:
    same_as_published(*simulate(3, Setting(minutes=20, early=0.5)))


def same_as_published(said: list[Spoken], turns: Turns) -> None:
    """Turns of one speaker that overlap each other count once here and twice there; no diarizer gives any."""
    speakers = sorted({turn.speaker for turn in turns})
    spoken = {speaker: merged(turn.span for turn in turns if turn.speaker == speaker) for speaker in speakers}
    held = tuple(sorted(SpeakerTurn(span, speaker) for speaker in speakers for span in spoken[speaker]))
    shares = Timeline(held).shares([one.word.span for one in said])
    published = whisperx_rule(said, held) if held else [None] * len(said)
    for one, found, label in zip(said, shares, published, strict=True):
        most = sorted(found.values(), reverse=True)
        if one.word.span.duration and most and most[1:2] != most[:1]:
            assert foremost(found) == label
