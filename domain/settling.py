"""Settling who said the words near a change of speaker; who is near is found elsewhere.

A diarizer's edges and a recogniser's times are each off by a hundred milliseconds or two, and where two people talk at
once their turns cannot say whose words were heard. What can say it is the way people take turns: someone either hands
over, where their turn ends and mostly at the end of a sentence, or is interrupted, where the other's turn begins. So a
word is the likelier a speaker's the deeper it lies inside their turns, a change of speaker is the likelier the more it
looks like one of the two, and the likeliest labelling of all is found exactly (Viterbi). Costs are natural logarithms.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import log

from domain.edges import Edges
from domain.sentences import ends_sentence
from domain.transcript import Word

PAUSE = 600
"""Milliseconds of silence that end a sentence which has no mark."""
_MISSED = 0.02
"""How likely a word far from a speaker's turns is theirs all the same. This and the constants below are tuned on
simulated conversations: `tests/bench/bench_attribution.py`."""
_INTERRUPTED = 0.7
"""What it costs that a change is an interruption, less likely than that the turn was over."""
_UNEXPLAINED = 6.0
"""What a change costs that is neither: nobody's turn ends or begins there."""
_MARKED_END, _MARKED_MORE = 0.95, 7.0
"""How many turns end with a sentence mark at most, and how much more often they do than any word: where a recogniser
writes few marks, a missing one says little."""
_MOST_MARKED = 0.3
"""The share of marked words is taken to be no more than that, as a few short words may all have marks."""
_NOBODY = ""

Votes = Mapping[str, float]
"""How likely each speaker near a word said it, each up to about 1; empty when nobody is near."""


def settle(words: Sequence[Word], votes: Sequence[Votes], edges: Edges) -> list[str | None]:
    """Give each word its speaker; None only to words without votes.

    Such a word joins the sentence that it stands in, if that ends with a mark and has a speaker. Among equally likely
    labellings, the last word where they differ takes the first label in alphabetical order.
    """
    labels: list[str | None] = [next(iter(near), None) for near in votes]
    marks = [ends_sentence(word.text) for word in words]
    costs = _Costs(words, marks, edges)
    for first, last in _contested(votes):
        before = labels[first - 1] if first else None
        after = labels[last] if last < len(words) else None
        labels[first:last] = costs.least(first, votes[first:last], before, after)
    if None in labels:
        _join(words, marks, labels)
    return labels


def _contested(votes: Sequence[Votes]) -> Iterator[tuple[int, int]]:
    """Yield the runs of words that have several speakers near."""
    first = None
    for index, near in enumerate(votes):
        if len(near) > 1:
            first = index if first is None else first
        elif first is not None:
            yield first, index
            first = None
    if first is not None:
        yield first, len(votes)


class _Costs:
    """What it costs to go on from word to word with the same speaker or with another."""

    def __init__(self, words: Sequence[Word], marks: Sequence[bool], edges: Edges) -> None:
        self._words, self._marks, self._edges = words, marks, edges
        marked = min(_MOST_MARKED, sum(marks) / max(1, len(marks)))
        at_end = min(_MARKED_END, _MARKED_MORE * marked)
        self._within = (-log(1 - marked), -log(max(marked, _MISSED)))
        self._at_end = (-log(1 - at_end), -log(max(at_end, _MISSED)))

    def least(self, first: int, votes: Sequence[Votes], before: str | None, after: str | None) -> list[str | None]:
        """Return the cheapest labels of the words from `first` on, between those of the words around them."""
        end = after or _NOBODY
        scores = {before or _NOBODY: 0.0}
        came_from: list[dict[str, str]] = []
        for index, near in enumerate([*votes, {end: 1.0}], start=first):
            origins, added = {}, {}
            for speaker, vote in near.items():
                ways = {last: score + self._going_on(index, last, speaker) for last, score in scores.items()}
                origins[speaker] = best = min(ways, key=ways.__getitem__)
                added[speaker] = ways[best] - log(vote + _MISSED)
            came_from.append(origins)
            scores = added
        path = [end]
        for origins in reversed(came_from):
            path.append(origins[path[-1]])
        return [*path[-2:0:-1]]

    def _going_on(self, index: int, last: str, speaker: str) -> float:
        if _NOBODY in {last, speaker}:
            return 0.0
        marked = self._marks[index - 1]
        within = self._within[marked]
        if last == speaker:
            return within
        handed_over = self._at_end[marked] + self._edges.from_end(last, self._words[index - 1].span.end)
        begun = self._edges.from_start(speaker, self._words[index].span.start)
        return min(handed_over, within + min(_INTERRUPTED + begun, _UNEXPLAINED))


def _join(words: Sequence[Word], marks: Sequence[bool], labels: list[str | None]) -> None:
    """Give words without a speaker to that of the word before them, or else after them, in the same marked sentence."""
    first = 0
    for index, word in enumerate(words, start=1):
        if index < len(words) and not marks[index - 1] and words[index].span.start - word.span.end < PAUSE:
            continue
        known = [label for label in labels[first:index] if label is not None]
        if marks[index - 1] and known:
            last = known[0]
            for at in range(first, index):
                last = labels[at] = labels[at] or last
        first = index
