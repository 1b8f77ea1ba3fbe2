"""Conversations whose words and speakers are known, because espeak-ng speaks them here and now."""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.data.make_conversation import RATE, by_microphone, in_a_room, spoken

VOICES = {"anna": "en-gb+f2", "peter": "en-us+m3"}
SCRIPT = (
    ("anna", "hello everyone welcome to the meeting"),
    ("peter", "thanks let us get started with the report"),
    ("anna", "can you review the new budget by friday"),
    ("peter", "yes i will review it on monday"),
    ("anna", "we need three more days for the project"),
    ("peter", "who is going to send the invoice"),
    ("anna", "goodbye and have a nice day"),
)
"""Sentences of the grammar that `tests/data/small-whisper` was trained on."""
_PAUSE_SECONDS = 0.7


@dataclass(frozen=True)
class Line:
    """What one speaker says between `start` and `end`, in seconds."""

    start: float
    end: float
    speaker: str
    text: str


def speak(target: Path) -> list[Line]:
    """Write the conversation to `target` as WAV and return its lines; peter sits closer to his microphone."""
    pause = np.zeros(int(_PAUSE_SECONDS * RATE))
    parts, lines, position = [pause], [], len(pause)
    for speaker, text in SCRIPT:
        turn = by_microphone(spoken(VOICES[speaker], text), close=speaker == "peter")
        lines.append(Line(position / RATE, (position + len(turn)) / RATE, speaker, text))
        parts += [turn, pause]
        position += len(turn) + len(pause)
    samples = in_a_room(np.concatenate(parts), seed=1).round().astype("<i2")
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return lines


def read_stm(path: Path) -> list[Line]:
    """Read `<file> <channel> <speaker> <start> <end> <text>` lines."""
    lines = []
    for row in path.read_text(encoding="utf-8").splitlines():
        if row and not row.startswith(";;"):
            _, _, speaker, start, end, text = row.split(maxsplit=5)
            lines.append(Line(float(start), float(end), speaker, text))
    return lines
