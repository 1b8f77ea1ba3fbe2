"""Makes `conversation` and `call`, each `.flac` and `.stm`: two espeak-ng voices in turn, and the times of their turns.

The conversation is clean, and its words are easy. The call has the parties on microphones of their own in a room.

Run once, from the project's root, with espeak-ng 1.51 installed: `python -m tests.data.make_conversation`. Tests use
the files as they are committed. The sentences are of the grammar that `small-whisper` beside them was trained on.
"""

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
PAUSE = 0.8
"""Seconds between turns."""
LOUDNESS = 0.09
"""Of espeak-ng's full scale: quiet samples make a small file."""
LEVEL = 1500.0
"""Root mean square of each turn of the call, in 16-bit steps."""
VOICES = {"agent": "en-us+m3", "caller": "en-gb+f2"}
CLOSE_MICROPHONE = 0.7
"""How far the caller's microphone favours high tones (y[n] = x[n] - 0.7 x[n - 1]): espeak-ng's voices are one
synthesiser, and sound alike to anything but an ear until they reach the recording in different ways, as in a call."""
ROOM = 20.0
"""Standard deviation of the noise, in 16-bit steps; a recording is never digitally silent."""
TURNS = (
    ("agent", "Thank you for calling how can I help you?"),
    ("caller", "My account number is forty nine three."),
    ("agent", "Can you open the big report by Monday?"),
    ("caller", "Who is going to check the schedule?"),
    ("agent", "We need four more days for the schedule."),
    ("caller", "Not yet but I will do it today."),
    ("agent", "Goodbye and have a nice day."),
)


def spoken(voice: str, text: str) -> NDArray[np.float64]:
    """Speak at 150 words a minute; 16 kHz, without the silence at both ends."""
    command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text.lower()]
    wave = subprocess.run(command, capture_output=True, check=True).stdout
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(wave), "r") as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])
    loud = np.flatnonzero(np.abs(samples) > 200)
    return samples[loud[0] : loud[-1]].astype(np.float64)


def by_microphone(turn: NDArray[np.float64], *, close: bool) -> NDArray[np.float64]:
    """Take a turn as a microphone would, at an even level."""
    heard = np.append(turn[:1], turn[1:] - CLOSE_MICROPHONE * turn[:-1]) if close else turn
    levelled: NDArray[np.float64] = heard * LEVEL / np.sqrt(np.mean(heard**2))
    return levelled


def in_a_room(signal: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Add the room's noise."""
    return signal + np.random.default_rng(seed).normal(0.0, ROOM, len(signal))


def main() -> None:
    """Write all four files beside this one."""
    turns = [(speaker, text, spoken(VOICES[speaker], text)) for speaker, text in TURNS]
    _write("conversation", [(speaker, text, turn * LOUDNESS) for speaker, text, turn in turns], room=False)
    call = [(speaker, text, by_microphone(turn, close=speaker == "caller")) for speaker, text, turn in turns]
    _write("call", call, room=True)


def _write(name: str, turns: Sequence[tuple[str, str, NDArray[np.float64]]], *, room: bool) -> None:
    here = Path(__file__).parent
    pause = np.zeros(int(PAUSE * RATE))
    parts, lines, position = [pause], [], len(pause)
    for speaker, text, turn in turns:
        lines.append(f"{name} 1 {speaker} {position / RATE:.3f} {(position + len(turn)) / RATE:.3f} {text}")
        parts += [turn, pause]
        position += len(turn) + len(pause)
    signal = np.concatenate(parts)
    samples = (in_a_room(signal, seed=0) if room else signal).round().astype(np.int16)
    with av.open(here / f"{name}.flac", "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", options={"compression_level": "12"})
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    (here / f"{name}.stm").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
