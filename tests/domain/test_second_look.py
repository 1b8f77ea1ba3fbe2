from dataclasses import replace

import pytest
from hypothesis import given

from domain.second_look import AGREED, ALONE, LEAST, Voice, moved, second_look, stretches
from domain.span import Span
from domain.transcript import Alternative, Segment, Word
from tests.bench.conversations import Setting, Voices, confused, second_looks, share_wrong, simulate
from tests.domain.speech import segments

A, B = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
CENTROIDS: dict[str, Voice] = {"a": A, "b": B}


def a_sentence(
    *, speaker: str | None = "a", agreed: bool = False, overlap: tuple[bool, bool] = (False, False)
) -> Segment:
    others = (Alternative("b", 0.3),) if agreed else ()
    words = tuple(
        Word(span=Span(at, at + 900), text="word", speaker=speaker, alternatives=others, overlap=overlap[at // 1000])
        for at in (0, 1000)
    )
    return Segment(span=Span(0, 1900), text="word word", words=words, speaker=speaker)


def a_voice(nearer: float) -> Voice:
    """Nearer to b than to a by this difference of cosines; most of it is like neither."""
    return (0.2, 0.2 + nearer, (1 - 0.2**2 - (0.2 + nearer) ** 2) ** 0.5)


@pytest.mark.parametrize(
    ("nearer", "agreed", "moves"),
    [(ALONE + 0.01, False, True), (ALONE - 0.01, False, False), (AGREED + 0.01, True, True),
     (AGREED - 0.01, True, False), (-0.1, True, False)],
)  # fmt: skip
def test_a_sentence_moves_by_a_margin_or_with_agreement(nearer: float, *, agreed: bool, moves: bool) -> None:
    move = second_look(a_sentence(agreed=agreed), a_voice(nearer), CENTROIDS)
    assert (move is not None) is moves
    if move:
        assert (move.span, move.before, move.after) == (Span(0, 1900), "a", "b")
        assert move.margin == pytest.approx(nearer)


def test_a_sentence_that_nobody_was_near_goes_to_the_voice_that_stands_out() -> None:
    move = second_look(a_sentence(speaker=None), a_voice(0.3), CENTROIDS)
    assert move
    assert (move.before, move.after) == (None, "b")
    assert second_look(a_sentence(speaker=None), a_voice(0.1), CENTROIDS) is None


def test_a_speaker_without_a_voice_keeps_what_they_have() -> None:
    assert second_look(a_sentence(speaker="c"), B, CENTROIDS) is None


def test_a_voice_of_nothing_moves_nothing() -> None:
    assert second_look(a_sentence(), (0.0, 0.0, 0.0), CENTROIDS) is None


def test_moved_words_keep_what_the_turns_said_as_an_alternative() -> None:
    segment = moved(a_sentence(agreed=True), "b")
    assert segment.speaker == "b"
    assert [word.speaker for word in segment.words] == ["b", "b"]
    assert segment.words[0].alternatives == (Alternative("a", 0.7),)


def test_overlapped_words_are_not_listened_to_and_the_doubtful_come_first() -> None:
    half = a_sentence(overlap=(True, False))
    later = a_sentence(agreed=True)
    assert [found.span for found in stretches([[half]])] == []
    found = stretches([[a_sentence(), half], [later]])
    assert [(one.track, one.segment, one.doubtful) for one in found] == [(1, 0, True), (0, 0, False)]


@given(segments())
def test_only_stretches_of_one_speaker_that_are_long_enough_are_listened_to(heard: tuple[Segment, ...]) -> None:
    for stretch in stretches([heard]):
        assert stretch.span.duration >= LEAST
        assert stretch.span.clamp(heard[stretch.segment].span) == stretch.span


@pytest.mark.parametrize(("mixed_up", "least", "most"), [(0.0, 0.0, 1.02), (0.15, 0.02, 0.35)])
def test_sentences_on_the_wrong_speaker_come_right_and_right_ones_stay(
    mixed_up: float, least: float, most: float
) -> None:
    before, after = 0.0, 0.0
    for seed in range(300, 304):
        spoken, turns = simulate(seed, Setting(minutes=8))
        first, second, _ = second_looks(spoken, confused(turns, seed, share=mixed_up), Voices(spoken, seed))
        before, after = before + share_wrong(spoken, first), after + share_wrong(spoken, second)
    assert before / 4 >= least
    assert after <= most * before


def test_a_move_changes_no_word_but_for_its_speaker() -> None:
    before, after = a_sentence(), moved(a_sentence(), "b")
    stripped = [replace(word, speaker="a", alternatives=()) for word in after.words]
    assert stripped == list(before.words)
