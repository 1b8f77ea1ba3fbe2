"""The result as JSON, in the shape that the API promises; times in seconds with three decimals."""

from typing import Any

import msgspec

from domain.media import MediaFacts
from domain.span import Span, to_seconds
from domain.speaker import SpeakerTurn
from domain.statistics import SpeakerStatistics, statistics
from domain.transcript import Move, Segment, Suspect, Transcript, Word

_encoder = msgspec.json.Encoder()


def json(transcript: Transcript) -> str:
    """Write every field of the transcript, with statistics for each speaker; a speaker that nobody found is null."""
    return _encoder.encode(
        {
            "task_id": transcript.task_id,
            "revision": transcript.revision,
            "status": "done",
            "language": transcript.language,
            "language_probability": transcript.language_probability,
            "model": transcript.model,
            "duration": to_seconds(transcript.media.decoded),
            "media": _media(transcript.media),
            "segments": [_segment(segment) for segment in transcript.segments],
            "full_text": transcript.full_text,
            "processing_time": to_seconds(transcript.processing_ms),
            "speakers": {
                speaker.speaker: _speaker(speaker) for speaker in statistics(transcript.segments, transcript.turns)
            },
            "turns": [_turn(turn) for turn in transcript.turns],
            "suspect_spans": [_suspect(suspect) for suspect in transcript.suspects],
            "uncovered_speech": [_times(span) for span in transcript.uncovered_speech],
            "moves": [_move(move) for move in transcript.moves],
            "stages": transcript.stages,
            "warnings": transcript.warnings,
        }
    ).decode()


def _times(span: Span) -> dict[str, float]:
    return {"start": to_seconds(span.start), "end": to_seconds(span.end)}


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        **_times(segment.span),
        "speaker": segment.speaker,
        "text": segment.text,
        "language": segment.language,
        "channel": segment.channel,
        "quality": segment.quality,
        "words": [_word(word) for word in segment.words],
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "start": to_seconds(word.span.start),
        "end": to_seconds(word.span.end),
        "confidence": word.confidence,
        "speaker": word.speaker,
        "overlap": word.overlap,
        "timing": word.timing,
        "alternatives": word.alternatives,
    }


def _suspect(suspect: Suspect) -> dict[str, Any]:
    return {**_times(suspect.span), "reason": suspect.reason, "text": suspect.text}


def _move(move: Move) -> dict[str, Any]:
    return {**_times(move.span), "before": move.before, "after": move.after, "margin": round(move.margin, 4)}


def _turn(turn: SpeakerTurn) -> dict[str, Any]:
    return {**_times(turn.span), "speaker": turn.speaker}


def _speaker(counted: SpeakerStatistics) -> dict[str, Any]:
    return {
        "talk_time": to_seconds(counted.talk_time),
        "share": round(counted.share, 4),
        "turns": counted.turns,
        "segments": counted.segments,
        "words": counted.words,
        "words_per_minute": round(counted.words_per_minute, 1),
        "overlap_time": to_seconds(counted.overlap_time),
        "longest_turn": to_seconds(counted.longest_turn),
        "interruptions": counted.interruptions,
    }


def _media(facts: MediaFacts) -> dict[str, Any]:
    return {
        "container": facts.container,
        "codec": facts.codec,
        "sample_rate": facts.sample_rate,
        "channels": facts.channels,
        "channel_relation": facts.relation,
        "declared_duration": None if facts.declared is None else to_seconds(facts.declared),
        "decoded_duration": to_seconds(facts.decoded),
        "tracks": facts.tracks,
        "track": facts.track,
    }
