"""The transcript in the shapes of earlier services of this kind, whose programs go on working here.

Seconds as floats; it must not know how they are asked for.
"""

from collections.abc import Mapping
from typing import Any

from application.rendering.openai import flowing
from application.rendering.plain import UNKNOWN, one_line
from application.rendering.speaker_names import counted_style, in_style, pyannote_style
from domain.span import Span, to_seconds
from domain.statistics import SpeakerStatistics, statistics
from domain.transcript import Segment, Transcript

Json = Mapping[str, Any]


def spoken(transcript: Transcript) -> list[Json]:
    """Give the segments with pyannote's names of speakers; null where nobody knows."""
    return [_segment(segment) for segment in in_style(transcript, pyannote_style).segments]


def whole(transcript: Transcript) -> Json:
    """Give the text, and who said what: the result of a job."""
    segments = spoken(transcript)
    return {
        "text": flowing(transcript),
        "language": transcript.language,
        "duration": to_seconds(transcript.media.decoded),
        "segments": segments,
        "num_speakers": len({segment["speaker"] for segment in segments if segment["speaker"]}),
        "processing_time": to_seconds(transcript.processing_ms),
    }


def report(transcript: Transcript) -> Json:
    """Give the transcript as lines, and what each speaker's part in it was; percentages are of the whole recording."""
    shown = in_style(transcript, counted_style)
    counted = statistics(shown.segments, shown.turns)
    return {
        "transcript": "\n".join(_line(segment) for segment in shown.segments if segment.text),
        "speakers": {part.speaker: _part(part, transcript.media.decoded) for part in counted},
        "segments": [_segment(segment) for segment in shown.segments],
        "processing_time": to_seconds(transcript.processing_ms),
        "audio_duration": to_seconds(transcript.media.decoded),
        "total_speakers": len(counted),
    }


def diarization(transcript: Transcript) -> Json:
    """Give who spoke when, what they said, and how many they are; speakers as pyannote names them."""
    shown = in_style(transcript, pyannote_style)
    return {
        "num_speakers": len(statistics(shown.segments, shown.turns)),
        "duration": to_seconds(shown.media.decoded),
        "language": shown.language,
        "turns": [{**_times(turn.span), "speaker": turn.speaker} for turn in shown.turns],
        "segments": [_segment(segment) for segment in shown.segments],
    }


def _line(segment: Segment) -> str:
    speaker = one_line(segment.speaker or "") or UNKNOWN
    times = f"{to_seconds(segment.span.start):.2f}s - {to_seconds(segment.span.end):.2f}s"
    return f"{speaker} [{times}]: {one_line(segment.text)}"


def _segment(segment: Segment) -> Json:
    return {"speaker": segment.speaker, **_times(segment.span), "text": segment.text}


def _times(span: Span) -> dict[str, float]:
    return {"start": to_seconds(span.start), "end": to_seconds(span.end)}


def _part(counted: SpeakerStatistics, whole: int) -> Json:
    return {
        "total_duration": to_seconds(counted.talk_time),
        "percentage": min(100.0, round(100 * counted.talk_time / max(1, whole), 1)),
        "segment_count": counted.segments,
        "word_count": counted.words,
    }
