"""What people change in a transcript by hand: speakers named and merged, words given to somebody else, all undoable.

An edit is recorded, never carried out: a transcript is shown with its edits applied, in their order, to the revision
that is asked for. They were made on one revision, and another has labels of its own, so each label is carried over to
the one that most of its word time has there (`mapping`). What cannot be carried over is told, with the reason.
Everything here is total: no edit, however odd, raises, loses a word or moves one.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from domain.regrouping import regroup
from domain.span import Span, merged
from domain.speaker import SpeakerTurn
from domain.statistics import BREATH
from domain.transcript import Alternative, Segment, Transcript, Word

FOUND_LABEL = re.compile(r"spk_\d+")
"""Labels that diarization gives; those that people add look otherwise."""
OWN_LABEL = re.compile(r"(?!spk_)[a-z][a-z0-9_]{0,31}")
"""A label for a speaker whom diarization did not find."""


class EditKind(StrEnum):
    """What an edit does."""

    RENAME = "rename"
    MERGE = "merge"
    REASSIGN = "reassign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The content of an edit; which fields it has depends on its kind.

    RENAME shows `speaker` as `name`, or by its label again if that is None. MERGE gives all of `speaker` to `into`.
    REASSIGN gives the words that start in `span`, on `channel` alone if one is named, to `into`.
    """

    kind: EditKind
    speaker: str | None = None
    name: str | None = None
    into: str | None = None
    span: Span | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change as it was recorded; `revision` is the one that its labels are of."""

    seq: int
    revision: int
    change: Change
    created_at: datetime
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A transcript with its edits applied, its speakers under their labels; `names` are what to show instead.

    `not_applied` maps the numbers of edits that this revision has no place for to the reason.
    """

    transcript: Transcript
    names: Mapping[str, str]
    not_applied: Mapping[int, str]

    @property
    def shown(self) -> Transcript:
        """The transcript with the names in place of the labels."""
        return self.transcript.renamed(dict(self.names)) if self.names else self.transcript


Labels = Mapping[str, str]


def apply(transcript: Transcript, edits: Iterable[Edit], carried: Mapping[int, Labels] | None = None) -> Edited:
    """Apply the edits that are not undone, in order of their numbers.

    `carried` maps the number of each other revision that edits were made on to where its labels are in this one.
    """
    names = dict(transcript.names)
    not_applied: dict[int, str] = {}
    known = set(speakers(transcript))
    for edit in sorted(edits, key=lambda edit: edit.seq):
        if edit.undone_at is not None:
            continue
        try:
            change = _carried(edit, transcript, carried or {})
        except LookupError as error:
            not_applied[edit.seq] = str(error.args[0])
            continue
        match change:
            case Change(kind=EditKind.REASSIGN, into=str(into), span=Span()):
                transcript = _reassigned(transcript, change, into)
                known.add(into)
            case Change(speaker=label) if label not in known:
                not_applied[edit.seq] = f"there is no speaker {label}"
            case Change(kind=EditKind.RENAME, speaker=str(label)):
                names.pop(label, None)
                if change.name:
                    names[label] = change.name
            case Change(kind=EditKind.MERGE, speaker=str(label), into=str(into)) if into in known:
                if label != into:
                    transcript = _merged(transcript, label, into)
                    known.discard(label)
            case _:
                not_applied[edit.seq] = f"there is no speaker {change.into}"
    return Edited(transcript=transcript, names=names, not_applied=not_applied)


def mapping(before: Transcript, after: Transcript) -> dict[str, str]:
    """Map speakers of one revision to those of another, one to one: the largest overlap of word time goes first.

    Of equal overlaps the first in alphabetical order wins. Speakers without words go by their turns.
    """
    overlaps: Counter[tuple[str, str]] = Counter()
    placed = {(word.span, word.text, channel): word.speaker for word, channel in _spoken(after)}
    # Revisions may differ in whether channels are told apart.
    anywhere = {(word.span, word.text): word.speaker for word, _ in _spoken(after)}
    for word, channel in _spoken(before):
        now = placed.get((word.span, word.text, channel), anywhere.get((word.span, word.text)))
        if word.speaker is not None and now is not None:
            overlaps[word.speaker, now] += max(1, word.span.duration)
    worded = {speaker for speaker, _ in overlaps}
    silent = [turn for turn in before.turns if turn.speaker not in worded]
    found = _greedy(overlaps, {})
    return _greedy(_turn_overlaps(silent, after.turns), found)


def speakers(transcript: Transcript) -> tuple[str, ...]:
    """Return the labels, by first word, then by first turn."""
    heard = [speaker for segment in transcript.segments for speaker in _labels(segment) if speaker]
    return tuple(dict.fromkeys([*heard, *(turn.speaker for turn in transcript.turns)]))


def _labels(segment: Segment) -> Iterator[str | None]:
    return (word.speaker for word in segment.words) if segment.words else iter((segment.speaker,))


def _spoken(transcript: Transcript) -> Iterator[tuple[Word, int | None]]:
    """Give the words with their channels; a segment that has none stands as one."""
    for segment in transcript.segments:
        for word in segment.words or (Word(span=segment.span, text=segment.text, speaker=segment.speaker),):
            yield word, segment.channel


def _turn_overlaps(before: Sequence[SpeakerTurn], after: Sequence[SpeakerTurn]) -> Counter[tuple[str, str]]:
    overlaps: Counter[tuple[str, str]] = Counter()
    for old in before:
        for new in after:
            if shared := old.span.overlap(new.span):
                overlaps[old.speaker, new.speaker] += shared
    return overlaps


