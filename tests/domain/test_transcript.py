from hypothesis import given

from domain.span import Span
from domain.transcript import Segment, Transcript, Word, join_words
from tests.domain.speech import LABELS, a_transcript, transcripts


def word(text: str, *, glued: bool = False) -> Word:
    return Word(span=Span(0, 1), text=text, glued=glued)


def test_words_join_with_spaces_but_for_glued_ones() -> None:
    assert join_words([word("so,"), word("then")]) == "so, then"
    assert join_words([word("你", glued=True), word("好。", glued=True), word("ok")]) == "你好。 ok"
    assert join_words([]) == ""


def test_the_full_text_leaves_out_silent_segments() -> None:
    said = tuple(Segment(span=Span(0, 1), text=text) for text in ("One.", "", "Two."))
    assert a_transcript(said).full_text == "One. Two."


@given(transcripts())
def test_renaming_there_and_back_changes_nothing(transcript: Transcript) -> None:
    names = {label: f"name of {label}" for label in LABELS}
    there = transcript.renamed(names)
    assert {turn.speaker for turn in there.turns} <= set(names.values())
    assert {segment.speaker for segment in there.segments} <= {*names.values(), None}
    assert there.renamed({name: label for label, name in names.items()}) == transcript


@given(transcripts())
def test_renaming_may_swap(transcript: Transcript) -> None:
    swapped = transcript.renamed({"anna": "bert", "bert": "anna"})
    expected = {"anna": "bert", "bert": "anna"}
    assert [word.speaker for word in swapped.words] == [
        expected.get(word.speaker or "", word.speaker) for word in transcript.words
    ]
