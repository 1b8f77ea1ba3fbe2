"""Words meet turns: what each track's recogniser heard, with a speaker for every word. Nothing is fetched."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.attribution import attribute
from domain.regrouping import regroup
from domain.span import Span
from domain.speaker import Diarization, channel_label
from domain.stage import Stage, StageName, StageStatus
from domain.timing import well_timed
from domain.transcript import Move, Recognition, Segment, Word

Tracks = tuple[tuple[Segment, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the engines gave: each track's recognitions, the turns (None: not asked for, or failed), and the stages.

    `split` says that each channel is a track, and a party. `speech` are the regions of each track that hold speech.
    """

    recognitions: Sequence[Sequence[Recognition]]
    diarization: Diarization | None
    split: bool
    stages: tuple[Stage, ...]
    speech: Sequence[Sequence[Span]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """Each track's segments, regrouped by speaker and sentence, and the stages so far."""

    tracks: Tracks
    stages: tuple[Stage, ...]
    moves: tuple[Move, ...] = ()


def attribute_tracks(heard: Heard, *, asked: bool) -> Attributed:
    """Return every segment with its speaker, channel and language; `asked` says whether speakers were wanted.

    Whatever an engine gave, words start in order and lie inside their segment; those without times are interpolated.
    """
    started = time.perf_counter()
    tracks = [
        tuple(
            replace(
                segment,
                words=well_timed(segment.words, segment.span),
                channel=number if heard.split else None,
                language=segment.language or recognition.language,
            )
            for recognition in track
            for segment in recognition.segments
        )
        for number, track in enumerate(heard.recognitions)
    ]
    stages = heard.stages
    if heard.diarization is not None:
        tracks = [_spoken(track, heard.diarization) for track in tracks]
        seconds = round(time.perf_counter() - started, 3)
        stages += (Stage(name=StageName.ATTRIBUTION, status=StageStatus.RAN, seconds=seconds),)
    elif asked:
        reason = "there are no turns to attribute words to"
        stages += (Stage(name=StageName.ATTRIBUTION, status=StageStatus.SKIPPED, reason=reason),)
    return Attributed(tracks=tuple(regroup(track) for track in tracks), stages=stages)


def _spoken(track: Sequence[Segment], diarization: Diarization) -> tuple[Segment, ...]:
    """Give every word its speaker: its channel's where channels are parties, else the one whose turn it falls into."""
    # A segment that has no words is attributed as if it were one.
    flat = [segment.words or (Word(span=segment.span, text=segment.text),) for segment in track]
    words = iter(attribute([word for words in flat for word in words], diarization.exclusive, diarization.turns))
    spoken = []
    for segment, spread in zip(track, flat, strict=True):
        named = [next(words) for _ in spread]
        if segment.channel is not None:
            party = channel_label(segment.channel)
            named = [replace(word, speaker=party, alternatives=()) for word in named]
        kept = tuple(named) if segment.words else ()
        spoken.append(replace(segment, words=kept, speaker=named[0].speaker))
    return tuple(spoken)
