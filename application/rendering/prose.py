"""Plain text to read: paragraphs by speaker, or bare lines when there are no speakers."""

from itertools import groupby

from application.rendering.plain import UNKNOWN, clock, has_speakers, one_line
from domain.transcript import Transcript

_SECONDS = len("HH:MM:SS")


def text(transcript: Transcript) -> str:
    """Write `[HH:MM:SS] name: …`, a paragraph for each stretch of one speaker; without speakers, a line a segment."""
    if not has_speakers(transcript):
        return "".join(f"{line}\n" for segment in transcript.segments if (line := one_line(segment.text)))
    paragraphs = []
    for speaker, stretch in groupby(transcript.segments, key=lambda segment: segment.speaker):
        segments = [segment for segment in stretch if segment.text]
        said = one_line(" ".join(segment.text for segment in segments))
        if said:
            began, _, _ = clock(segments[0].span.start).partition(".")
            paragraphs.append(f"[{began}] {one_line(speaker or '') or UNKNOWN}: {said}\n")
    return "\n".join(paragraphs)
