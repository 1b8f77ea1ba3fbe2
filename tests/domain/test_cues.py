from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cue_rules import BBC, DEFAULT, NETFLIX, Cue, CueRules, Violation, violations
from domain.cues import cues
from domain.lines import even_lines, width
from domain.span import Span
from domain.timing import spelled
from domain.transcript import Segment, Word
from tests.domain.speech import segments

rules = st.sampled_from([DEFAULT, NETFLIX, BBC, CueRules(max_line_chars=16, max_lines=3, split_on_speaker=False)])


def a_segment(text: str, start: int, end: int, speaker: str | None = None) -> Segment:
    span = Span(start, end)
    said = tuple(
        Word(span=word.span, text=word.text, speaker=speaker, glued=word.glued) for word in spelled(text, span)
    )
    return Segment(span=span, text=text, words=said, speaker=speaker)


def shown(*said: Segment, rules: CueRules = DEFAULT) -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues(said, rules)]


@given(segments(), rules)
def test_every_word_is_shown_once(said: tuple[Segment, ...], kept: CueRules) -> None:
    written = "".join(line for cue in cues(said, kept) for line in cue.lines)
    spoken = "".join(word.text for segment in said for word in segment.words) + "".join(
        segment.text for segment in said if not segment.words
    )
    assert sorted(written.replace(" ", "")) == sorted(spoken.replace(" ", ""))


@given(segments(), rules)
def test_cues_are_in_order_apart_and_last(said: tuple[Segment, ...], kept: CueRules) -> None:
    made = cues(said, kept)
    assert all(cue.span.duration > 0 for cue in made)
    assert all(later.span.start - cue.span.end >= kept.min_gap for cue, later in pairwise(made))
    assert {violation.rule for violation in violations(made, kept)} <= {"min_duration", "max_cps"}


@given(segments(), st.integers(0, 9_999))
def test_shifting_the_words_shifts_the_cues(said: tuple[Segment, ...], by: int) -> None:
    later = tuple(
        Segment(
            span=segment.span.shift(by), text=segment.text, speaker=segment.speaker,
            words=tuple(Word(span=word.span.shift(by), text=word.text, speaker=word.speaker) for word in segment.words),
        )
        for segment in said
    )  # fmt: skip
    assert [(cue.span, cue.lines) for cue in cues(later)] == [(cue.span.shift(by), cue.lines) for cue in cues(said)]


def test_a_sentence_that_fits_is_one_cue_on_even_lines() -> None:
    said = a_segment("At least you know, they all call me a Yankee down here, so what can I say?", 0, 4500)
    assert shown(said) == [("At least you know, they all call me a", "Yankee down here, so what can I say?")]


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    text = (
        "The quick brown fox jumps over the lazy dog while nobody looks at all, "
        "and then it goes home to sleep until the morning comes around again."
    )
    assert shown(a_segment(text, 0, 9000)) == [
        ("The quick brown fox jumps over the", "lazy dog while nobody looks at all,"),
        ("and then it goes home to sleep until", "the morning comes around again."),
    ]


def test_a_long_sentence_without_marks_is_cut_evenly() -> None:
    text = " ".join(["seven"] * 20)
    assert [len(" ".join(lines).split()) for lines in shown(a_segment(text, 0, 8000))] == [10, 10]


def test_sentences_get_cues_of_their_own_but_for_a_brief_last_one() -> None:
    first, second = a_segment("I was there.", 0, 1200), a_segment("So were you. Yes.", 1250, 2900)
    assert shown(first, second) == [("I was there.",), ("So were you. Yes.",)]


def test_cues_end_with_their_speaker_and_at_pauses() -> None:
    said = a_segment("so then", 0, 800, "a"), a_segment("no", 800, 1200, "b"), a_segment("well yes", 2300, 3000, "b")
    assert shown(*said) == [("so then",), ("no",), ("well yes",)]
    together = cues(said[:2], CueRules(split_on_speaker=False))
    assert [(cue.lines, cue.speaker) for cue in together] == [(("so then no",), None)]


def test_short_cues_last_longer_only_while_the_screen_is_free() -> None:
    made = cues([a_segment("Yes.", 0, 200, "a"), a_segment("No.", 700, 900, "b")])
    assert [(cue.span.start, cue.span.end) for cue in made] == [(0, 620), (700, 1700)]
    assert violations(made, DEFAULT) == (Violation(0, "min_duration"),)


def test_people_who_talk_at_once_are_shown_one_after_the_other() -> None:
    made = cues([a_segment("one two three four", 0, 4000, "a"), a_segment("five six", 200, 900, "b")])
    assert [(cue.lines, cue.span.start) for cue in made] == [(("one two three four",), 0), (("five six",), 1000)]


def test_full_width_text_is_cut_between_characters_and_counts_double() -> None:
    text = "今天天气很好，我们一起去公园散步吧，然后去吃午饭，下午再去看电影，晚上回家休息。"  # noqa: RUF001
    made = shown(Segment(span=Span(0, 9000), text=text))
    assert "".join(line for lines in made for line in lines) == text
    assert all(width(line) <= 42 for lines in made for line in lines)
    assert all(line[0] not in "，。" for lines in made for line in lines)  # noqa: RUF001 - what must not start a line


def test_right_to_left_text_is_kept_in_logical_order() -> None:
    text = "שלום לכולם, אני שמח להיות כאן היום עם כל החברים הטובים שלי."
    assert " ".join(shown(a_segment(text, 0, 4000))[0]) == text


@pytest.mark.parametrize("limit", [5, 12, 42])
def test_a_word_that_is_too_wide_overflows_alone(limit: int) -> None:
    words = spelled("see https://example.org/a/very/long/path/that/never/ends/at/all for it", Span(0, 4000))
    lines = even_lines(words, limit)
    assert [line for line in lines if width(line) > limit] == [
        "https://example.org/a/very/long/path/that/never/ends/at/all"
    ]


def test_violations_name_the_rule() -> None:
    made = [
        Cue(span=Span(0, 100), lines=("x" * 43, "y", "z")),
        Cue(span=Span(150, 7000), lines=("fine",)),
    ]
    assert {(found.cue, found.rule) for found in violations(made, DEFAULT)} == {
        (0, "max_line_chars"), (0, "max_lines"), (0, "min_duration"), (0, "max_cps"), (0, "min_gap"),
        (1, "max_duration"),
    }  # fmt: skip
