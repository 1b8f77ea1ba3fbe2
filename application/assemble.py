"""Putting together what was heard and who spoke: a transcript comes out. Nothing is fetched."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from application.attribute_tracks import Attributed, Heard
from domain.attribution import speaker_labels
from domain.media import ChannelMode, ChannelRelation, MediaFacts, truncation
from domain.span import Span, merged
from domain.speaker_doubts import speaker_doubts
from domain.stage import Notice, StageName, StageStatus
from domain.task import Task
from domain.transcript import Suspect, Transcript
from domain.uncovered import uncovered

UNDETERMINED = "und"
"""BCP 47's word for a language that nothing was heard of."""


def assemble(task: Task, facts: MediaFacts, heard: Heard, attributed: Attributed, elapsed_ms: int) -> Transcript:
    """Return the transcript of the task's next revision."""
    segments = sorted((part for track in attributed.tracks for part in track), key=lambda segment: segment.span)
    transcript = Transcript(
        task_id=str(task.id),
        revision=task.revision + 1,
        language=(language := _language(task, heard)),
        language_probability=_probability(heard, language),
        model=next(stage.model for stage in attributed.stages if stage.name is StageName.RECOGNITION),
        media=facts,
        segments=tuple(segments),
        turns=heard.diarization.turns if heard.diarization else (),
        stages=attributed.stages,
        warnings=tuple(_warnings(task, facts, heard, attributed)),
        suspects=tuple(_suspects(heard)),
        uncovered_speech=_uncovered(heard),
        moves=attributed.moves,
        processing_ms=elapsed_ms,
    )
    labels = speaker_labels(transcript.words, transcript.turns)
    transcript = transcript.renamed(labels)
    if heard.diarization is None:
        return transcript
    doubts = speaker_doubts(transcript.segments, transcript.turns, task.options.hints, facts.relation)
    names = tuple((labels[found], name) for found, name in heard.diarization.names if found in labels)
    return replace(transcript, warnings=(*transcript.warnings, *doubts), names=names)


def _language(task: Task, heard: Heard) -> str:
    """The language of most segments, or what was asked for where there are none."""
    counts = Counter(
        segment.language or recognition.language
        for track in heard.recognitions
        for recognition in track
        for segment in recognition.segments
    )
    if counts:
        return counts.most_common(1)[0][0]
    return UNDETERMINED if task.options.language == "auto" else task.options.language


def _probability(heard: Heard, language: str) -> float | None:
    """How likely the language is where it is likeliest; nobody asks the engine again where it was told once."""
    found = [
        recognition.language_probability
        for track in heard.recognitions
        for recognition in track
        if recognition.segments and recognition.language == language and recognition.language_probability is not None
    ]
    # The first window is the one that was listened to for the language; the others were told it.
    return found[0] if found else None


def _suspects(heard: Heard) -> Iterable[Suspect]:
    found = (suspect for track in heard.recognitions for recognition in track for suspect in recognition.suspects)
    return sorted(found, key=lambda suspect: suspect.span)


def _uncovered(heard: Heard) -> tuple[Span, ...]:
    """Find the speech without words of each track; where several lose the same moment it is told once."""
    return merged(
        lost
        for regions, track in zip(heard.speech, heard.recognitions, strict=False)
        for lost in uncovered(regions, (span for recognition in track for span in recognition.spans))
    )


def _warnings(task: Task, facts: MediaFacts, heard: Heard, attributed: Attributed) -> Iterable[Notice]:
    if notice := truncation(facts):
        yield notice
    if not any(recognition.segments for track in heard.recognitions for recognition in track):
        yield Notice("no_speech", "No speech was recognised in the recording.")
    if task.options.channels is ChannelMode.SPLIT and not heard.split:
        why = "both hold the same" if facts.relation is ChannelRelation.IDENTICAL else "there are not two of them"
        yield Notice("channels_mixed", f"The channels were mixed instead of split: {why}.")
    for stage in attributed.stages:
        if stage.status is StageStatus.FAILED:
            yield Notice(f"{stage.name}_failed", f"The stage {stage.name} failed: {stage.reason}")
