"""The port to speaker diarization: who speaks when."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from application.ports.system import ProgressSink
from domain.errors import EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import Diarization, SpeakerHints


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizerCapabilities:
    """What a diarizer can do. `max_speakers` is its own upper limit; `counts` says whether hints are honoured.

    `embeds` says that its answers have centroids, and that `embed` gives voices to compare with them. `absent` is
    empty, or why it cannot run here: its weights are missing and cannot be had, or a package is.
    """

    engine: str
    model: str
    device: str = "cpu"
    max_speakers: int = 20
    counts: bool = True
    needs_channels: bool = False
    embeds: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizationRequest:
    """What to diarize. `speech` are the regions with speech in the mix, sorted and disjoint.

    `channel_speech` holds the same for each channel, and is empty for mixed audio.
    """

    speech: tuple[Span, ...]
    hints: SpeakerHints
    channel_speech: tuple[tuple[Span, ...], ...] = ()


class DiarizationEngine(Protocol):
    """Finds the speakers of a recording and their turns. Blocking; one call at a time per instance."""

    @abstractmethod
    def capabilities(self) -> DiarizerCapabilities:
        """Say what the diarizer can do; cheap, loads nothing."""

    @abstractmethod
    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Find the turns in the whole recording.

        Turns are sorted, not empty, and lie inside the recording; `exclusive` turns do not overlap. Labels are
        arbitrary but stable within the answer. An exact or bounding count in the hints is kept wherever the speech is
        enough for that many speakers. No speech gives no turns.

        Memory does not grow with the length of the recording, but for a few bytes a second.

        `on_progress` is called with the done fraction, never falling; what it raises stops the work and is passed on.

        Raises:
            EngineUnavailable: weights are not on this machine and cannot be had.
            EngineFailed: the engine failed; the code says how.
        """

    def embed(
        self,
        audio: DecodedAudio,  # noqa: ARG002 - the names are the port's; most diarizers leave this as it is
        spans: tuple[Span, ...],  # noqa: ARG002
        on_progress: ProgressSink,  # noqa: ARG002
    ) -> tuple[tuple[float, ...] | None, ...]:
        """Return the voice in each span, in the space of the centroids; None where there is too little of it.

        Only diarizers that declare `embeds` have it. Progress and errors as for `diarize`.
        """
        raise EngineUnavailable("this diarizer gives no voices")
