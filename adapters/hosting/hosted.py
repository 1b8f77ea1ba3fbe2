"""The compute ports answered by engines in killable children; the caller cannot tell them from engines at home.

They must not touch what passes through, and never load the engine in this process.
"""

from dataclasses import replace
from typing import cast

from adapters.hosting.devices import Devices
from adapters.hosting.notes import Notes
from adapters.hosting.policy import Hosting
from adapters.hosting.pool import EnginePool
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.metrics import Metrics
from application.ports.system import ProgressSink
from application.ports.voice_activity import VoiceActivityDetector
from domain.media import DecodedAudio
from domain.span import Span, covered, restricted
from domain.speaker import Diarization
from domain.transcript import Recognition


class _Hosted:
    """What the hosted engines share: their children's life. `adapter` is unloaded and can be pickled.

    `devices` are what all the children of this process know of the devices they share; `metrics` hear of their lives.
    """

    def __init__(
        self, adapter: object, hosting: Hosting, devices: Devices | None = None, metrics: Metrics | None = None
    ) -> None:
        notes = Notes(_name(adapter), metrics)
        self._pool = EnginePool(adapter, hosting, devices=devices, device=_device, notes=notes)
        self._made_of = adapter, hosting

    def __reduce__(self) -> tuple[type, tuple[object, Hosting]]:
        """Travel as the adapter does: unloaded, and without children and devices, which are this process's."""
        return type(self), self._made_of

    def start(self) -> None:
        """Start the children ahead of their first calls, without waiting for them."""
        self._pool.start()

    @property
    def resident(self) -> int:
        """Bytes of memory that the children take."""
        return self._pool.resident

    def _held(self, default: str) -> str | None:
        held = self._pool.holds
        return held if held is None else held or default

    def close(self) -> None:
        """End the children and give back their memory, once they are idle; a later call starts a fresh one."""
        self._pool.close()


class HostedTranscriptionEngine(_Hosted, TranscriptionEngine):
    """Recognises speech in a child that holds `engine`."""

    def __init__(
        self,
        engine: TranscriptionEngine,
        hosting: Hosting,
        devices: Devices | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(engine, hosting, devices, metrics)
        self._engine = engine

    def capabilities(self) -> EngineCapabilities:
        """Ask the engine here: it loads nothing for that."""
        return self._engine.capabilities()

    def holds(self) -> str | None:
        """Name the model in the child's memory, or None; waits for no call."""
        return self._held(self.capabilities().models[0])

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Have the child recognise the window, and add what it did without."""
        # Eight hours have ten thousand speech regions; pickling them for each window would cost more than the call.
        nearby = replace(request, speech=tuple(region for region in request.speech if region.overlap(window)))
        left = covered(region for region in request.speech if region.end > window.start)
        outcome = self._pool.outcome(
            "transcribe", audio, window, nearby, on_progress=on_progress, model=request.model,
            size=covered(restricted(nearby.speech, window)), left=left,
        )  # fmt: skip
        recognition = cast("Recognition", outcome.result)
        return replace(recognition, degraded=(*outcome.degraded, *recognition.degraded))


class HostedDiarizationEngine(_Hosted, DiarizationEngine):
    """Finds speakers in a child that holds `engine`."""

    def __init__(
        self,
        engine: DiarizationEngine,
        hosting: Hosting,
        devices: Devices | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(engine, hosting, devices, metrics)
        self._engine = engine

    def capabilities(self) -> DiarizerCapabilities:
        """Ask the engine here: it loads nothing for that."""
        return self._engine.capabilities()

    def holds(self) -> str | None:
        """Name the model in the child's memory, or None; waits for no call."""
        return self._held(self.capabilities().model)

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Have the child find the turns, and add what it did without."""
        speech = covered(request.speech)
        outcome = self._pool.outcome("diarize", audio, request, on_progress=on_progress, size=speech)
        diarization = cast("Diarization", outcome.result)
        return replace(diarization, degraded=(*outcome.degraded, *diarization.degraded))

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        """Have the child listen to the voices."""
        outcome = self._pool.outcome("embed", audio, spans, on_progress=on_progress, size=covered(spans))
        return cast("tuple[tuple[float, ...] | None, ...]", outcome.result)


class HostedVoiceActivityDetector(_Hosted, VoiceActivityDetector):
    """Finds speech in a child that holds `detector`."""

    def __init__(
        self,
        detector: VoiceActivityDetector,
        hosting: Hosting,
        devices: Devices | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(detector, hosting, devices, metrics)

    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        """Have the child find the regions."""
        outcome = self._pool.outcome("speech", audio, on_progress=on_progress, size=audio.duration)
        return cast("tuple[Span, ...]", outcome.result)


def _name(engine: object) -> str:
    """Name the engine; a voice activity detector has no name to give."""
    capabilities = getattr(engine, "capabilities", None)
    return "vad" if capabilities is None else str(capabilities().engine)


def _device(engine: object) -> str:
    """Name the device that an engine computes on; a voice activity detector has no capabilities and uses the CPU."""
    capabilities = getattr(engine, "capabilities", None)
    return "cpu" if capabilities is None else str(capabilities().device)
