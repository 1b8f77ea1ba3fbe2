"""Who said each word: words against turns, then settled where it is in doubt; regrouping and rendering are elsewhere.

A word that has one speaker within `NEAR` is theirs. Where there are more, each gets votes by how deep the word lies in
their turns, whoever holds the exclusive track some more, and `settle` decides. A word further off takes the nearest
exclusive turn, by the distance between their edges, up to `NEAREST` ms away.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from domain.coverage import Timeline
from domain.edges import Edges
from domain.settling import Votes, settle
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.transcript import Alternative, Word

NEAR = 350
"""Milliseconds around a word: whoever talks within them may have said it. Twice as many find nothing more."""
NEAREST = 1_000
"""Milliseconds; beyond that it is more likely that the diarizer missed somebody than that it ended a turn too soon."""
DOUBT = 0.1
"""The least share of a word's votes that makes another speaker worth naming."""
_EXCLUSIVE = 1.1
"""How much more a vote counts with the exclusive track: a recogniser hears the louder voice. Tuned as in `settling`."""
_OVERLAPPED = 1.5
"""Two speakers cover at least half of a word when their shares add up to one and a half."""


def attribute(
    words: Sequence[Word], exclusive: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn]
) -> tuple[Word, ...]:
    """Return the words, in the order given, each with its speaker (None: nobody near), overlap mark and alternatives.

    `exclusive` and `turns` are a diarizer's: sorted, the first without overlaps. A word is marked as overlapped when
    at least half of it is covered by two speakers. O(words + turns) after sorting. Cutting a turn in two changes
    nothing, nor does the order of turns; see `settle` for ties.
    """
    edges = Edges(turns)
    votes, overlapped = _votes(words, exclusive, turns, edges)
    return tuple(
        Word(
            span=word.span,
            text=word.text,
            confidence=word.confidence,
            speaker=speaker,
            overlap=overlap,
            glued=word.glued,
            timing=word.timing,
            alternatives=_alternatives(speaker, cast) if len(cast) > 1 else (),
        )  # half the time of `replace`, and there are a hundred thousand words
        for word, speaker, cast, overlap in zip(words, settle(words, votes, edges), votes, overlapped, strict=True)
    )


def _votes(
    words: Sequence[Word], exclusive: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn], edges: Edges
) -> tuple[list[Votes], list[bool]]:
    order = sorted(range(len(words)), key=lambda index: words[index].span.start)
    spans = [words[index].span for index in order]
    starts = [turn.span.start for turn in exclusive]
    votes: list[Votes] = [{}] * len(words)
    overlapped = [False] * len(words)
    around, within = Timeline(turns, widened=NEAR).shares(spans), Timeline(turns).shares(spans)
    for index, span, near, talking in zip(order, spans, around, within, strict=True):
        if len(near) > 1:
            middle = (span.start + span.end) / 2
            cast = {speaker: edges.presence(speaker, middle) for speaker in near}
            holding = exclusive[max(0, bisect_right(starts, middle) - 1)] if starts else None
            if holding and holding.speaker in cast and holding.span.start <= middle < holding.span.end:
                cast[holding.speaker] *= _EXCLUSIVE
            votes[index], overlapped[index] = cast, sum(talking.values()) >= _OVERLAPPED
        elif near:
            votes[index] = near
        else:
            at = bisect_left(starts, span.start)
            votes[index] = _nearest(span, exclusive[max(0, at - 1) : at + 1])
    return votes, overlapped


def _nearest(span: Span, around: Sequence[SpeakerTurn]) -> Votes:
    nearest = min(around, key=lambda turn: turn.span.distance(span), default=None)
    if nearest is None or nearest.span.distance(span) > NEAREST:
        return {}
    return {nearest.speaker: 1.0}


def _alternatives(speaker: str | None, votes: Votes) -> tuple[Alternative, ...]:
    whole = sum(votes.values())
    others = [
        Alternative(other, round(cast / whole, 3))
        for other, cast in votes.items()
        if other != speaker and cast >= DOUBT * whole > 0
    ]
    return tuple(sorted(others, key=lambda other: -other.share))


def speaker_labels(words: Iterable[Word], turns: Iterable[SpeakerTurn]) -> dict[str, str]:
    """Map a diarizer's labels to `spk_1`, `spk_2` …: by first word, then by first turn for those who have no word."""
    heard = [word.speaker for word in words if word.speaker is not None]
    found = dict.fromkeys([*heard, *(turn.speaker for turn in turns)])
    return {label: f"spk_{number}" for number, label in enumerate(found, start=1)}
