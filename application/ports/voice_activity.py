"""The port to voice activity detection."""

from abc import abstractmethod
from typing import Protocol

from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span


class VoiceActivityDetector(Protocol):
    """Finds where anybody speaks.

    Blocking; one call at a time per instance; memory does not grow with the recording.
    """

    @abstractmethod
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        """Return the regions that hold speech: sorted, disjoint, not empty, inside the recording.

        Deterministic. `on_progress` is called with the done fraction; what it raises stops the work and is passed on.

        Raises:
            EngineUnavailable: the detector's weights are not on this machine.
            EngineFailed: the detector failed; the code says how.
        """
