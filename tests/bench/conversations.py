"""Conversations with known speakers: a seeded simulator, and the reference call of the optional speech folder.

The simulator: six speakers; turns of exponential length; words of about 280 ms; sentences of ten words on average, and
every sentence ends with a mark, as from a recogniser with punctuation, but for a share of missing ones; a share of
turns begins before the last one has ended. Where two talk at once a recogniser hears one of them, for the whole of that
overlap, or else both, word by word in order of time. Word edges and turn edges are then off by Gaussian errors.
"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from domain.attribution import attribute
from domain.regrouping import regroup
from domain.second_look import moved, second_look, stretches
from domain.span import Span, to_ms
from domain.speaker import SpeakerTurn, exclusive_turns
from domain.timing import spelled
from domain.transcript import Segment, Word, join_words

SPEAKERS = 6
_MARKED = 0.1
"""Share of the words that end a sentence."""
_SAME_TIME = 0.3
"""Share of the shorter word that must coincide for two words to be said at once."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and who said it."""

    word: Word
    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a conversation goes; durations in ms."""

    minutes: int = 12
    mean_turn: float = 5_000
    early: float = 0.1
    mean_overlap: float = 1_000
    word_jitter: float = 80
    turn_jitter: float = 150
    missed_marks: float = 0.0
    both_heard: bool = False


@dataclass(slots=True)
class _Said:
    start: float
    end: float
    speaker: str
    utterance: int
    text: str = "word"


def simulate(seed: int, setting: Setting) -> tuple[list[Spoken], tuple[SpeakerTurn, ...]]:
    """Return what a recogniser heard, and a diarizer's turns."""
    rng = random.Random(seed)
    said: list[_Said] = []
    exact: list[tuple[float, float, str]] = []
    speaker, began, ended, utterance = "", 0.0, 0.0, 0
    while ended < setting.minutes * 60_000:
        speaker = rng.choice([name for name in map(str, range(SPEAKERS)) if name != speaker])
        if said and rng.random() < setting.early:
            start = max(began + 200, ended - rng.expovariate(1 / setting.mean_overlap))
        else:
            start = ended + rng.expovariate(1 / 400)
        utterance += 1
        words = _utterance(rng, start, rng.expovariate(1 / setting.mean_turn), speaker, utterance)
        breaks = [0, *(at for at, (a, b) in enumerate(pairwise(words), 1) if b.start - a.end > 500), len(words)]
        exact += [(words[first].start, words[last - 1].end, speaker) for first, last in pairwise(breaks)]
        said += words
        if words[-1].end > ended:
            began, ended = start, words[-1].end
    said.sort(key=lambda one: one.start)
    heard = said if setting.both_heard else _one_voice(rng, said)
    spoken = [Spoken(_recognised(rng, one, setting), one.speaker) for one in heard]
    spoken.sort(key=lambda one: one.word.span.start)
    turns = tuple(SpeakerTurn(Span(max(0, round(start)), round(end)), name) for start, end, name in exact)
    return spoken, noisy(turns, rng.getrandbits(32), sigma=setting.turn_jitter)


def _utterance(rng: random.Random, start: float, length: float, speaker: str, utterance: int) -> list[_Said]:
    words: list[_Said] = []
    at = start
    while not words or at < start + length:
        words.append(_Said(at, at + max(80, rng.lognormvariate(5.5, 0.45)), speaker, utterance))
        at = words[-1].end
        if rng.random() < _MARKED:
            words[-1].text, at = "word.", at + rng.expovariate(1 / 350)
        elif rng.random() < 0.1:
            words[-1].text, at = "word,", at + rng.expovariate(1 / 150)
        else:
            at += rng.expovariate(1 / 30)
    words[-1].text = "word."
    return words


