"""Faults that hit an engine's child from outside, in the middle of a call, as a machine deals them out."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from application.ports.voice_activity import VoiceActivityDetector
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import Diarization
from domain.transcript import Recognition

Hosted = HostedTranscriptionEngine | HostedDiarizationEngine | HostedVoiceActivityDetector
_ROOM = 4 << 20
"""Bytes that a process may still take when its memory is cut off: enough to say so, not enough to work."""


def kill(pid: int) -> None:
    """As the kernel does when the machine's memory runs out."""
    os.kill(pid, signal.SIGKILL)


def freeze(pid: int) -> None:
    """As a driver that never answers does."""
    os.kill(pid, signal.SIGSTOP)


def segfault(pid: int) -> None:
    """As native code with a bug does."""
    os.kill(pid, signal.SIGSEGV)


def cut_off(pid: int) -> None:
    """No more memory than it has, and a little, for this process."""
    size = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size + _ROOM, resource.RLIM_INFINITY))


FAULTS: dict[str, Callable[[int], None]] = {
    "worker_crashed": kill, "engine_hung": freeze, "segfault": segfault, "out_of_memory": cut_off,
}  # fmt: skip


class Struck:
    """Deals out one fault as soon as the child of `hosted` has taken up a call."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted
        self.fault: Callable[[int], None] | None = None

    def sink(self, on_progress: ProgressSink) -> ProgressSink:
        """Wrap the sink of a call, through which the parent passes several times a second."""

        def report(fraction: float) -> None:
            process = self._hosted._pool.children[0]._process
            if self.fault is not None and process is not None and process.took:
                fault, self.fault = self.fault, None
                fault(process._popen.pid)
            on_progress(fraction)

        return report


def assert_struck(engine: Struck) -> None:
    """See that the fault was dealt out."""
    assert engine.fault is None


class StruckRecogniser(Struck, TranscriptionEngine):
    """Recognises in a child that a fault may hit."""

    def __init__(self, hosted: HostedTranscriptionEngine) -> None:
        super().__init__(hosted)
        self._engine = hosted

    def capabilities(self) -> EngineCapabilities:
        return self._engine.capabilities()

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        return self._engine.transcribe(audio, window, request, self.sink(on_progress))


class StruckDiarizer(Struck, DiarizationEngine):
    """Finds speakers in a child that a fault may hit."""

    def __init__(self, hosted: HostedDiarizationEngine) -> None:
        super().__init__(hosted)
        self._engine = hosted

    def capabilities(self) -> DiarizerCapabilities:
        return self._engine.capabilities()

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        return self._engine.diarize(audio, request, self.sink(on_progress))


class StruckDetector(Struck, VoiceActivityDetector):
    """Finds speech in a child that a fault may hit."""

    def __init__(self, hosted: HostedVoiceActivityDetector) -> None:
        super().__init__(hosted)
        self._detector = hosted

    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        return self._detector.speech(audio, self.sink(on_progress))
