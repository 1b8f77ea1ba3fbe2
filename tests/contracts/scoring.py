"""What every scorer promises. Bindings give `scorer`."""

from dataclasses import replace

from application.ports.scoring import Forgiveness, Scorer
from domain.scoring import Line, Rate, Reference
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.stage import Stage, StageName, StageStatus
from domain.transcript import Segment, Transcript, Word
from tests.contracts.suite import Suite
from tests.domain.speech import a_transcript

STRICT = Forgiveness()
SAID = (
    ("ann", 0, 2_000, "Good morning, Bob!"),
    ("bob", 2_000, 4_000, "Hello Ann."),
    ("ann", 4_000, 8_000, "Shall we begin?"),
)
"""Eight words and eight seconds."""
REFERENCE = Reference(
    lines=tuple(Line(text=text, span=Span(start, end), speaker=who) for who, start, end, text in SAID),
    turns=tuple(SpeakerTurn(Span(start, end), who) for who, start, end, _ in SAID),
)


def transcript(*said: tuple[str | None, int, int, str]) -> Transcript:
    """Segments whose words share their time evenly, and turns to match."""
    segments = []
    for who, start, end, text in said:
        parts = text.split()
        step = (end - start) // len(parts)
        words = tuple(
            Word(span=Span(start + step * n, start + step * (n + 1)), text=part, speaker=who)
            for n, part in enumerate(parts)
        )
        segments.append(Segment(span=Span(start, end), text=text, words=words, speaker=who))
    return a_transcript(
        tuple(segments), tuple(SpeakerTurn(Span(start, end), who) for who, start, end, _ in said if who)
    )


def changed(number: int, **fields: object) -> Transcript:
    """What was said, with one line changed."""
    names = ("who", "start", "end", "text")
    rows = [dict(zip(names, row, strict=True)) for row in SAID]
    rows[number].update(fields)
    return transcript(*(tuple(row[name] for name in names) for row in rows))  # type: ignore[arg-type]


class ScorerContract(Suite):
    """See the port, `application.ports.scoring`."""

    def test_the_truth_is_without_error_whatever_its_speakers_are_called(self, scorer: Scorer) -> None:
        found = transcript(*SAID).renamed({"ann": "spk_1", "bob": "ann"})
        scores = scorer.score(REFERENCE, found, STRICT)
        assert (scores.wer, scores.cpwer) == (Rate(0, 8), Rate(0, 8))
        assert scores.der == Rate(0, 8)
        assert scores.jer == Rate(0, 2)

    def test_case_and_punctuation_do_not_count(self, scorer: Scorer) -> None:
        found = changed(0, text="good Morning bob")
        assert scorer.score(REFERENCE, found, STRICT).wer == Rate(0, 8)

    def test_substitutions_deletions_and_insertions_count_one_each(self, scorer: Scorer) -> None:
        for text, errors in (("Good morning Rob", 1), ("Good Bob", 1), ("Good good morning dear Bob", 2)):
            scores = scorer.score(REFERENCE, changed(0, text=text), STRICT)
            assert scores.wer == scores.cpwer == Rate(errors, 8)

    def test_a_line_of_the_wrong_speaker_costs_its_words_twice_and_its_time_once(self, scorer: Scorer) -> None:
        scores = scorer.score(REFERENCE, changed(1, who="ann"), STRICT)
        assert scores.wer == Rate(0, 8)
        assert scores.cpwer == Rate(4, 8)
        assert scores.der == Rate(2, 8)
        assert scores.jer is not None
        assert round(scores.jer.value, 3) == round((2 / 8 + 1) / 2, 3)

    def test_each_speaker_answers_to_one_alone(self, scorer: Scorer) -> None:
        scores = scorer.score(REFERENCE, changed(2, who="carol"), STRICT)
        assert scores.cpwer == Rate(6, 8)
        assert scores.der == Rate(2, 8), "ann is mapped to whoever holds more of her time"

    def test_words_of_nobody_are_a_speaker_of_their_own(self, scorer: Scorer) -> None:
        found = changed(1, who=None)
        assert scorer.score(REFERENCE, found, STRICT).cpwer == Rate(0, 8)

    def test_a_collar_forgives_edges_and_no_more(self, scorer: Scorer) -> None:
        found = changed(1, start=2_200)
        assert scorer.score(REFERENCE, found, STRICT).der == Rate(0.2, 8)
        forgiven = scorer.score(REFERENCE, found, Forgiveness(collar=250)).der
        assert forgiven is not None
        assert forgiven.errors == 0
        assert scorer.score(REFERENCE, found, Forgiveness(collar=100)).der != Rate(0, 8)

    def test_overlapping_speech_is_left_out_where_asked(self, scorer: Scorer) -> None:
        over = replace(REFERENCE, turns=(*REFERENCE.turns, SpeakerTurn(Span(500, 1_500), "bob")))
        assert scorer.score(over, transcript(*SAID), STRICT).der == Rate(1, 9)
        skipped = scorer.score(over, transcript(*SAID), Forgiveness(skip_overlap=True)).der
        assert skipped is not None
        assert (skipped.errors, skipped.total) == (0, 7)

    def test_what_is_not_known_is_not_scored(self, scorer: Scorer) -> None:
        words = scorer.score(Reference(lines=(Line(text="Good morning"),)), transcript(*SAID), STRICT)
        assert (words.wer, words.cpwer, words.der, words.jer) == (Rate(6, 2), None, None, None)
        turns = scorer.score(Reference(turns=REFERENCE.turns), transcript(*SAID), STRICT)
        assert (turns.wer, turns.der) == (None, Rate(0, 8))
        nobody = scorer.score(REFERENCE, transcript(*((None, *row[1:]) for row in SAID)), STRICT)
        assert (nobody.wer, nobody.cpwer, nobody.der) == (Rate(0, 8), None, None)

    def test_a_diarizer_that_found_nobody_has_missed_everybody(self, scorer: Scorer) -> None:
        ran = Stage(name=StageName.DIARIZATION, status=StageStatus.SKIPPED, reason="there is no speech")
        scores = scorer.score(REFERENCE, replace(transcript(), stages=(ran,)), STRICT)
        assert [rate and rate.value for rate in (scores.wer, scores.cpwer, scores.der, scores.jer)] == [1, 1, 1, 1]
        failed = replace(ran, status=StageStatus.FAILED)
        unknown = scorer.score(REFERENCE, replace(transcript(), stages=(failed,)), STRICT)
        assert (unknown.cpwer, unknown.der, unknown.jer) == (None, None, None)