def _one_voice(rng: random.Random, said: Sequence[_Said]) -> list[_Said]:
    """Drop the words of whoever is not heard; for each two utterances that collide, chance picks the one that is."""
    heard: dict[tuple[int, int], int] = {}
    lost: set[int] = set()
    for index, one in enumerate(said):
        for later in range(index + 1, len(said)):
            other = said[later]
            if other.start >= one.end:
                break
            common = min(one.end, other.end) - other.start
            shorter = min(one.end - one.start, other.end - other.start)
            if one.utterance != other.utterance and common > _SAME_TIME * shorter:
                pair = (min(one.utterance, other.utterance), max(one.utterance, other.utterance))
                lost.add(index if heard.setdefault(pair, rng.choice(pair)) == other.utterance else later)
    return [one for index, one in enumerate(said) if index not in lost]


def _recognised(rng: random.Random, one: _Said, setting: Setting) -> Word:
    start, end = one.start + rng.gauss(0, setting.word_jitter), one.end + rng.gauss(0, setting.word_jitter)
    if end < start + 20:
        start, end = (start + end) / 2 - 10, (start + end) / 2 + 10
    missed = one.text != "word" and rng.random() < setting.missed_marks
    first = max(0, round(start))
    return Word(span=Span(first, max(first, round(end))), text="word" if missed else one.text)


def noisy(turns: Sequence[SpeakerTurn], seed: int, *, sigma: float) -> tuple[SpeakerTurn, ...]:
    """Move every edge by a Gaussian error; turns that vanish by it are gone."""
    rng = random.Random(seed)
    moved = [
        (max(0, round(turn.span.start + rng.gauss(0, sigma))), round(turn.span.end + rng.gauss(0, sigma)), turn.speaker)
        for turn in turns
    ]
    return tuple(sorted(SpeakerTurn(Span(start, end), speaker) for start, end, speaker in moved if end > start))


def confused(turns: Sequence[SpeakerTurn], seed: int, *, share: float) -> tuple[SpeakerTurn, ...]:
    """Give a share of the turns to another speaker, as a diarizer does that takes one voice for another."""
    rng = random.Random(seed)
    speakers = sorted({turn.speaker for turn in turns})
    return tuple(
        replace(turn, speaker=rng.choice([name for name in speakers if name != turn.speaker]))
        if rng.random() < share
        else turn
        for turn in turns
    )


class HasVoices(Protocol):
    """Where voices come from."""

    def of(self, *spans: Span) -> tuple[float, ...]:
        """The voice in these spans."""

    def centroids(self, turns: Sequence[SpeakerTurn]) -> dict[str, tuple[float, ...]]:
        """Each speaker's voice."""


class Voices:
    """Voices as vectors: each speaker's own, half of it common to all; what is heard is noisy, the shorter the more.

    With `noise` of 1.5 the cosine of three seconds to their own speaker is about 0.75, of one second 0.55.
    """

    def __init__(self, spoken: Sequence[Spoken], seed: int, *, noise: float = 1.5, dimension: int = 192) -> None:
        self._spoken = sorted(spoken, key=lambda one: one.word.span)
        self._starts = [one.word.span.start for one in self._spoken]
        self._rng = np.random.default_rng(seed)
        self._noise = noise
        common = self._direction(dimension)
        self._own = {
            name: np.sqrt(0.3) * common + np.sqrt(0.7) * self._direction(dimension)
            for name in sorted({one.speaker for one in spoken})
        }

    def of(self, *spans: Span) -> tuple[float, ...]:
        """The voice in these spans: the mean of those who speak there, by their times."""
        heard = np.zeros_like(next(iter(self._own.values())))
        seconds = 0.0
        for span in spans:
            first = max(0, bisect_left(self._starts, span.start) - 3)
            for one in self._spoken[first : bisect_left(self._starts, span.end)]:
                common = one.word.span.overlap(span) / 1000
                heard, seconds = heard + common * self._own[one.speaker], seconds + common
        if not seconds:
            return tuple(self._direction(len(heard)))
        return tuple(heard / seconds + self._noise / np.sqrt(seconds) * self._direction(len(heard)))

    def centroids(self, turns: Sequence[SpeakerTurn]) -> dict[str, tuple[float, ...]]:
        """The mean voice of each speaker's turns, whoever really speaks there."""
        return {
            name: self.of(*(turn.span for turn in turns if turn.speaker == name))
            for name in sorted({turn.speaker for turn in turns})
        }

    def _direction(self, dimension: int) -> NDArray[np.float64]:
        drawn = self._rng.normal(size=dimension)
        return drawn / np.linalg.norm(drawn)


