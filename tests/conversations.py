"""Seeded conversations of synthetic voices that a classical method can tell apart, on disk; no real speech."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerTurn
from tests.media_files import BANDWIDTHS, RATE, VOWELS

PAUSE = (100, 400)
"""ms between two turns, at random."""


@dataclass(frozen=True)
class Voice:
    """Pitch in Hz, length of the mouth relative to a man's, and how dull the voice is, 0 to 1."""

    pitch: float
    mouth: float
    dullness: float


VOICES = (Voice(105, 1.0, 0.9), Voice(210, 0.82, 0.6), Voice(150, 0.92, 0.3))


@dataclass(frozen=True)
class Conversation:
    """A recording on disk, and who really speaks when; labels are the numbers of the voices."""

    audio: DecodedAudio
    turns: tuple[SpeakerTurn, ...]

    @property
    def speech(self) -> tuple[Span, ...]:
        return tuple(turn.span for turn in self.turns)


def conversation(path: Path, *, seconds: int, speakers: int, seed: int = 0) -> Conversation:
    """Let `speakers` voices take turns of 1.5 to 5 s, no two at once; each speaks early and never twice running."""
    chance = np.random.default_rng(seed)
    turns: list[SpeakerTurn] = []
    at = 0
    with path.open("wb") as file:
        while at < seconds * 1000:
            others = [
                number for number in range(speakers) if speakers == 1 or not turns or turns[-1].speaker != str(number)
            ]
            number = len(turns) if len(turns) < speakers else int(chance.choice(others))
            pause, length = int(chance.integers(*PAUSE)), int(chance.integers(1500, 5000))
            turns.append(SpeakerTurn(Span(at + pause, at + pause + length), str(number)))
            sound = np.concatenate([np.zeros(pause * RATE // 1000), _spoken(VOICES[number], length, chance)])
            noisy = sound + chance.normal(0, 0.002, len(sound))
            file.write((noisy.clip(-1, 1) * 32_767).astype("<i2").tobytes())
            at += pause + length
    return Conversation(DecodedAudio(path=path, duration=at), tuple(turns))


def _spoken(voice: Voice, length: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Vowels of 80 to 250 ms from a pulse train through three resonances, at random."""
    size = length * RATE // 1000
    sounds: list[NDArray[np.float64]] = []
    while sum(map(len, sounds)) < size:
        span = int(RATE * chance.uniform(0.08, 0.25))
        phase = np.cumsum(np.full(span, voice.pitch * chance.uniform(0.9, 1.1) / RATE))
        sound = np.diff(np.floor(phase), prepend=0) + chance.normal(0, 0.02, span)
        sound = lfilter([1.0], [1.0, -voice.dullness], sound)
        for formant, width in zip(VOWELS[chance.integers(len(VOWELS))], BANDWIDTHS, strict=True):
            radius = np.exp(-np.pi * width / RATE)
            angle = 2 * np.pi * formant / voice.mouth / RATE
            sound = lfilter([1.0 - radius], [1.0, -2 * radius * np.cos(angle), radius**2], sound)
        sounds.append(sound / (np.abs(sound).max() + 1e-9) * np.hanning(span) ** 0.25)
    return 0.3 * np.concatenate(sounds)[:size]
