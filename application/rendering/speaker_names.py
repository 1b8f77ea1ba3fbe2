"""What other programs call the speakers of a transcript: by number, each in its own style; nothing else is changed."""

import re
from collections.abc import Callable

from domain.transcript import Transcript

_FOUND = re.compile(r"spk_\d+")
"""Labels that diarization gives; what people have called a speaker stays."""
Style = Callable[[int], str]
"""From a speaker's number, from 0 in the order of first words, to the label."""


def pyannote_style(number: int) -> str:
    """Name as pyannote does.

    >>> pyannote_style(0)
    'SPEAKER_00'
    """
    return f"SPEAKER_{number:02}"


def counted_style(number: int) -> str:
    """Name for people, who count from one.

    >>> counted_style(0)
    'Speaker_01'
    """
    return f"Speaker_{number + 1:02}"


def in_style(transcript: Transcript, style: Style) -> Transcript:
    """Return the transcript with the speakers that nobody has named relabelled, by first word, then by first turn."""
    heard = [segment.speaker for segment in transcript.segments if segment.speaker]
    labels = dict.fromkeys([*heard, *(turn.speaker for turn in transcript.turns)])
    return transcript.renamed({label: style(number) for number, label in enumerate(labels) if _FOUND.fullmatch(label)})
