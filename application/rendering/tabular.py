"""TSV and RTTM: a line for each segment or turn."""

from application.rendering.plain import UNKNOWN, has_speakers, one_line, one_token
from domain.span import to_seconds
from domain.transcript import Transcript

_FORMULA = ("=", "+", "-", "@")


def tsv(transcript: Transcript) -> str:
    """Write `start`, `end` (ms) and `text` as openai-whisper does.

    Where there are speakers, `speaker` is a fourth column. A cell that a spreadsheet would run as a formula has an
    apostrophe before it; one that it would read on to the next quotation mark starts with a typographic one.
    """
    named = has_speakers(transcript)
    rows = [["start", "end", "text", "speaker"]]
    rows += (
        [str(segment.span.start), str(segment.span.end), _cell(segment.text), _cell(segment.speaker or UNKNOWN)]
        for segment in transcript.segments
    )
    return "".join("\t".join(row if named else row[:3]) + "\n" for row in rows)


def rttm(transcript: Transcript) -> str:
    """Write the turns as NIST's rich transcription time marks, overlaps and all, by onset; the file is the task."""
    file = one_token(transcript.task_id)
    return "".join(
        f"SPEAKER {file} 1 {to_seconds(turn.span.start):.3f} {to_seconds(turn.span.duration):.3f} <NA> <NA> "
        f"{one_token(turn.speaker)} <NA> <NA>\n"
        for turn in sorted(transcript.turns)
        if turn.span.duration
    )


def _cell(text: str) -> str:
    line = one_line(text)
    if line.startswith('"'):
        return f"\u201c{line[1:]}"
    return f"'{line}" if line.startswith(_FORMULA) else line
