"""Makes one answer of what a pipeline heard in the blocks of a recording: speakers linked, turns in its time.

It must not run anything: it is arithmetic on what was heard.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adapters.diarization.people import Voices, linked, pooled
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adapters.diarization.pyannote_pipeline import Heard

    Found = Sequence[tuple[Span, "Heard"]]


def joined(found: "Found", least: int, most: int) -> Diarization:
    """Number the people over all blocks, at least `least` and at most `most` where that can be, and shift the turns."""
    people: list[NDArray[np.int64]]
    if len(found) == 1:  # what the pipeline said stands, whatever the centroids say
        people = [np.arange(len(found[0][1].centroids))]
    else:
        people = linked([_voices(heard) for _, heard in found], least, most)
    turns = tuple(
        sorted(_shifted((block, heard.turns, who) for (block, heard), who in zip(found, people, strict=True)))
    )
    exclusive = tuple(
        sorted(_shifted((block, heard.exclusive, who) for (block, heard), who in zip(found, people, strict=True)))
    )
    return Diarization(turns=turns, exclusive=exclusive, centroids=tuple(_centroids(found, people)))


def _voices(heard: "Heard") -> Voices:
    weights = np.zeros(len(heard.centroids))
    for span, speaker in heard.exclusive:
        weights[speaker] += span.duration
    return Voices(heard.centroids, np.maximum(weights, 1.0))


def _shifted(
    parts: "Iterator[tuple[Span, tuple[tuple[Span, int], ...], NDArray[np.int64]]]",
) -> Iterator[SpeakerTurn]:
    for block, turns, who in parts:
        for span, speaker in turns:
            yield SpeakerTurn(span.shift(block.start), _label(int(who[speaker])))


def _centroids(found: "Found", people: "list[NDArray[np.int64]]") -> Iterator[tuple[str, tuple[float, ...]]]:
    voices = [_voices(heard) for _, heard in found]
    for person in sorted({int(number) for who in people for number in who}):
        centroid = voices[0].centroids[person] if len(found) == 1 else pooled(voices, people, person)
        if centroid.any():
            yield _label(person), tuple(centroid.tolist())


def _label(person: int) -> str:
    return f"spk_{person + 1}"
