"""The transcript in the shapes of OpenAI's audio API; seconds as floats, speakers as letters.

It must not know how they are asked for.
"""

import math
from itertools import count
from string import ascii_uppercase
from typing import Any

import msgspec

from domain.edits import FOUND_LABEL
from domain.language_names import NAMES
from domain.options import Goal
from domain.span import to_seconds
from domain.transcript import Segment, Transcript

_encoder = msgspec.json.Encoder()


def brief(transcript: Transcript) -> bytes:
    """Write `json`: the text and what it cost."""
    return _encoder.encode({"text": flowing(transcript), "usage": _usage(transcript)})


def verbose(transcript: Transcript, *, goal: Goal, words: bool, segments: bool) -> bytes:
    """Write `verbose_json`: with times of segments, of words, or of both.

    What OpenAI tells of its decoder and ours does not is empty or 0: `tokens`, `temperature`, and the probabilities of
    engines that give none.
    """
    whole = {
        "task": goal,
        "language": NAMES.get(transcript.language, transcript.language),
        "duration": to_seconds(transcript.media.decoded),
        "text": flowing(transcript),
    }
    letters = speaker_letters(transcript)
    if segments:
        whole["segments"] = [
            _verbose_segment(number, segment, letters) for number, segment in enumerate(transcript.segments)
        ]
    if words:
        whole["words"] = [
            {"word": word.text, "start": to_seconds(word.span.start), "end": to_seconds(word.span.end)}
            for segment in transcript.segments
            for word in segment.words
        ]
    return _encoder.encode({**whole, "usage": _usage(transcript)})


def diarized(transcript: Transcript, *, goal: Goal) -> bytes:
    """Write `diarized_json`: who said what and when."""
    return _encoder.encode(
        {
            "task": goal,
            "duration": to_seconds(transcript.media.decoded),
            "text": flowing(transcript),
            "segments": diarized_segments(transcript),
            "usage": _usage(transcript),
        }
    )


def diarized_segments(transcript: Transcript) -> list[dict[str, Any]]:
    """Give the segments of `diarized_json`, which are also events of a stream."""
    letters = speaker_letters(transcript)
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": to_seconds(segment.span.start),
            "end": to_seconds(segment.span.end),
            "speaker": letters.get(segment.speaker or "", ""),
            "text": segment.text,
        }
        for number, segment in enumerate(transcript.segments)
    ]


def flowing(transcript: Transcript) -> str:
    """Give the text alone, in one line."""
    return "".join(map(follow_on, transcript.segments)).strip()


def follow_on(segment: Segment) -> str:
    """Give a segment's text as it follows on what was said before: after a space, in languages that have them."""
    glued = bool(segment.words) and segment.words[0].glued
    return segment.text if glued else f" {segment.text}"


def speaker_letters(transcript: Transcript) -> dict[str, str]:
    """Name the speakers `A`, `B`, … `Z`, `AA`, … in the order in which they first speak; who has a name keeps it."""
    labels = dict.fromkeys(segment.speaker for segment in transcript.segments if segment.speaker)
    letters = (letter for letter in map(_letters, count()) if letter not in labels)
    return {label: next(letters) if FOUND_LABEL.fullmatch(label) else label for label in labels}


def _letters(number: int) -> str:
    rest, last = divmod(number, len(ascii_uppercase))
    return (_letters(rest - 1) if rest else "") + ascii_uppercase[last]


def _verbose_segment(number: int, segment: Segment, letters: dict[str, str]) -> dict[str, Any]:
    quality = segment.quality
    shown = {
        "id": number,
        "seek": segment.span.start // 10,  # frames of 10 ms
        "start": to_seconds(segment.span.start),
        "end": to_seconds(segment.span.end),
        "text": follow_on(segment),
        "tokens": list[int](),
        "temperature": 0.0,
        "avg_logprob": (quality and quality.average_log_probability) or 0.0,
        "compression_ratio": (quality and quality.compression_ratio) or 0.0,
        "no_speech_prob": (quality and quality.no_speech_probability) or 0.0,
    }
    return {**shown, "speaker": letters[segment.speaker]} if segment.speaker else shown


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(to_seconds(transcript.media.decoded))}
