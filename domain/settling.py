"""Settling doubtful words by the sentence they stand in; the votes themselves are counted elsewhere.

People change turns between sentences far more often than inside one, while a diarizer's edges and a recogniser's word
times are each off by a hundred milliseconds or two. So a unit (words up to a sentence mark or a long pause) is
labelled as a whole: each word votes for the speakers heard during it, and each change of speaker inside the unit costs
as much as a word on the wrong speaker. Short minority runs lose that bargain; a run that is long enough, or set apart
by a pause, wins it and keeps its speaker. The labelling with the best balance is found exactly (Viterbi).
"""

from collections.abc import Iterator, Mapping, Sequence

from domain.sentences import ends_sentence
from domain.transcript import Word

VOTE = 1_000
"""One word's vote: votes are whole numbers, so that sums are exact."""
CHANGE = VOTE
"""What a change of speaker inside a sentence costs; a pause there makes it cheaper, up to `PAUSE`. These constants are
tuned on simulated conversations: `tests/bench/bench_attribution.py`."""
UNMARKED_CHANGE = 40
"""The same in a unit that no mark ends: without punctuation it is no sentence, and the turns are the better guide."""
PAUSE = 600
"""Milliseconds of silence that end a unit."""

Votes = Mapping[str, int]
"""A word's votes by speaker, up to `VOTE` each; none when nobody was heard near it."""


def settle(words: Sequence[Word], votes: Sequence[Votes]) -> list[str | None]:
    """Give each word its speaker; None only to words without votes.

    Such a word joins the sentence that it stands in, if that has a speaker. Equal votes go to the speaker of the word
    before, at the start of a unit to the first label in alphabetical order.
    """
    labels: list[str | None] = []
    for end, pauses in _units(words):
        unit = votes[len(labels) : end]
        marked = ends_sentence(words[end - 1].text)
        speakers = sorted(set().union(*unit))
        settled: Sequence[str | None] = [next(iter(speakers), None)] * len(unit)
        if len(speakers) > 1:
            change = CHANGE if marked else UNMARKED_CHANGE
            settled = _cheapest(unit, speakers, [change * (PAUSE - pause) // PAUSE for pause in pauses])
        labels += settled if marked else [label if cast else None for label, cast in zip(settled, unit, strict=True)]
    return labels


def _units(words: Sequence[Word]) -> Iterator[tuple[int, list[int]]]:
    """Yield each unit: where it ends (an index into `words`), and the pauses in ms between its words."""
    pauses: list[int] = []
    for index, word in enumerate(words[:-1], start=1):
        pause = words[index].span.start - word.span.end
        if pause >= PAUSE or ends_sentence(word.text):
            yield index, pauses
            pauses = []
        else:
            pauses.append(max(0, pause))
    if words:
        yield len(words), pauses


def _cheapest(unit: Sequence[Votes], speakers: Sequence[str], costs: Sequence[int]) -> list[str]:
    """Return the labelling with the most votes, less the cost of each change; `costs[i]` lies before word i + 1."""
    scores = [unit[0].get(speaker, 0) for speaker in speakers]
    came_from: list[list[int]] = []
    for cast, cost in zip(unit[1:], costs, strict=True):
        best = max(range(len(speakers)), key=scores.__getitem__)
        changed = scores[best] - cost
        came_from.append([number if score >= changed else best for number, score in enumerate(scores)])
        scores = [max(score, changed) + cast.get(speaker, 0) for score, speaker in zip(scores, speakers, strict=True)]
    path = [max(range(len(speakers)), key=scores.__getitem__)]
    for origins in reversed(came_from):
        path.append(origins[path[-1]])
    return [speakers[number] for number in reversed(path)]
