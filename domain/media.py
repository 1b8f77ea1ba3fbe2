"""Recordings before and after decoding, and the limits they must keep."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from domain.stage import Notice

SAMPLE_RATE = 16_000
"""Hz; what Whisper, PocketSphinx, Silero and pyannote's models all take."""


class ChannelMode(StrEnum):
    """How the channels of a recording are treated."""

    AUTO = "auto"
    MIX = "mix"
    SPLIT = "split"


class ChannelRelation(StrEnum):
    """How the two channels of a stereo recording relate, measured while decoding."""

    SINGLE = "single"
    IDENTICAL = "identical"
    DISTINCT = "distinct"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What a recording may cost; durations in ms, sizes in bytes. `track` picks an audio track, from 0.

    `only_first` ms are decoded, where given; what is after them is not looked at, and so never too long.
    """

    max_duration: int
    max_memory: int
    max_seconds: float
    track: int = 0
    split_channels: bool = False
    only_first: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedAudio:
    """Audio on disk: raw 16 kHz mono signed 16-bit little-endian samples, to be memory-mapped; duration in ms."""

    path: PurePath
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What was found in the file. `declared` and `decoded` are ms; `declared` is None when the file does not say."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared: int | None
    decoded: int
    tracks: int = 1
    track: int = 0
    relation: ChannelRelation = ChannelRelation.SINGLE


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSample:
    """How somebody who may speak in a recording sounds; where the sample cannot be had, `missing` says why."""

    name: str
    audio: DecodedAudio | None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedMedia:
    """A decoded recording: the mix, one file for each channel when they were split, and what was found.

    `voices` are samples of speakers whom to look for in it.
    """

    mix: DecodedAudio
    channels: tuple[DecodedAudio, ...]
    facts: MediaFacts
    voices: tuple[VoiceSample, ...] = ()


def truncation(facts: MediaFacts) -> Notice | None:
    """Warn of a recording that breaks off before the end that its header states.

    Up to a second, or one per cent of a long recording, may be missing: headers round, and encoders count their padding
    in. Formats that state no duration cannot be judged.
    """
    if facts.declared is None or facts.declared - facts.decoded <= max(1000, facts.declared // 100):
        return None
    return Notice(
        "truncated_input",
        f"The recording says that it lasts {facts.declared / 1000:.1f} seconds,"
        f" but only {facts.decoded / 1000:.1f} seconds of audio could be decoded.",
    )