def _greedy(overlaps: Counter[tuple[str, str]], found: dict[str, str]) -> dict[str, str]:
    result = dict(found)
    for (old, new), _ in sorted(overlaps.items(), key=lambda item: (-item[1], item[0])):
        if old not in result and new not in result.values():
            result[old] = new
    return result


def _carried(edit: Edit, transcript: Transcript, carried: Mapping[int, Labels]) -> Change:
    """Return the change in the labels of this revision.

    Raises:
        LookupError: with the reason why it has no place here.
    """
    change = edit.change
    if edit.revision == transcript.revision:
        return change
    labels = carried.get(edit.revision)
    if labels is None:
        raise LookupError(f"revision {edit.revision}, which it was made on, is gone")
    return replace(change, speaker=_there(change.speaker, labels), into=_there(change.into, labels))


def _there(label: str | None, labels: Labels) -> str | None:
    if label is None or not FOUND_LABEL.fullmatch(label):
        return label
    if label not in labels:
        raise LookupError(f"this revision has no speaker of its own for {label}")
    return labels[label]


def _merged(transcript: Transcript, label: str, into: str) -> Transcript:
    touched = [_names(segment, label) for segment in transcript.segments]
    alone = replace(transcript, segments=tuple(s for s, mine in zip(transcript.segments, touched, strict=True) if mine))
    relabelled = alone.renamed({label: into})
    changed = iter(relabelled.segments)
    segments = (
        _certain(next(changed)) if mine else segment for segment, mine in zip(transcript.segments, touched, strict=True)
    )
    return replace(relabelled, segments=tuple(segments), turns=_joined(relabelled.turns))


def _names(segment: Segment, label: str) -> bool:
    return segment.speaker == label or any(
        word.speaker == label or any(other.speaker == label for other in word.alternatives) for word in segment.words
    )


def _certain(segment: Segment) -> Segment:
    """Let no word have its own speaker, or one twice, among its alternatives."""
    words = []
    for word in segment.words:
        shares: Counter[str] = Counter()
        for other in word.alternatives:
            if other.speaker != word.speaker:
                shares[other.speaker] += other.share  # type: ignore[assignment] # counters add floats as well
        others = tuple(Alternative(speaker, round(share, 3)) for speaker, share in shares.items())
        words.append(replace(word, alternatives=others) if others != word.alternatives else word)
    return replace(segment, words=tuple(words))


def _reassigned(transcript: Transcript, change: Change, into: str) -> Transcript:
    """Give words, and their time in the turns, to a speaker; a segment is cut where the speaker changes."""
    span = change.span or Span(0, 0)
    segments: list[Segment] = []
    taken: list[tuple[Span, str | None]] = []
    for segment in transcript.segments:
        if (
            segment.span.start >= span.end
            or segment.span.end < span.start
            or change.channel not in {None, segment.channel}
        ):
            segments.append(segment)
            continue
        if not segment.words:
            mine = span.contains(segment.span.start) and segment.speaker != into
            segments.append(replace(segment, speaker=into) if mine else segment)
            taken += [(segment.span, segment.speaker)] if mine else []
            continue
        words = []
        for word in segment.words:
            mine = span.contains(word.span.start) and word.speaker != into
            words.append(replace(word, speaker=into, alternatives=()) if mine else word)
            taken += [(word.span, word.speaker)] if mine else []
        segments += _cut(replace(segment, words=tuple(words)))
    return replace(transcript, segments=tuple(segments), turns=_turns(transcript.turns, taken, into))


def _cut(segment: Segment) -> tuple[Segment, ...]:
    if all(one.speaker == other.speaker for one, other in pairwise(segment.words)):
        return (replace(segment, speaker=segment.words[0].speaker),)
    return regroup([segment])


def _turns(
    turns: Sequence[SpeakerTurn], taken: Sequence[tuple[Span, str | None]], into: str
) -> tuple[SpeakerTurn, ...]:
    """Move the time of the words that were taken; where nobody has turns, nobody gets any."""
    if not turns or not taken:
        return tuple(turns)
    spans: dict[str | None, list[Span]] = {}
    for span, speaker in taken:
        spans.setdefault(speaker, []).append(span)
    holes = {speaker: merged(parts, BREATH) for speaker, parts in spans.items()}
    left = [
        SpeakerTurn(piece, turn.speaker) for turn in turns for piece in _without(turn.span, holes.get(turn.speaker, ()))
    ]
    return _joined([*left, *(SpeakerTurn(span, into) for span in merged((span for span, _ in taken), BREATH))])


def _without(span: Span, holes: Sequence[Span]) -> Iterator[Span]:
    start = span.start
    for hole in holes[max(0, bisect_left(holes, span) - 1) :]:
        if hole.start >= span.end:
            break
        if hole.start > start:
            yield Span(start, hole.start)
        start = max(start, hole.end)
    if start < span.end:
        yield Span(start, span.end)


def _joined(turns: Iterable[SpeakerTurn]) -> tuple[SpeakerTurn, ...]:
    """Join the touching and overlapping turns of each speaker."""
    spans: dict[str, list[Span]] = {}
    for turn in turns:
        spans.setdefault(turn.speaker, []).append(turn.span)
    return tuple(sorted(SpeakerTurn(span, speaker) for speaker, parts in spans.items() for span in merged(parts)))
