"""The engines, each in its own process: which are chosen, and what stands behind their ports."""

from dependency_injector import providers

from adapters.asr.pocketsphinx import PocketSphinxEngine
from adapters.diarization.acoustic import AcousticDiarizer
from adapters.hosting.devices import Devices
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.voice_activity.silero import SileroVad
from infrastructure.engine_choice import choose_asr, choose_diarizer
from infrastructure.engines import (
    Hosts,
    asr_threads,
    diarizer_threads,
    executor_diarizer,
    faster_whisper,
    hosting,
    openai_compatible,
    pyannote_diarizer,
    sherpa_diarizer,
    sherpa_recogniser,
)
from infrastructure.wiring.foundations import Foundations


class Engines(Foundations):
    """The engines, each in its own process: which are chosen, and what stands behind their ports."""

    # A process that only serves overrides it.
    works_elsewhere = providers.Object(False)  # noqa: FBT003 - a provider's value
    asr_choice = providers.ThreadSafeSingleton(choose_asr, Foundations.settings, elsewhere=works_elsewhere)
    diarizer_choice = providers.ThreadSafeSingleton(choose_diarizer, Foundations.settings)
    bare_asr = providers.Selector(
        asr_choice.provided.engine,
        faster_whisper=providers.Factory(faster_whisper, Foundations.settings),
        openai_compatible=providers.Factory(openai_compatible, Foundations.settings),
        pocketsphinx=providers.Factory(PocketSphinxEngine),
        scripted=providers.Factory(
            ScriptedEngine, providers.Factory(Script.parse, Foundations.settings.provided.asr.script)
        ),
        sherpa_onnx=providers.Factory(sherpa_recogniser, Foundations.settings),
    )
    bare_diarizer = providers.Selector(
        diarizer_choice.provided.engine,
        acoustic=providers.Factory(
            AcousticDiarizer, max_speakers=Foundations.settings.provided.diarization.max_speakers
        ),
        pyannote=providers.Factory(pyannote_diarizer, Foundations.settings),
        pyannote_onnx=providers.Factory(executor_diarizer, Foundations.settings),
        scripted=providers.Factory(
            ScriptedDiarizer, providers.Factory(Script.parse, Foundations.settings.provided.diarization.script)
        ),
        sherpa_onnx=providers.Factory(sherpa_diarizer, Foundations.settings),
    )
    devices = providers.ThreadSafeSingleton(Devices, Foundations.settings.provided.engine.cooldown_seconds)
    asr = providers.ThreadSafeSingleton(
        HostedTranscriptionEngine,
        bare_asr,
        providers.Factory(hosting, Foundations.settings, providers.Factory(asr_threads, Foundations.settings)),
        devices,
        Foundations.metrics,
    )
    diarizer = providers.ThreadSafeSingleton(
        HostedDiarizationEngine,
        bare_diarizer,
        providers.Factory(hosting, Foundations.settings, providers.Factory(diarizer_threads, Foundations.settings)),
        devices,
        Foundations.metrics,
    )
    vad = providers.ThreadSafeSingleton(
        HostedVoiceActivityDetector,
        providers.Factory(SileroVad),
        providers.Factory(hosting, Foundations.settings, 1),
        devices,
        Foundations.metrics,
    )
    hosts = providers.Singleton(Hosts, vad, asr, diarizer, Foundations.settings.provided.engine.preload)