def second_looks(
    spoken: Sequence[Spoken], turns: Sequence[SpeakerTurn], voices: HasVoices
) -> tuple[list[str | None], list[str | None], int]:
    """Return each word's speaker before and after a second look, and the number of sentences that moved."""
    words = attribute([one.word for one in spoken], exclusive_turns(turns), turns)
    sentences = regroup([Segment(span=words[0].span.hull(words[-1].span), text=join_words(words), words=words)])
    settled, centroids, moves = list(sentences), voices.centroids(turns), 0
    for stretch in stretches([sentences]):
        if move := second_look(sentences[stretch.segment], voices.of(stretch.span), centroids):
            settled[stretch.segment] = moved(sentences[stretch.segment], move.after)
            moves += 1
    before, after = ([word.speaker for part in parts for word in part.words] for parts in (sentences, settled))
    return before, after, moves


def share_wrong(spoken: Sequence[Spoken], labels: Sequence[str | None]) -> float:
    """Share of words on the wrong speaker (or none) under the best mapping: cpWER when every word is right."""
    truths = sorted({one.speaker for one in spoken})
    found = sorted({label for label in labels if label is not None})
    counts = np.zeros((len(truths), len(found)))
    for one, label in zip(spoken, labels, strict=True):
        if label is not None:
            counts[truths.index(one.speaker), found.index(label)] += 1
    rows, columns = linear_sum_assignment(-counts)
    return 1 - float(counts[rows, columns].sum()) / len(spoken)


def rttm_turns(path: Path) -> dict[str, tuple[SpeakerTurn, ...]]:
    """The reference turns of each recording in a file."""
    turns: dict[str, list[SpeakerTurn]] = {}
    for row in map(str.split, path.read_text().splitlines()):
        start, end = to_ms(float(row[3])), to_ms(float(row[3]) + float(row[4]))
        turns.setdefault(row[1], []).append(SpeakerTurn(Span(start, end), row[7]))
    return {name: tuple(sorted(held)) for name, held in turns.items()}


def telephone_turns(folder: Path) -> tuple[SpeakerTurn, ...]:
    """The reference turns of the call."""
    return rttm_turns(folder / "telephone.rttm")["telephone"]


def laid_over(turns: Sequence[SpeakerTurn], seed: int = 0) -> list[list[Spoken]]:
    """Made-up words for real turns, a line for each, heard as one voice: for references that have no words."""
    rng = random.Random(seed)
    said: list[_Said] = []
    for number, turn in enumerate(turns):
        at = float(turn.span.start)
        while not said or at < turn.span.end:
            end = min(turn.span.end, at + max(80, rng.lognormvariate(5.5, 0.45)))
            said.append(_Said(at, end, turn.speaker, number))
            at = end
            if rng.random() < _MARKED:
                said[-1].text = "word."
        said[-1].text, said[-1].end = "word.", turn.span.end
    lines: dict[int, list[Spoken]] = {}
    for one in _one_voice(rng, sorted(said, key=lambda one: one.start)):
        word = Word(span=Span(round(one.start), round(one.end)), text=one.text)
        lines.setdefault(one.utterance, []).append(Spoken(word, one.speaker))
    return sorted(lines.values(), key=lambda line: line[0].word.span)


def telephone_lines(folder: Path) -> list[list[Spoken]]:
    """The call's transcript, line by line; the words of a line are spread over its time by their lengths."""
    lines = []
    for row in (folder / "telephone.stm").read_text().splitlines():
        _, _, speaker, start, end, text = row.split(None, 5)
        words = spelled(text, Span(to_ms(float(start)), to_ms(float(end))))
        lines.append([Spoken(word, speaker) for word in words])
    return lines


def unmarked(spoken: Sequence[Spoken]) -> list[Spoken]:
    """The same words without their punctuation."""
    return [replace(one, word=replace(one.word, text=one.word.text.strip(".,?!"))) for one in spoken]
