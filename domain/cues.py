"""Cutting a transcript into subtitle cues that can be read in time; how a format writes them is not known here.

A cue ends where the speaker changes, at a pause, and after a sentence; what is still too long is cut after a clause
mark, else at the widest pause, else in the middle. A cue that is too short to read is shown for longer only while
nobody else needs the screen.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from domain.cue_rules import DEFAULT, Cue, CueRules
from domain.lines import columns, ends_clause, even_lines
from domain.sentences import ends_sentence
from domain.span import Span
from domain.timing import spelled
from domain.transcript import Segment, Word

PAUSE = 1_000
"""Milliseconds of silence over which no cue stays."""
_BREATHS = (150, 450)
"""Milliseconds; where a sentence must be cut, pauses count in steps of the first, up to the second."""


def cues(segments: Iterable[Segment], rules: CueRules = DEFAULT) -> tuple[Cue, ...]:
    """Return the cues of the segments: every word once, sorted, without overlaps, each lasting some time.

    Segments without words have their text spread over their time.
    """
    words = [word for segment in segments for word in segment.words or spelled(segment.text, segment.span)]
    return tuple(_timed(sorted(_cut(words, rules), key=lambda cue: cue.span.start), rules))


def _cut(words: Sequence[Word], rules: CueRules) -> Iterator[Cue]:
    first = 0
    while first < len(words):
        end = _end(words, first, rules)
        shown = words[first:end]
        speakers = {word.speaker for word in shown}
        yield Cue(
            span=Span(shown[0].span.start, max(word.span.end for word in shown)),
            lines=even_lines(shown, rules.max_line_chars),
            speaker=speakers.pop() if len(speakers) == 1 else None,
        )
        first = end


def _end(words: Sequence[Word], first: int, rules: CueRules) -> int:
    """Return where the cue that starts at `first` ends."""
    begin = words[first].span.start
    sentence = None
    lines, used = 1, columns(words[first], first=True)
    for end in range(first + 1, len(words)):
        last, following = words[end - 1], words[end]
        if _apart(last, following, rules):
            break
        if sentence is None and ends_sentence(last.text) and last.span.end - begin >= rules.min_duration:
            sentence = end
        used += columns(following, first=False)
        if used > rules.max_line_chars:
            lines, used = lines + 1, columns(following, first=True)
        if lines > rules.max_lines or following.span.end - begin > rules.max_duration:
            return sentence or _soft_end(words, first, end, rules)
    else:
        end = len(words)
    brief = sentence is not None and words[end - 1].span.end - words[sentence].span.start < rules.min_duration
    return end if sentence is None or brief else sentence


def _apart(last: Word, following: Word, rules: CueRules) -> bool:
    other = rules.split_on_speaker and last.speaker != following.speaker
    return other or following.span.start - last.span.end >= PAUSE


def _soft_end(words: Sequence[Word], first: int, most: int, rules: CueRules) -> int:
    """Cut a sentence that does not fit on a cue, in the second half of what does; evenly, if two cues will hold it."""
    aim = most
    for end in range(most, min(2 * most - first, len(words))):
        if end + 1 == len(words) or ends_sentence(words[end].text) or _apart(words[end], words[end + 1], rules):
            aim = (first + end + 1) // 2
            break

    def merit(end: int) -> tuple[bool, int, int]:
        pause = words[end].span.start - words[end - 1].span.end
        return ends_clause(words[end - 1]), min(pause, _BREATHS[1]) // _BREATHS[0], -abs(end - aim)

    return max(range((first + most + 1) // 2, most + 1), key=merit)


def _timed(cues: Sequence[Cue], rules: CueRules) -> Iterator[Cue]:
    """Give each sorted cue the time to be read, as far as the next one leaves it; crosstalk pushes the next one on."""
    free_from = 0
    for index, cue in enumerate(cues):
        start = max(cue.span.start, free_from)
        reading = cue.columns * 1000 // rules.max_cps
        end = min(max(cue.span.end, start + max(reading, rules.min_duration)), start + rules.max_duration)
        if index + 1 < len(cues):
            room = max(cues[index + 1].span.start, start + min(cue.span.duration, rules.min_duration)) - rules.min_gap
            end = min(end, room)
        span = Span(start, max(end, start + 1))
        free_from = span.end + rules.min_gap
        yield replace(cue, span=span)
