"""The port to decoding: whatever was uploaded, to samples on disk."""

from abc import abstractmethod
from pathlib import Path
from typing import Protocol

from application.ports.system import ProgressSink
from domain.media import DecodedMedia, DecodeLimits


class MediaDecoder(Protocol):
    """Decodes the chosen audio track of a file into 16 kHz mono 16-bit samples on disk."""

    @abstractmethod
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        """Decode `source` into new files in the existing folder `into`.

        Blocking. The file is judged by its content, never by its name. It is opened where it can do no harm: no other
        file is read, nothing is connected to, memory and time are capped. What can be decoded of a damaged file is
        kept: `facts.declared` against `facts.decoded` tells how much is missing. A repeated call overwrites.

        `on_progress` is called with the done fraction, as far as it can be told; what it raises stops the work and is
        passed on.

        Raises:
            MediaRejected: `empty_file`, `not_media`, `no_audio_stream`, `no_audio_frames`, `too_long` or
                `decode_failed`.
            StorageFull: there is no room for the samples.
            EngineFailed: `worker_crashed`, the work was ended from outside, which says nothing of the recording.
        """
