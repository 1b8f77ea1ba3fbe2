"""How the engines and their processes are made from the settings."""

import os
import secrets
import socket

from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.asr.openai_compatible import OpenAICompatibleEngine
from adapters.asr.sherpa import SherpaOnnxEngine
from adapters.diarization.executor.engine import ExecutorOptions, PyannoteOnnxDiarizer
from adapters.diarization.pyannote import PyannoteDiarizer
from adapters.diarization.pyannote_options import PyannoteOptions
from adapters.diarization.sherpa import SherpaOnnxDiarizer
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from adapters.hosting.policy import Hosting
from adapters.hub import Hub
from application.decode_media import MediaLimits
from infrastructure.load_settings import inherited_environment
from infrastructure.settings import Settings

_DECODER_MEMORY = 1 << 30
"""Bytes of address space: a decode needs 60 MB resident, and no header can make it take more than this."""
_DECODER_SECONDS = 3600.0
"""The longest legal recording decodes in minutes, even on a slow and busy machine."""


class Hosts:
    """The processes of a worker's engines, ended together; those that `preload` names are started ahead."""

    def __init__(
        self,
        vad: HostedVoiceActivityDetector,
        asr: HostedTranscriptionEngine,
        diarizer: HostedDiarizationEngine,
        preload: str,
    ) -> None:
        self._hosts = {"vad": vad, "asr": asr, "diarization": diarizer}
        self._preload = preload.split(",")

    def start(self) -> None:
        """Start what is to be started ahead, so that the first task does not wait."""
        for name, host in self._hosts.items():
            if name in self._preload:
                host.start()

    def resident(self) -> dict[str, int]:
        """Return the bytes of memory that the processes of each take."""
        return {name: host.resident for name, host in self._hosts.items()}

    def close(self) -> None:
        """End them, and give back their memory."""
        for host in self._hosts.values():
            host.close()


def asr_threads(settings: Settings) -> int:
    """How many CPU threads a call of recognition has: those named, or all cores, shared among the calls at once."""
    return settings.asr.threads or max(1, len(os.sched_getaffinity(0)) // settings.engine.concurrency)


def diarizer_threads(settings: Settings) -> int:
    """How many CPU threads a call of diarization has: those named, or half of the cores, shared in the same way."""
    return settings.diarization.threads or max(1, len(os.sched_getaffinity(0)) // 2 // settings.engine.concurrency)


def hosting(settings: Settings, threads: int) -> Hosting:
    """How an engine's process is run on so many CPU threads."""
    engine = settings.engine
    return Hosting(
        environment=inherited_environment(),
        threads=threads,
        downloads=settings.models.download,
        preload=True,
        stall_seconds=engine.stall_seconds,
        max_calls=engine.recycle_calls or None,
        max_memory=engine.recycle_mb * 1_000_000 or None,
        idle_seconds=settings.idle_seconds,
        reduced_seconds=engine.cooldown_seconds,
        concurrency=engine.concurrency,
        express_memory=engine.express_mb * 1_000_000,
    )


def faster_whisper(settings: Settings) -> FasterWhisperEngine:
    """Make the engine, unloaded."""
    asr = settings.asr
    return FasterWhisperEngine(
        model=asr.model,
        models_dir=settings.models_dir,
        device=asr.device,
        compute_type=asr.compute_type,
        threads=asr_threads(settings),
        batch_size=asr.batch_size,
        beam_size=asr.beam_size,
        cpu_fallback=settings.engine.cpu_fallback,
        allow_download=settings.models.download,
        hub_url=settings.models.hub_url,
    )


def openai_compatible(settings: Settings) -> OpenAICompatibleEngine:
    """Make the engine; its key travels with it to its process, never by the environment."""
    asr = settings.asr
    return OpenAICompatibleEngine(
        url=asr.remote.url,
        key=asr.remote.key,
        model=asr.remote.model,
        timeout=asr.remote.timeout_seconds,
        patience=asr.remote.patience_seconds,
        concurrency=asr.remote.concurrency,
    )


def pyannote_diarizer(settings: Settings) -> PyannoteDiarizer:
    """Make the diarizer, unloaded; the hub's token travels with it to its process, never by the environment."""
    diarization, models = settings.diarization, settings.models
    options = PyannoteOptions(
        models_dir=settings.models_dir,
        model=diarization.model,
        device=diarization.device,
        segmentation_batch=diarization.segmentation_batch,
        embedding_batch=diarization.embedding_batch,
        block=diarization.block_seconds * 1000,
        max_speakers=diarization.max_speakers,
        allow_download=models.download,
        cpu_fallback=settings.engine.cpu_fallback,
    )
    return PyannoteDiarizer(options, Hub(models.hub_url, models.hub_token, models.allow_non_commercial))


def executor_diarizer(settings: Settings) -> PyannoteOnnxDiarizer:
    """Make the diarizer, unloaded."""
    diarization = settings.diarization
    return PyannoteOnnxDiarizer(
        ExecutorOptions(
            model=diarization.model,
            models_dir=settings.models_dir,
            fast=diarization.mode == "fast",
            threads=diarizer_threads(settings),
            max_speakers=diarization.max_speakers,
        )
    )


def sherpa_recogniser(settings: Settings) -> SherpaOnnxEngine:
    """Make the engine, unloaded."""
    asr = settings.asr
    return SherpaOnnxEngine(
        models_dir=settings.models_dir,
        model=asr.sherpa_model,
        threads=asr_threads(settings),
        allow_download=settings.models.download,
        hub=_hub(settings),
    )


def sherpa_diarizer(settings: Settings) -> SherpaOnnxDiarizer:
    """Make the diarizer, unloaded."""
    diarization = settings.diarization
    return SherpaOnnxDiarizer(
        models_dir=settings.models_dir,
        model=diarization.sherpa_model,
        threads=diarizer_threads(settings),
        max_speakers=diarization.max_speakers,
        threshold=diarization.sherpa_threshold,
        allow_download=settings.models.download,
        hub=_hub(settings),
    )


def _hub(settings: Settings) -> Hub:
    """The hub as it is configured; none of the models here is gated, so its token stays."""
    return Hub(settings.models.hub_url, allow_non_commercial=settings.models.allow_non_commercial)


def media_limits(settings: Settings) -> MediaLimits:
    """What one recording may cost to decode."""
    return MediaLimits(
        max_duration=settings.max.duration * 1000, max_memory=_DECODER_MEMORY, max_seconds=_DECODER_SECONDS
    )


def window_ms(settings: Settings) -> int:
    """The longest recognition window, in ms."""
    return settings.engine.window_seconds * 1000


def worker_name() -> str:
    """Name this process in leases; never the same twice, for a process id comes round again."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
