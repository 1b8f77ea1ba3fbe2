"""Speakers who are known by a sample of their voice: laid behind the recording, and found again in its turns."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn

MAX_KNOWN_SPEAKERS = 10
"""Each sample is diarized with the recording; OpenAI takes four."""
MAX_NAME = 64
PAUSE = 1_000
"""ms of silence before each sample, so that no turn runs on into it."""
_HEARD = 0.5
"""The part of a sample's turns that one speaker must have to be the one in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpeaker:
    """Somebody to look for: `sample` is the clip in which nobody else speaks."""

    name: str
    sample: UUID


def places(duration: int, samples: Sequence[int]) -> tuple[Span, ...]:
    """Where samples of these lengths lie when they follow a recording, each after a pause; all in ms.

    >>> places(5_000, [2_000, 3_000])
    (Span(start=6000, end=8000), Span(start=9000, end=12000))
    """
    spans, end = [], duration
    for length in samples:
        spans.append(Span(end + PAUSE, end + PAUSE + length))
        end = spans[-1].end
    return tuple(spans)


def recognise(
    diarization: Diarization, duration: int, samples: Sequence[tuple[str, Span]]
) -> tuple[Diarization, tuple[str, ...]]:
    """Cut the samples off again, and name the speakers who were heard in them; with a sentence for each that fails.

    A sample names the speaker who has most of the turns in it. Two samples of one speaker name nobody: the voices could
    not be told apart.
    """
    heard = {name: _speaker_in(diarization.turns, span) for name, span in samples}
    votes = Counter(label for label in heard.values() if label is not None)
    names, problems = [], []
    for name, label in heard.items():
        if label is None:
            problems.append(f"no single voice was found in the sample of {name}")
        elif votes[label] > 1:
            problems.append(f"the voice of {name} could not be told from another sample's")
        else:
            names.append((label, name))
    recording = Span(0, duration)
    kept = replace(
        diarization, turns=_inside(diarization.turns, recording), exclusive=_inside(diarization.exclusive, recording)
    )
    talking = set(kept.speakers)
    return (
        replace(
            kept,
            centroids=tuple(pair for pair in kept.centroids if pair[0] in talking),
            names=tuple(pair for pair in names if pair[0] in talking),
        ),
        tuple(problems),
    )


def _speaker_in(turns: Sequence[SpeakerTurn], sample: Span) -> str | None:
    time = Counter[str]()
    for turn in turns:
        time[turn.speaker] += turn.span.overlap(sample)
    label, most = next(iter(time.most_common(1)), ("", 0))
    return label if most and most >= _HEARD * time.total() else None


def _inside(turns: Sequence[SpeakerTurn], whole: Span) -> tuple[SpeakerTurn, ...]:
    return tuple(SpeakerTurn(turn.span.clamp(whole), turn.speaker) for turn in turns if turn.span.overlap(whole))
