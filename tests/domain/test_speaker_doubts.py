import pytest
from hypothesis import given

from domain.media import ChannelRelation
from domain.span import Span
from domain.speaker import SpeakerHints, SpeakerTurn
from domain.speaker_doubts import speaker_doubts
from domain.stage import Notice
from domain.transcript import Segment, Word
from tests.domain.speech import segments, turns

MIXED, DISTINCT = ChannelRelation.MIXED, ChannelRelation.DISTINCT


def said(speaker: str, start: int, *texts: str) -> Segment:
    words = tuple(
        Word(span=Span(start + 300 * at, start + 300 * (at + 1)), text=text, speaker=speaker)
        for at, text in enumerate(texts)
    )
    return Segment(span=Span(start, words[-1].span.end), text=" ".join(texts), words=words, speaker=speaker)


def doubts(
    *heard: Segment, held: tuple[SpeakerTurn, ...] = (), hints: SpeakerHints | None = None,
    relation: ChannelRelation = MIXED,
) -> list[Notice]:  # fmt: skip
    return list(speaker_doubts(heard, held, hints or SpeakerHints(), relation))


def codes(*heard: Segment, hints: SpeakerHints | None = None, relation: ChannelRelation = MIXED) -> list[str]:
    return [notice.code for notice in doubts(*heard, hints=hints, relation=relation)]


LONG = ("word",) * 40
CONVERSATION = (said("a", 0, *LONG), said("b", 20_000, *LONG))
QUESTIONS = tuple(said("a", at * 2000, "Do", "you", "know?") for at in range(3))
STATEMENTS = tuple(said("a", 10_000 + at * 2000, "Yes", "I", "do.") for at in range(9))


def test_a_conversation_of_two_raises_no_doubt() -> None:
    assert codes(*CONVERSATION) == []
    assert codes(*CONVERSATION, relation=DISTINCT, hints=SpeakerHints(exact=2)) == []


def test_a_speaker_with_hardly_any_speech_may_be_none() -> None:
    (notice,) = doubts(*CONVERSATION, said("c", 40_000, "Mm."))
    assert notice == Notice("phantom_speaker", "Hardly any speech, perhaps no speakers of their own: c (0.3 s).")
    spans = {"a": Span(0, 12_000), "b": Span(20_000, 32_000), "d": Span(33_000, 33_400)}
    (silent,) = doubts(*CONVERSATION, held=tuple(SpeakerTurn(span, speaker) for speaker, span in spans.items()))
    assert (silent.code, "d (0.4 s)" in silent.detail) == ("phantom_speaker", True)


def test_a_short_word_in_a_short_recording_of_one_is_no_phantom() -> None:
    assert codes(said("a", 0, "Hello.")) == []


def test_somebody_who_says_enough_words_is_no_phantom() -> None:
    assert codes(*CONVERSATION, said("c", 40_000, "No", "I", "did", "not.")) == []


@pytest.mark.parametrize(
    ("hints", "relation", "because"),
    [
        (SpeakerHints(exact=3), MIXED, "3 were asked for"),
        (SpeakerHints(at_least=2), MIXED, "2 were asked for"),
        (SpeakerHints(), DISTINCT, "channels"),
    ],
)
def test_one_speaker_is_doubtful_where_more_are_expected(
    hints: SpeakerHints, relation: ChannelRelation, because: str
) -> None:
    (notice,) = doubts(said("a", 0, *LONG), hints=hints, relation=relation)
    assert notice.code == "single_speaker"
    assert because in notice.detail


def test_one_speaker_who_asks_again_and_again_is_doubtful() -> None:
    (notice,) = doubts(*QUESTIONS, *STATEMENTS)
    assert notice == Notice("single_speaker", "One speaker was found, though 3 of 12 sentences are questions.")
    assert codes(*QUESTIONS[1:], *STATEMENTS) == []
    assert codes(*QUESTIONS, *STATEMENTS, said("a", 90_000, "So", "it", "is.")) == []


def test_who_asked_for_one_speaker_is_not_told_of_more() -> None:
    for hints in (SpeakerHints(exact=1), SpeakerHints(at_most=1)):
        assert codes(*QUESTIONS, hints=hints, relation=DISTINCT) == []


def test_fewer_speakers_than_asked_for_are_told() -> None:
    assert codes(*CONVERSATION, hints=SpeakerHints(at_least=3)) == ["fewer_speakers"]


@given(segments(), turns)
def test_each_doubt_is_told_once_and_none_without_speech(
    heard: tuple[Segment, ...], held: tuple[SpeakerTurn, ...]
) -> None:
    found = [notice.code for notice in speaker_doubts(heard, held, SpeakerHints(), MIXED)]
    assert len(found) == len(set(found))
    assert not list(speaker_doubts((), (), SpeakerHints(exact=3), DISTINCT))
