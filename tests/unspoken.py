"""Sound in which nobody speaks: silence, noise of several colours and levels, hums, and music made of sines."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
SECONDS = 12
LEVELS = (-60, -40, -20, -6)
"""dB of full scale, effective value for noise, peak for music."""
COLOURS = {"white": 0.0, "pink": -1.0, "brown": -2.0, "blue": 1.0, "violet": 2.0}
"""How power grows with frequency, as an exponent."""

Sound = NDArray[np.float64]


def unspoken() -> Mapping[str, NDArray[np.int16]]:
    """Make every recording by name, 16 kHz."""
    made = {"digital silence": np.zeros(SECONDS * RATE), "one step of offset": np.full(SECONDS * RATE, 1 / 32_768)}
    for level in LEVELS:
        for colour, exponent in COLOURS.items():
            made[f"{colour} noise at {level} dB"] = _to_level(_noise(exponent), level, peak=False)
        for name, music in _music().items():
            made[f"{name} at {level} dB"] = _to_level(music, level, peak=True)
    made["mains hum"] = _to_level(_tone(50, SECONDS, harmonics=9, decay=0), -20, peak=True)
    made["fan with hum"] = made["brown noise at -20 dB"] + 0.3 * made["mains hum"]
    made["applause"] = _to_level(_applause(), -12, peak=True)
    return {name: (sound.clip(-1, 1) * 32_767).astype(np.int16) for name, sound in made.items()}


def _noise(exponent: float) -> Sound:
    white = np.fft.rfft(np.random.default_rng(4).normal(size=SECONDS * RATE))
    frequencies = np.fft.rfftfreq(SECONDS * RATE, 1 / RATE)
    frequencies[0] = frequencies[1]
    return np.fft.irfft(white * frequencies ** (exponent / 2), SECONDS * RATE)


def _applause() -> Sound:
    chance = np.random.default_rng(5)
    claps = np.zeros(SECONDS * RATE)
    for start in chance.integers(0, len(claps) - 800, 900):
        claps[start : start + 800] += chance.normal(size=800) * np.exp(-np.arange(800) / 120)
    return claps


def _music() -> dict[str, Sound]:
    chords = ((220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247, 294))
    organ = np.concatenate([sum(_tone(note, 3, harmonics=6, decay=0) for note in chord) for chord in chords])
    piano = np.concatenate([sum(_tone(note, 1, harmonics=8, decay=3) for note in chord) for chord in chords * 3])
    scale = (262, 294, 330, 349, 392, 440, 494, 523)
    chance = np.random.default_rng(6)
    melody = np.concatenate([_tone(chance.choice(scale), 0.25, harmonics=5, decay=4) for _ in range(4 * SECONDS)])
    strings = np.concatenate([_tone(note, 1.5, harmonics=10, decay=0, vibrato=5.5) for note in scale])
    beat = np.zeros(SECONDS * RATE)
    for start in range(0, len(beat) - RATE // 4, RATE // 2):
        hit = chance.normal(size=RATE // 8) * np.exp(-np.arange(RATE // 8) / 400)
        beat[start : start + RATE // 4] += _tone(60, 0.25, harmonics=2, decay=12)
        beat[start + RATE // 4 - len(hit) : start + RATE // 4] += 0.5 * hit
    return {"organ": organ, "piano": piano, "melody": melody, "strings": strings, "band": beat + 0.5 * piano + melody}


def _tone(pitch: float, seconds: float, *, harmonics: int, decay: float, vibrato: float = 0.0) -> Sound:
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * (time + (0.002 * np.sin(2 * np.pi * vibrato * time) / max(vibrato, 1)))
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    sound = np.sum([np.sin(number * phase) / number for number in range(1, harmonics + 1)], axis=0)
    result: Sound = sound * fade * np.exp(-decay * time)
    return result


def _to_level(sound: Sound, level: float, *, peak: bool) -> Sound:
    loudness = float(np.abs(sound).max() if peak else np.sqrt(np.square(sound).mean()))
    return sound * (10 ** (level / 20) / loudness)
