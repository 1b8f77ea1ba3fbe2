"""Known speakers in a recording: samples of their voices are diarized with it, so that any diarizer can find them.

No engine needs to know of it: what it hears is a longer recording.
"""

import errno
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from application.ports.diarization import DiarizationRequest
from domain.errors import StorageFull
from domain.known_speakers import PAUSE, places, recognise
from domain.media import SAMPLE_RATE, DecodedAudio, DecodedMedia
from domain.span import Span
from domain.speaker import Diarization

_BYTES_PER_MS = SAMPLE_RATE // 1000 * 2
_FILE = "with-voices.pcm"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithVoices:
    """A recording with samples behind it: `spans` tell where each name's lies, `problems` which cannot be had."""

    audio: DecodedAudio
    spans: tuple[tuple[str, Span], ...]
    problems: tuple[str, ...]

    def asked(self, request: DiarizationRequest) -> DiarizationRequest:
        """Return the request for the whole; all of a sample counts as speech."""
        return replace(request, speech=(*request.speech, *(span for _, span in self.spans)))

    def answered(self, diarization: Diarization, duration: int) -> Diarization:
        """Return the turns of the recording alone, which lasts `duration` ms, with the names of those who were found.

        What could not be looked for is told as `degraded`.
        """
        found, problems = recognise(diarization, duration, self.spans)
        return replace(found, degraded=(*found.degraded, *self.problems, *problems))


def with_voices(media: DecodedMedia) -> WithVoices:
    """Write the recording and the samples into one file beside it. Blocking; it takes as much room again.

    Raises:
        StorageFull: there is no room.
    """
    samples = [(voice.name, voice.audio) for voice in media.voices if voice.audio is not None]
    spans = places(media.mix.duration, [audio.duration for _, audio in samples])
    problems = tuple(f"the sample of {voice.name} {voice.missing}" for voice in media.voices if voice.audio is None)
    named = tuple((name, span) for (name, _), span in zip(samples, spans, strict=True))
    if not samples:
        return WithVoices(audio=media.mix, spans=(), problems=problems)
    path = Path(media.mix.path).with_name(_FILE)
    try:
        _join(media.mix, [audio for _, audio in samples], path)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("there is no room for the recording with its samples of voices") from error
        raise
    return WithVoices(audio=DecodedAudio(path=path, duration=spans[-1].end), spans=named, problems=problems)


def _join(recording: DecodedAudio, samples: Sequence[DecodedAudio], into: Path) -> None:
    shutil.copyfile(recording.path, into)
    with into.open("r+b") as file:
        file.truncate(recording.duration * _BYTES_PER_MS)
        file.seek(0, 2)
        for sample in samples:
            file.write(bytes(PAUSE * _BYTES_PER_MS))
            file.write(Path(sample.path).read_bytes()[: sample.duration * _BYTES_PER_MS])
