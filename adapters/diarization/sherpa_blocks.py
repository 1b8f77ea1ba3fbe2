"""A recording as blocks that are diarized on their own, and their speakers linked by their voices.

It must not hold more than one block: of the others it keeps turns, and one voice a speaker.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from adapters.diarization.people import Vectors, Voices, linked, pooled
from adapters.diarization.sherpa_networks import Sound, Turn, Voice
from adapters.pcm import SAMPLES_PER_MS, samples
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn, exclusive_turns

_ENOUGH = 60_000
"""ms of a speaker's turns in a block that its voice is made of: more changes nothing, and costs."""
_PIECE = 3_000
"""ms; where the networks hear fewer people than there are, turns are cut to this and told apart anew."""
_SHORTEST = 300
"""ms; of less there is no voice."""
_MANY = 1_000
"""Pieces that are compared with each other; the others go to the voice that they are nearest to."""
_BLOCKS = 0.9
"""Share of the work; the rest is for the voices of pieces, where they are needed."""


class Listener(Protocol):
    """What is needed of the networks."""

    def turns(self, sound: Sound, speakers: int | None, told: ProgressSink) -> list[Turn]:
        """Tell who speaks when in `sound`."""

    @property
    def nobody(self) -> Voice:
        """Give the voice of nobody: zeros."""

    def voice(self, sound: Sound) -> Voice | None:
        """Tell what the voice in `sound` is like."""


def diarized(
    audio: DecodedAudio,
    blocks: Sequence[Span],
    networks: Listener,
    bounds: tuple[int, int],
    on_progress: ProgressSink,
) -> Diarization:
    """Find the speakers of each block and link them; `bounds` are the fewest and the most of them."""
    found: list[tuple[list[Turn], Voices]] = []
    exact = bounds[0] if bounds[0] == bounds[1] and len(blocks) == 1 else None
    for number, block in enumerate(blocks):
        part = _part(on_progress, number, len(blocks))
        sound = samples(audio, block)
        heard = networks.turns(sound, exact, part)
        ranks = {speaker: rank for rank, speaker in enumerate(sorted({speaker for _, speaker in heard}))}
        placed = [(span.shift(block.start), ranks[speaker]) for span, speaker in heard]
        found.append((placed, _voices(networks, sound, heard)))
        part(1.0)
    voices = [known for _, known in found]
    people = linked(voices, *bounds)
    turns = [
        (span, int(numbers[rank])) for (placed, _), numbers in zip(found, people, strict=True) for span, rank in placed
    ]
    count = len({person for _, person in turns})
    if 0 < count < bounds[0]:
        return _answer(*_split(audio, turns, networks, bounds[0], on_progress))
    return _answer(turns, [pooled(voices, people, person) for person in range(count)])


def _answer(turns: Sequence[Turn], voices: Sequence[Vectors]) -> Diarization:
    """Name the speakers as they come; who has no voice has no centroid."""
    labels: dict[int, str] = {}
    for _, number in sorted(turns):
        labels.setdefault(number, f"spk_{len(labels) + 1}")
    named = tuple(sorted(SpeakerTurn(span, labels[number]) for span, number in turns))
    centroids = tuple(
        (label, tuple(map(float, voices[number]))) for number, label in labels.items() if voices[number].any()
    )
    return Diarization(turns=named, exclusive=exclusive_turns(named), centroids=centroids)


def _part(on_progress: ProgressSink, number: int, of: int) -> ProgressSink:
    return lambda done: on_progress(_BLOCKS * (number + done) / of)


def _voices(networks: Listener, sound: Sound, turns: Sequence[Turn]) -> Voices:
    """Give each speaker's voice, in the order of the numbers: the mean of the longest stretches without anybody else.

    Who never speaks alone is known by what there is; of whom there is too little has zeros for a voice.
    """
    alone: dict[int, list[Span]] = {speaker: [] for _, speaker in sorted(turns, key=lambda turn: turn[1])}
    for turn in exclusive_turns(SpeakerTurn(span, str(speaker)) for span, speaker in turns):
        alone[int(turn.speaker)].append(turn.span)
    centroids: list[Voice] = []
    for speaker, spans in alone.items():
        clear = [span for span in spans if span.duration >= _SHORTEST]
        centroid, listened = networks.nobody, 0
        for span in sorted(clear or [span for span, of in turns if of == speaker], key=lambda part: -part.duration):
            voice = networks.voice(sound[span.start * SAMPLES_PER_MS : span.end * SAMPLES_PER_MS])
            if voice is not None:
                centroid = centroid + voice * span.duration
                listened += span.duration
            if listened >= _ENOUGH:
                break
        centroids.append(centroid)
    spoken = [float(sum(span.duration for span, of in turns if of == speaker)) for speaker in alone]
    return Voices(np.array(centroids, np.float64).reshape(len(alone), len(networks.nobody)), np.array(spoken))


def _split(
    audio: DecodedAudio, turns: Sequence[Turn], networks: Listener, people: int, on_progress: ProgressSink
) -> tuple[list[Turn], list[Vectors]]:
    """Cut the turns to pieces and tell those apart, where there are more people than the networks hear."""
    from scipy.cluster.hierarchy import cut_tree, linkage

    spans = [
        Span(start, min(start + _PIECE, span.end))
        for span, _ in turns
        for start in range(span.start, span.end - _SHORTEST + 1, _PIECE)
    ]
    heard: list[tuple[Span, Voice]] = []
    for number, span in enumerate(spans, 1):
        if (voice := networks.voice(samples(audio, span))) is not None:
            heard.append((span, voice))
        on_progress(_BLOCKS + (1 - _BLOCKS) * number / len(spans))
    if len(heard) < people:  # there is too little speech for that many
        return [(span, number) for number, (span, _) in enumerate(heard)], [
            voice.astype(np.float64) for _, voice in heard
        ]
    rows = np.array([voice for _, voice in heard], np.float64)
    longest = sorted(range(len(heard)), key=lambda place: -heard[place][0].duration)[:_MANY]
    group = cut_tree(linkage(rows[longest], "ward"), n_clusters=people)[:, 0]
    means = Voices(np.array([rows[longest][group == one].sum(axis=0) for one in range(people)]), np.ones(people))
    nearest = (rows @ means.directions.T).argmax(axis=1)
    nearest[longest] = group
    return [(span, int(of)) for (span, _), of in zip(heard, nearest, strict=True)], list(means.directions)
