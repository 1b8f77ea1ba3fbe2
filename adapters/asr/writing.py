"""From a pack's decoding and its aligned words to segments in the recording; nothing is decoded or judged here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adapters.asr.gates import loop, spoken
from adapters.asr.ladder import Outcome
from adapters.asr.packs import Pack
from domain.options import Goal
from domain.sentences import ends_sentence
from domain.span import Span
from domain.timing import spelled, well_timed
from domain.transcript import Quality, Segment, Suspect, Suspicion, Word, join_words

_PAUSE = 3_000
"""Milliseconds; speech further apart is not one segment, even where it was heard as one."""
_NEAR = 700
"""Milliseconds; words are seldom placed further from where they were said, by attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What came of one pack."""

    segments: tuple[Segment, ...] = ()
    suspects: tuple[Suspect, ...] = ()


def written(pack: Pack, outcome: Outcome, aligned: Sequence[Word], spoken_language: str, goal: Goal) -> Written:
    """Place the words of a pack, whose times count from its start, and name what is doubtful about them."""
    draft, doubt = outcome.draft, outcome.doubt
    text = draft.text.strip()
    if not outcome.kept:
        return Written(suspects=tuple(_dropped(pack, text, doubt)) if doubt else ())
    # Alignment loses words where a character was cut in two; the text then keeps them, at guessed times.
    whole = "".join(word.text for word in aligned) == "".join(text.split())
    timed = aligned if whole else spelled(text, Span(0, pack.duration))
    if doubt is Suspicion.REPETITION:
        timed = _first_round(timed)
    quality = Quality(
        average_log_probability=round(draft.average_log_probability, 4),
        no_speech_probability=round(draft.no_speech_probability, 4),
        compression_ratio=round(draft.compression_ratio, 4),
        decode_attempts=outcome.attempts,
    )
    segments = tuple(
        Segment(
            span=Span(words[0].span.start, max(word.span.end for word in words)),
            text=join_words(words),
            words=words,
            language="en" if goal is Goal.TRANSLATE else spoken_language,
            quality=quality,
        )
        for words in _together(pack, timed)
    )
    if doubt is None:
        return Written(segments=segments)
    texts = (text,) if doubt is Suspicion.REPETITION else tuple(segment.text for segment in segments)
    doubts = (
        Suspect(span=segment.span, reason=doubt, text=text) for segment, text in zip(segments, texts, strict=False)
    )
    return Written(segments=segments, suspects=tuple(doubts))


def _together(pack: Pack, words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """Put words where their part of the pack lies in the recording; part them where a long pause was cut out."""
    run: list[Word] = []
    cuts = _cuts(pack, words)
    for number, (part, begins) in enumerate(zip(pack.parts, (0, *pack.joints), strict=True)):
        if run and part.start - pack.parts[number - 1].end > _PAUSE:
            yield tuple(run)
            run = []
        shift = part.start - begins
        moved = (
            replace(word, span=Span(max(0, word.span.start + shift), max(0, word.span.end + shift)))
            for word in words[cuts[number] : cuts[number + 1]]
        )
        run += well_timed(tuple(moved), part)
    if run:
        yield tuple(run)


def _cuts(pack: Pack, words: Sequence[Word]) -> list[int]:
    """Share the words out to the parts: give the number of the first word of each, and how many there are in all.

    Alignment errs by a few tenths of a second, which across a joint would be the whole pause. A sentence ends at a
    pause more often than beside it, so a joint goes to the end of a sentence that is near enough, else to the nearest
    gap between two words.
    """
    ends = [0, *(word.span.end for word in words)]
    starts = [*(word.span.start for word in words), pack.duration]
    gaps = [(end + start) // 2 for end, start in zip(ends, starts, strict=True)]
    cuts = [0]
    for joint in pack.joints:
        candidates = range(cuts[-1], len(words) + 1)
        near = [
            at for at in candidates if at > 0 and abs(gaps[at] - joint) <= _NEAR and ends_sentence(words[at - 1].text)
        ]
        cuts.append(min(near or candidates, key=lambda at: abs(gaps[at] - joint)))
    return [*cuts, len(words)]


def _first_round(words: Sequence[Word]) -> tuple[Word, ...]:
    """Cut a text that runs in circles after the first round."""
    owners = [(number, part) for number, word in enumerate(words) for part in spoken(word.text)]
    found = loop([part for _, part in owners])
    return tuple(words) if found is None else tuple(words[: owners[sum(found) - 1][0] + 1])


def _dropped(pack: Pack, text: str, doubt: Suspicion) -> Iterator[Suspect]:
    """Name every stretch of speech that nothing is left of; what was made of all of them stands with the first."""
    runs = [pack.parts[0]]
    for part in pack.parts[1:]:
        if part.start - runs[-1].end <= _PAUSE:
            runs[-1] = runs[-1].hull(part)
        else:
            runs.append(part)
    for number, run in enumerate(runs):
        yield Suspect(span=run, reason=doubt, text="" if number else text)
