"""Scores by rapidfuzz (which jiwer counts with), pyannote.metrics and an optimal assignment of speakers.

It must not import its vendors before the first score: they belong to the `bench` extra.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from application.ports.scoring import Forgiveness, Scorer
from domain.errors import EngineUnavailable
from domain.scoring import Line, Rate, Reference, Scores, plain_words
from domain.span import to_seconds
from domain.speaker import SpeakerTurn
from domain.stage import StageName, StageStatus
from domain.transcript import Transcript, Word

if TYPE_CHECKING:
    from pyannote.core import Annotation

NOBODY = ""
Words = tuple[str, ...]


class MetricsScorer(Scorer):
    """Measures words by edit distance, turns by pyannote.metrics."""

    def prepare(self) -> None:
        """Import the vendors."""
        try:
            import pyannote.metrics.diarization  # noqa: F401 - to see whether it is there
            import rapidfuzz.distance  # noqa: F401 - as above
        except ImportError as exc:
            missing = exc.name or "a package"
            raise EngineUnavailable(f"{missing} is not installed: pip install --editable '.[bench]'") from exc

    def score(self, reference: Reference, transcript: Transcript, forgiveness: Forgiveness) -> Scores:
        """Score what both sides say something about."""
        self.prepare()
        lines = sorted(reference.lines, key=lambda line: line.span.start if line.span else 0)
        words = _in_order(transcript)
        # A diarizer that ran and found nobody has missed everybody; one that did not run is not to be judged.
        told_apart = any(
            stage.name is StageName.DIARIZATION and stage.status is not StageStatus.FAILED
            for stage in transcript.stages
        )
        wer = cpwer = None
        if lines:
            said = plain_words(" ".join(line.text for line in lines))
            wer = Rate(_distance(said, plain_words(" ".join(text for _, text in words))), len(said))
            if any(line.speaker for line in lines) and (told_apart or any(speaker for speaker, _ in words)):
                cpwer = Rate(_least(_by_speaker(lines), _by_speaker(_as_lines(words))), len(said))
        if not (reference.turns and (told_apart or transcript.turns)):
            return Scores(wer=wer, cpwer=cpwer)
        der, jer = _diarization(reference.turns, transcript, forgiveness)
        return Scores(wer=wer, cpwer=cpwer, der=der, jer=jer)


def _in_order(transcript: Transcript) -> list[tuple[str | None, str]]:
    said = [
        (word.span, word.speaker, word.text)
        for segment in transcript.segments
        for word in segment.words or [Word(span=segment.span, text=segment.text, speaker=segment.speaker)]
    ]
    return [(speaker, text) for _, speaker, text in sorted(said, key=lambda one: one[0])]


def _as_lines(words: Iterable[tuple[str | None, str]]) -> list[Line]:
    return [Line(text=text, speaker=speaker) for speaker, text in words]


def _by_speaker(lines: Iterable[Line]) -> list[Words]:
    texts: dict[str, list[str]] = {}
    for line in lines:
        texts.setdefault(line.speaker or NOBODY, []).append(line.text)
    return [plain_words(" ".join(parts)) for parts in texts.values()]


def _least(said: Sequence[Words], heard: Sequence[Words]) -> float:
    """Count the errors under the best one-to-one mapping; who is left over is all deletions or insertions."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    size = max(len(said), len(heard))
    rows, columns = ([*side, *[()] * (size - len(side))] for side in (said, heard))
    costs = np.array([[_distance(row, column) for column in columns] for row in rows])
    return float(costs[linear_sum_assignment(costs)].sum())


def _distance(said: Words, heard: Words) -> int:
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(said, heard))


def _diarization(truth: Sequence[SpeakerTurn], found: Transcript, forgiveness: Forgiveness) -> tuple[Rate, Rate]:
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

    whole = Timeline([Segment(0.0, to_seconds(found.media.decoded))])
    sides = _annotation(truth), _annotation(found.turns)
    # pyannote takes the whole width of a collar, half of it to each side.
    rate = DiarizationErrorRate(collar=2 * to_seconds(forgiveness.collar), skip_overlap=forgiveness.skip_overlap)
    parts = rate(*sides, uem=whole, detailed=True)
    wrong = sum(parts[name] for name in ("missed detection", "false alarm", "confusion"))
    jaccard = JaccardErrorRate()(*sides, uem=whole, detailed=True)  # type: ignore[no-untyped-call]
    return (
        Rate(round(wrong, 6), round(parts["total"], 6)),
        Rate(round(jaccard["speaker error"], 6), jaccard["speaker count"]),
    )


def _annotation(turns: Iterable[SpeakerTurn]) -> "Annotation":
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(to_seconds(turn.span.start), to_seconds(turn.span.end)), number] = turn.speaker
    return annotation
