"""Who said each word: words against turns, then settled by sentence; regrouping and rendering are done elsewhere.

A word's vote for a speaker follows from the share of it that the speaker's turns cover, summed over them. Where several
people talk all of them get votes, and whoever holds the exclusive track some more: a recogniser that hears one voice
mostly stays with the sentence it is in. A word that nobody covers takes the nearest exclusive turn, by the distance
between their edges, up to `NEAREST` ms away.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from domain.settling import VOTE, settle
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.transcript import Word

NEAREST = 1_000
"""Milliseconds; beyond that it is more likely that the diarizer missed somebody than that it ended a turn too soon."""
_ANY, _EXCLUSIVE = 8, 2
"""Tenths of a vote that depend on all turns, and on the exclusive ones; tuned as `settling.CHANGE` was."""
_NEAREST_VOTE = VOTE // 5
"""What a word in a gap is worth: settling may well overrule it."""


def attribute(
    words: Sequence[Word], exclusive: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn]
) -> tuple[Word, ...]:
    """Return the words, in the order given, each with its speaker (None: nobody near) and with overlaps marked.

    `exclusive` and `turns` are a diarizer's: sorted, the first without overlaps. A word is marked as overlapped when
    at least half of it is covered by two speakers. O(words + turns). Cutting a turn in two changes nothing, nor does
    the order of turns; see `settle` for ties.
    """
    order = sorted(range(len(words)), key=lambda index: words[index].span.start)
    spans = [words[index].span for index in order]
    starts = [turn.span.start for turn in exclusive]
    votes: list[dict[str, int]] = [{} for _ in words]
    overlapped = [False] * len(words)
    for index, span, talking, holding in zip(order, spans, _near(spans, turns), _near(spans, exclusive), strict=True):
        votes[index] = _votes(span, talking, holding)
        if len(talking) > 1:
            overlapped[index] = _twice_covered(span, talking)
        if not votes[index]:
            around = bisect_left(starts, span.start)
            votes[index] = _nearest(span, exclusive[max(0, around - 1) : around + 1])
    return tuple(
        Word(
            span=word.span,
            text=word.text,
            confidence=word.confidence,
            speaker=speaker,
            overlap=overlap,
            glued=word.glued,
            timing=word.timing,
        )  # half the time of `replace`, and there are a hundred thousand words
        for word, speaker, overlap in zip(words, settle(words, votes), overlapped, strict=True)
    )


_Turn = tuple[int, int, str]


def _near(spans: Iterable[Span], turns: Iterable[SpeakerTurn]) -> Iterator[list[_Turn]]:
    """Yield for each of the sorted spans the turns that may cover some of it; one sweep over both."""
    coming = iter(sorted((turn.span.start, turn.span.end, turn.speaker) for turn in turns))
    upcoming = next(coming, None)
    near: list[_Turn] = []
    for span in spans:
        while upcoming and upcoming[0] < span.end:
            near.append(upcoming)
            upcoming = next(coming, None)
        for turn in near:
            if turn[1] <= span.start:
                near = [turn for turn in near if turn[1] > span.start]
                break
        yield near


def _votes(span: Span, talking: list[_Turn], holding: list[_Turn]) -> dict[str, int]:
    """Turn the covered share of a word into votes: half of it counts three quarters, for edges are never exact."""
    if len(talking) == len(holding) == 1 and talking[0][2] == holding[0][2]:
        (start, end, speaker), (held_from, held_until, _) = talking[0], holding[0]
        if start <= span.start >= held_from and end >= span.end <= held_until:
            return {speaker: VOTE}  # nearly every word, and the sum below takes twice as long
    covered: dict[str, int] = {}
    for weight, near in ((_ANY, talking), (_EXCLUSIVE, holding)):
        for start, end, speaker in near:
            common = min(end, span.end) - max(start, span.start)
            if common > 0:
                covered[speaker] = covered.get(speaker, 0) + weight * common
    whole = (_ANY + _EXCLUSIVE) * span.duration
    return {
        speaker: VOTE if part >= whole else VOTE * part * (2 * whole - part) // whole**2
        for speaker, part in covered.items()
    }


def _twice_covered(span: Span, near: list[_Turn]) -> bool:
    """Whether the times of all speakers within the span add up to one and a half of it, so that half holds two."""
    covered: dict[str, int] = {}
    for start, end, speaker in near:
        covered[speaker] = covered.get(speaker, 0) + max(0, min(end, span.end) - max(start, span.start))
    return 2 * sum(min(span.duration, part) for part in covered.values()) >= 3 * span.duration > 0


def _nearest(span: Span, around: Sequence[SpeakerTurn]) -> dict[str, int]:
    nearest = min(around, key=lambda turn: turn.span.distance(span), default=None)
    if nearest is None or nearest.span.distance(span) > NEAREST:
        return {}
    return {nearest.speaker: _NEAREST_VOTE}


def speaker_labels(words: Iterable[Word], turns: Iterable[SpeakerTurn]) -> dict[str, str]:
    """Map a diarizer's labels to `spk_1`, `spk_2` …: by first word, then by first turn for those who have no word."""
    heard = [word.speaker for word in words if word.speaker is not None]
    found = dict.fromkeys([*heard, *(turn.speaker for turn in turns)])
    return {label: f"spk_{number}" for number, label in enumerate(found, start=1)}
