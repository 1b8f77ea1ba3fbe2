"""The transcript as whisper-asr-webservice writes it, which Bazarr and others read; it must not know how it is sent."""

from typing import Any

import msgspec

from application.rendering.openai import flowing, follow_on
from application.rendering.plain import one_line
from application.rendering.registry import FORMATS
from application.rendering.speaker_names import in_style, pyannote_style
from domain.span import to_seconds
from domain.transcript import Segment, Transcript, Word

_encoder = msgspec.json.Encoder()


def write(transcript: Transcript, output: str, *, words: bool) -> bytes:
    """Write `txt`, `vtt`, `srt`, `tsv` or `json`; `words` have times of their own in the last, if asked for."""
    shown = in_style(transcript, pyannote_style)
    if output == "json":
        return _json(shown, words=words)
    if output == "txt":
        return "".join(f"{_line(segment)}\n" for segment in shown.segments if segment.text).encode("utf-8", "replace")
    return FORMATS[output].render(shown)


def _line(segment: Segment) -> str:
    text = one_line(segment.text)
    return f"[{one_line(segment.speaker)}]: {text}" if segment.speaker else text


def _json(transcript: Transcript, *, words: bool) -> bytes:
    segments = [_segment(number, segment, words=words) for number, segment in enumerate(transcript.segments, start=1)]
    return _encoder.encode({"language": transcript.language, "segments": segments, "text": flowing(transcript)})


def _segment(number: int, segment: Segment, *, words: bool) -> dict[str, Any]:
    """Write what that program tells of a segment; what its decoder has and ours does not tell is empty or 0."""
    quality = segment.quality
    return {
        "id": number,
        "seek": segment.span.start // 10,  # frames of 10 ms
        "start": to_seconds(segment.span.start),
        "end": to_seconds(segment.span.end),
        "text": follow_on(segment),
        "tokens": list[int](),
        "avg_logprob": (quality and quality.average_log_probability) or 0.0,
        "compression_ratio": (quality and quality.compression_ratio) or 0.0,
        "no_speech_prob": (quality and quality.no_speech_probability) or 0.0,
        "words": [_word(word) for word in segment.words] if words else None,
        "temperature": 0.0,
        **_by(segment.speaker),
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "start": to_seconds(word.span.start),
        "end": to_seconds(word.span.end),
        "word": word.text if word.glued else f" {word.text}",
        "probability": word.confidence,
        **_by(word.speaker),
    }


def _by(speaker: str | None) -> dict[str, str]:
    return {} if speaker is None else {"speaker": speaker}
