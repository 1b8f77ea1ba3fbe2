"""Putting together what was heard and who spoke: words meet turns, and a transcript comes out. Nothing is fetched."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from domain.attribution import attribute, speaker_labels
from domain.media import ChannelMode, ChannelRelation, MediaFacts, truncation
from domain.regrouping import regroup
from domain.speaker import Diarization, channel_label
from domain.stage import Notice, Stage, StageName, StageStatus
from domain.task import Task
from domain.transcript import Recognition, Segment, Transcript, Word

UNDETERMINED = "und"
"""BCP 47's word for a language that nothing was heard of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the engines gave: each track's recognitions, the turns (None: not asked for, or failed), and the stages."""

    recognitions: Sequence[Sequence[Recognition]]
    diarization: Diarization | None
    split: bool
    stages: tuple[Stage, ...]


def assemble(task: Task, facts: MediaFacts, heard: Heard, elapsed_ms: int) -> Transcript:
    """Return the transcript of the task's next revision."""
    started = time.perf_counter()
    tracks = [
        tuple(
            replace(segment, channel=number if heard.split else None, language=segment.language or recognition.language)
            for recognition in track
            for segment in recognition.segments
        )
        for number, track in enumerate(heard.recognitions)
    ]
    stages = list(heard.stages)
    if heard.diarization is not None:
        tracks = [_spoken(track, heard.diarization) for track in tracks]
        seconds = round(time.perf_counter() - started, 3)
        stages.append(Stage(name=StageName.ATTRIBUTION, status=StageStatus.RAN, seconds=seconds))
    elif task.options.diarization:
        reason = "there are no turns to attribute words to"
        stages.append(Stage(name=StageName.ATTRIBUTION, status=StageStatus.SKIPPED, reason=reason))
    segments = sorted((part for track in tracks for part in regroup(track)), key=lambda segment: segment.span)
    transcript = Transcript(
        task_id=str(task.id),
        revision=task.revision + 1,
        language=_language(task, heard),
        model=next(stage.model for stage in stages if stage.name is StageName.RECOGNITION),
        media=facts,
        segments=tuple(segments),
        turns=heard.diarization.turns if heard.diarization else (),
        stages=tuple(stages),
        warnings=tuple(_warnings(task, facts, heard)),
        processing_ms=elapsed_ms,
    )
    return transcript.renamed(speaker_labels(transcript.words, transcript.turns))


def _spoken(track: Sequence[Segment], diarization: Diarization) -> tuple[Segment, ...]:
    """Give every word its speaker: its channel's where channels are parties, else the one whose turn it falls into."""
    # A segment that has no words is attributed as if it were one.
    flat = [segment.words or (Word(span=segment.span, text=segment.text),) for segment in track]
    words = iter(attribute([word for words in flat for word in words], diarization.exclusive, diarization.turns))
    spoken = []
    for segment, spread in zip(track, flat, strict=True):
        named = [next(words) for _ in spread]
        if segment.channel is not None:
            named = [replace(word, speaker=channel_label(segment.channel)) for word in named]
        kept = tuple(named) if segment.words else ()
        spoken.append(replace(segment, words=kept, speaker=named[0].speaker))
    return tuple(spoken)


def _language(task: Task, heard: Heard) -> str:
    """The language of most segments, or what was asked for where there are none."""
    counts = Counter(
        recognition.language for track in heard.recognitions for recognition in track for _ in recognition.segments
    )
    if counts:
        return counts.most_common(1)[0][0]
    return UNDETERMINED if task.options.language == "auto" else task.options.language


def _warnings(task: Task, facts: MediaFacts, heard: Heard) -> Iterable[Notice]:
    if notice := truncation(facts):
        yield notice
    if not any(recognition.segments for track in heard.recognitions for recognition in track):
        yield Notice("no_speech", "No speech was recognised in the recording.")
    if task.options.channels is ChannelMode.SPLIT and not heard.split:
        why = "both hold the same" if facts.relation is ChannelRelation.IDENTICAL else "there are not two of them"
        yield Notice("channels_mixed", f"The channels were mixed instead of split: {why}.")
    for stage in heard.stages:
        if stage.status is StageStatus.FAILED:
            yield Notice(f"{stage.name}_failed", f"The stage {stage.name} failed: {stage.reason}")
