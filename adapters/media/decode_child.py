"""The process in which a recording is opened and decoded: a fork of `adapters.media.fork_server`.

Lines of JSON on standard output tell the parent how it goes: `{"fraction": 0.4}`, then `{"facts": {…}}` or
`{"refused": code, "detail": sentence}`. The recording must never be opened before `confine` has run, nor anything
imported after it.
"""

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.subtitles.codeccontext
import av.subtitles.stream  # PyAV would import these two when it meets subtitles: too late
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from adapters.confinement import confine
from adapters.media.declared import declared_duration
from adapters.media.formats import DECODERS, DEMUXERS
from adapters.media.recorder import NotSound, Recorder, TooLong
from domain.media import SAMPLE_RATE

GRACE = 1000
"""ms over the limit that are let pass: codecs fill up their last frame."""

_REPORT_EVERY = 0.2  # seconds
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WELL_TIMED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}  # every packet carries its time since the beginning
_LONGEST_HOLE = 10  # seconds, where timestamps jump for reasons of broadcasting


class Refused(Exception):
    """The recording cannot be transcribed; the arguments are a code of `MediaRejected` and a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to decode: `source` into `mix`, and each of two channels into `channels`; limits as in `DecodeLimits`."""

    source: str
    mix: str
    channels: list[str]
    max_duration: int
    max_memory: int
    max_seconds: float
    track: int
    only_first: int | None

    @property
    def max_samples(self) -> int:
        """How many samples each file may hold."""
        longest = self.max_duration + GRACE
        return (longest if self.only_first is None else min(self.only_first, longest)) * SAMPLE_RATE // 1000


def main(job: str) -> None:
    """Decode as `job` says, as JSON; `{}` only tells which layers of the confinement hold here."""
    task = json.loads(job)
    if not task:
        _say(layers=confine(memory=1 << 30, seconds=1, file_size=0))
        return
    try:
        _say(facts=_run(Job(**task)))
    except Refused as refusal:
        code, detail = refusal.args
        _say(refused=code, detail=detail)
    except MemoryError:
        _say(refused="decode_failed", detail="Decoding needs more memory than it may have.")
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _say(refused="storage_full", detail="There is no room for the decoded audio.")


def _run(job: Job) -> dict[str, Any]:
    with ExitStack() as files:
        source = files.enter_context(Path(job.source).open("rb", buffering=0)).fileno()
        mix, *channels = [files.enter_context(Path(path).open("wb")) for path in (job.mix, *job.channels)]
        confine(memory=job.max_memory, seconds=job.max_seconds, file_size=job.max_samples * 2)
        with opened(source) as container:
            track = _chosen(container, job.track)
            stereo = track.codec_context.channels == 2  # noqa: PLR2004 - stereo
            declared = declared_duration(container, track, source)
            if declared is not None and job.only_first is not None:
                declared = min(declared, job.only_first)
            if declared is not None and declared > job.max_duration + GRACE:
                raise Refused("too_long", _too_long(job))
            hole = (declared or job.max_duration) // 1000 if container.format.name in _WELL_TIMED else _LONGEST_HOLE
            recorder = Recorder(
                mix, channels if stereo else (), stereo=stereo, max_samples=job.max_samples, longest_hole=hole
            )
            if container.start_time is not None:
                recorder.start_at(container.start_time / av.time_base)
            try:
                _record(container, track, recorder)
            except TooLong as error:
                if job.only_first is None or job.only_first > job.max_duration:
                    raise Refused("too_long", _too_long(job)) from error
            return {
                "container": container.format.name.partition(",")[0],
                "codec": track.codec_context.codec.canonical_name,
                "sample_rate": track.codec_context.sample_rate,
                "channels": track.codec_context.channels,
                "declared": declared,
                "tracks": len(container.streams.audio),
                "track": job.track,
                "relation": recorder.relation,
            }


def opened(file: int) -> InputContainer:
    """Open by descriptor: there is no name to mislead the probe, and no protocol but this one to open more with."""
    options = {
        "fd": str(file),
        "protocol_whitelist": "fd",
        "format_whitelist": ",".join(DEMUXERS),
        "codec_whitelist": ",".join(DECODERS),
    }
    try:
        return av.open("fd:", options=options, metadata_errors="ignore")
    except MemoryError:
        raise
    except FFmpegError as error:
        raise Refused("not_media", "This is no audio or video of a known format.") from error


def _chosen(container: InputContainer, number: int) -> AudioStream:
    tracks = container.streams.audio
    if number >= len(tracks):
        raise Refused(
            "no_audio_stream",
            f"The recording has {len(tracks)} audio tracks; track {number} was asked for, counted from 0."
            if tracks
            else "The recording has no audio track.",
        )
    track = tracks[number]
    if getattr(track.codec_context, "name", None) not in DECODERS:  # there is no context where FFmpeg has no decoder
        raise Refused("decode_failed", "The audio is in a codec that is not supported.")
    track.codec_context.thread_count = 1  # a second thread may not be started here
    return track


def _record(container: InputContainer, track: AudioStream, recorder: Recorder) -> None:
    """Keep whatever can be decoded: a broken packet is passed over, and where demuxing fails the recording ends."""
    size, reached, due, trouble = max(1, container.size), 0, 0.0, ""
    for packet in _packets(container, track):
        try:
            for frame in track.decode(packet):
                recorder.add(frame)
        except (NotSound, FFmpegError) as error:
            trouble = getattr(error, "strerror", None) or str(error)
        reached = max(reached, packet.pos or 0)
        if (now := time.monotonic()) >= due:
            due = now + _REPORT_EVERY
            _say(fraction=min(1.0, reached / size))
    recorder.finish()
    if recorder.samples < SAMPLE_RATE // 1000:
        if trouble:
            raise Refused("decode_failed", f"Nothing of the audio could be decoded: {trouble}.")
        raise Refused("no_audio_frames", "The audio track is empty.")


def _packets(container: InputContainer, track: AudioStream) -> Iterator["Packet[AudioStream]"]:
    with suppress(FFmpegError):
        yield from container.demux(track)


def _too_long(job: Job) -> str:
    return f"The recording is longer than the limit of {job.max_duration / 1000:g} seconds."


def _say(**message: object) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")
