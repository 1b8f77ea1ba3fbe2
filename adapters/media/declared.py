"""The duration that a recording's own header states.

It must never pass on an estimate: FFmpeg guesses a duration from the bit rate or the last timestamp of formats that
state none, and a guess would raise false alarms of truncation and refuse good recordings as too long.
"""

import os
import struct
from fractions import Fraction

from av.audio.stream import AudioStream
from av.container import InputContainer

# MPEG streams, ADTS, AC-3, DTS and AMR have no header for the whole; W64's is clipped to the file by FFmpeg.
_STATED_BY_TRACK = frozenset(
    {"aiff", "ape", "asf", "au", "caf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "mpc", "mpc8", "ogg", "tta", "wv"}
)
_RIFF_CHUNKS_SOUGHT = 64
_RIFF_SIZE_UNKNOWN = 0xFFFF_F000  # recorders that cannot seek back write the greatest size there is, or nearly
_MP3_HEAD = 4096
_ID3_HEADER = 10


def declared_duration(container: InputContainer, track: AudioStream, file: int) -> int | None:
    """Return ms, or None when the header does not say. `file` is a descriptor of the recording; it is not moved."""
    name = container.format.name
    seconds: Fraction | float | None = None
    if name in _STATED_BY_TRACK or (name == "mp3" and _mp3_counts_frames(file)):
        seconds = _of_track(track)
    elif name == "wav":
        seconds = _of_riff(file)
    elif name == "avi":
        seconds = track.frames * track.time_base if track.frames and track.time_base else None
    elif name == "matroska,webm":
        seconds = _of_matroska(container, track)
    return None if seconds is None or seconds < 0 else round(seconds * 1000)


def _of_track(track: AudioStream) -> Fraction | None:
    return track.duration * track.time_base if track.duration and track.time_base else None


def _of_matroska(container: InputContainer, track: AudioStream) -> float | None:
    """Read the track's own tag; the file's duration is the audio's only when there is nothing but audio."""
    if tag := track.metadata.get("DURATION"):
        try:
            hours, minutes, seconds = tag.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except ValueError:
            return None
    alone = len(container.streams) == 1 and container.duration
    return container.duration / 1_000_000 if alone and container.duration else None


def _of_riff(file: int) -> Fraction | None:
    """Walk a WAV file's chunks, for FFmpeg clips the stated size of the samples to that of the file."""
    if os.pread(file, 4, 0) != b"RIFF":
        return None
    offset, byte_rate = 12, 0
    for _ in range(_RIFF_CHUNKS_SOUGHT):
        head = os.pread(file, 8, offset)
        if len(head) < 8:  # noqa: PLR2004 - a chunk's head: a name and a size
            return None
        name, size = head[:4], int(struct.unpack("<I", head[4:])[0])
        if name == b"fmt ":
            (byte_rate,) = struct.unpack("<I", os.pread(file, 4, offset + 16).ljust(4, b"\0"))
        elif name == b"data":
            return Fraction(size, byte_rate) if byte_rate and 0 < size < _RIFF_SIZE_UNKNOWN else None
        offset += 8 + size + size % 2
    return None


def _mp3_counts_frames(file: int) -> bool:
    """Whether the first frame holds a Xing, Info or VBRI header."""
    tag = os.pread(file, _ID3_HEADER, 0)
    start = 0
    if tag.startswith(b"ID3") and len(tag) == _ID3_HEADER:
        start = _ID3_HEADER + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
    head = os.pread(file, _MP3_HEAD, start)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))
