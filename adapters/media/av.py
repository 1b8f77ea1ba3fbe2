"""Media decoding with PyAV, in a child process of its own for each recording.

This process must never open a recording: whatever is wrong with it happens to the child, which is held to limits,
given up after a time, and not believed.
"""

import atexit
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapters.media.forks import Forks
from application.ports.media import MediaDecoder
from application.ports.system import ProgressSink
from domain.errors import EngineFailed, MediaRejected, StorageFull
from domain.media import SAMPLE_RATE, ChannelRelation, DecodedAudio, DecodedMedia, DecodeLimits, MediaFacts

_FORKS = Forks("adapters.media.decode_child")
"""Shared by all decoders of this process: what they fork from holds 20 MB of its own."""
atexit.register(_FORKS.close)
_CODES = {"not_media", "no_audio_stream", "no_audio_frames", "too_long", "decode_failed"}
_BYTES_PER_MS = SAMPLE_RATE * 2 // 1000
_TICK = 0.25  # seconds between calls of the progress sink
_STARTS = 3  # of what forks the children, if it ends just when it is asked for one
_MAX_MESSAGE = 64 * 1024
_MAX_OUTPUT = 16 * 1024 * 1024  # bytes: an honest child says 30 bytes five times a second


class AvDecoder(MediaDecoder):
    """Decodes with FFmpeg's libraries as they come with PyAV.

    `forks` runs children that take a job and answer as `adapters.media.decode_child` does.
    """

    def __init__(self, forks: Forks = _FORKS) -> None:
        self._forks = forks

    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        """Decode into `mix.pcm`, and a recording of two channels also into `channel0.pcm` and `channel1.pcm` if asked.

        `limits.max_memory` is the child's address space, of which 250 MB are its program alone. What cannot be
        decoded leaves no files.
        """
        if source.stat().st_size == 0:
            raise MediaRejected("The file is empty.", code="empty_file")
        mix, channels = into / "mix.pcm", (into / "channel0.pcm", into / "channel1.pcm")
        job = {
            "source": str(source.absolute()),
            "mix": str(mix.absolute()),
            "channels": [str(path.absolute()) for path in channels if limits.split_channels],
            "max_duration": limits.max_duration,
            "only_first": limits.only_first,
            "max_memory": limits.max_memory,
            "max_seconds": limits.max_seconds,
            "track": limits.track,
        }
        try:
            facts = _facts(self._run(job, limits.max_seconds, on_progress), mix)
        except BaseException:
            _remove(mix, *channels)
            raise
        if facts.relation is ChannelRelation.SINGLE:
            _remove(*channels)
        on_progress(1.0)
        return DecodedMedia(
            mix=_audio(mix), channels=tuple(_audio(path) for path in channels if path.exists()), facts=facts
        )

    def confinement(self) -> dict[str, bool]:
        """Say which layers of the child's confinement this machine's kernel grants; for `doctor`."""
        layers = self._run({}, 30.0, lambda _: None).get("layers")
        return {str(name): bool(held) for name, held in layers.items()} if isinstance(layers, dict) else {}

    def _run(self, job: dict[str, object], max_seconds: float, on_progress: ProgressSink) -> dict[str, Any]:
        """Give the child's last message, which may still hold anything."""
        with suppress(OSError):  # what forks cannot be started, for want of memory say
            for _ in range(_STARTS):
                answer = self._answer(job, max_seconds, on_progress)
                if answer is not None:
                    return answer
        raise EngineFailed("the decoder's process could not be started", code="worker_crashed")

    def _answer(self, job: dict[str, object], max_seconds: float, on_progress: ProgressSink) -> dict[str, Any] | None:
        """Give what `_run` does, or None when there was no child to answer."""
        heard, fraction, deadline = False, 0.0, time.monotonic() + max_seconds
        with self._forks.running(job) as line:
            for message in _messages(line):
                if time.monotonic() > deadline:
                    raise MediaRejected(f"Decoding took longer than {max_seconds:g} seconds.", code="decode_failed")
                if message is None:
                    on_progress(fraction)
                    continue
                heard = True
                if message.get("ended", -signal.SIGKILL) != -signal.SIGKILL:  # it may have run into its own limits
                    raise MediaRejected("The decoder ended without a result.", code="decode_failed")
                if "ended" in message:
                    break
                if "fraction" not in message:
                    return message
                if isinstance(message["fraction"], float):
                    fraction = min(1.0, max(fraction, message["fraction"]))
                on_progress(fraction)
        if not heard:
            return None
        raise EngineFailed("the decoder's process was killed from outside", code="worker_crashed")


def _messages(line: socket.socket) -> Iterator[dict[str, Any] | None]:
    """Give each message of the child, or None when it has said nothing for a while."""
    line.settimeout(_TICK)
    pending, taken = b"", 0
    while len(pending) <= _MAX_MESSAGE and taken <= _MAX_OUTPUT:
        try:
            chunk = line.recv(_MAX_MESSAGE)
        except TimeoutError:
            yield None
            continue
        if not chunk:
            return
        taken += len(chunk)
        *lines, pending = (pending + chunk).split(b"\n")
        yield from map(_parsed, lines)
        if not lines:
            yield None
    raise MediaRejected("The decoder says more than it has to say.", code="decode_failed")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _facts(message: dict[str, Any], mix: Path) -> MediaFacts:
    """Read the child's verdict. What the parent can see for itself, it does not take from there."""
    code, detail = str(message.get("refused")), str(message.get("detail"))[:500]
    if code == "storage_full":
        raise StorageFull(detail)
    if code in _CODES:
        raise MediaRejected(detail, code=code)
    try:
        found = message["facts"]
        return MediaFacts(
            container=str(found["container"])[:40],
            codec=str(found["codec"])[:40],
            sample_rate=int(found["sample_rate"]),
            channels=int(found["channels"]),
            declared=None if found["declared"] is None else int(found["declared"]),
            decoded=_audio(mix).duration,
            tracks=int(found["tracks"]),
            track=int(found["track"]),
            relation=ChannelRelation(found["relation"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise MediaRejected("The decoder gave no sensible answer.", code="decode_failed") from error


def _audio(path: Path) -> DecodedAudio:
    return DecodedAudio(path=path, duration=path.stat().st_size // _BYTES_PER_MS)


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
