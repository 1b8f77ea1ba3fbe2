"""The composition root: which adapter stands behind which port, chosen by the settings; nothing is built on import."""

from dependency_injector import containers, providers

from adapters.asr.pocketsphinx import PocketSphinxEngine
from adapters.diarization.acoustic import AcousticDiarizer
from adapters.diarization.channel import ChannelDiarizer
from adapters.events.in_process import InProcessEvents
from adapters.hosting.devices import Devices
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from adapters.media.av import AvDecoder
from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scoring.metrics import MetricsScorer
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.system import SystemClock, Uuid7Factory
from adapters.voice_activity.silero import SileroVad
from application.admit_caller import AdmitCaller
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.diarize import Diarize
from application.follow_task import FollowTask
from application.get_result import GetResult
from application.list_models import ListModels
from application.manage_api_keys import ManageApiKeys
from application.process_task import ProcessTask
from application.query_tasks import QueryTasks
from application.recognise import Recognise
from application.second_look import SecondLook
from application.submit_transcription import SubmitTranscription
from application.sweep import Sweep
from application.transcribe_media import TranscribeMedia
from infrastructure.database import connect
from infrastructure.engine_choice import absent_models, choose_asr, choose_diarizer
from infrastructure.engines import (
    Hosts,
    asr_threads,
    diarizer_threads,
    executor_diarizer,
    faster_whisper,
    hosting,
    media_limits,
    openai_compatible,
    pyannote_diarizer,
    sherpa_diarizer,
    sherpa_recogniser,
    window_ms,
    worker_name,
)
from infrastructure.models import in_memory, shelf
from infrastructure.settings import Settings
from infrastructure.storage import make_blob_store


class Container(containers.DeclarativeContainer):
    """Every object of a process, made when it is first asked for."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(Uuid7Factory)

    database = providers.Singleton(connect, settings.provided.sql_url)
    new_uow = providers.Factory(SqlUnitOfWork, database)
    blobs = providers.Singleton(make_blob_store, settings)
    queue = providers.Singleton(InProcessQueue)
    events = providers.Singleton(InProcessEvents)

    asr_choice = providers.ThreadSafeSingleton(choose_asr, settings)
    diarizer_choice = providers.ThreadSafeSingleton(choose_diarizer, settings)
    bare_asr = providers.Selector(
        asr_choice.provided.engine,
        faster_whisper=providers.Factory(faster_whisper, settings),
        openai_compatible=providers.Factory(openai_compatible, settings),
        pocketsphinx=providers.Factory(PocketSphinxEngine),
        scripted=providers.Factory(ScriptedEngine, providers.Factory(Script.parse, settings.provided.asr.script)),
        sherpa_onnx=providers.Factory(sherpa_recogniser, settings),
    )
    bare_diarizer = providers.Selector(
        diarizer_choice.provided.engine,
        acoustic=providers.Factory(AcousticDiarizer, max_speakers=settings.provided.diarization.max_speakers),
        pyannote=providers.Factory(pyannote_diarizer, settings),
        pyannote_onnx=providers.Factory(executor_diarizer, settings),
        scripted=providers.Factory(
            ScriptedDiarizer, providers.Factory(Script.parse, settings.provided.diarization.script)
        ),
        sherpa_onnx=providers.Factory(sherpa_diarizer, settings),
    )

    devices = providers.ThreadSafeSingleton(Devices, settings.provided.engine.cooldown_seconds)
    asr = providers.ThreadSafeSingleton(
        HostedTranscriptionEngine,
        bare_asr,
        providers.Factory(hosting, settings, providers.Factory(asr_threads, settings)),
        devices,
    )
    diarizer = providers.ThreadSafeSingleton(
        HostedDiarizationEngine,
        bare_diarizer,
        providers.Factory(hosting, settings, providers.Factory(diarizer_threads, settings)),
        devices,
    )
    vad = providers.ThreadSafeSingleton(
        HostedVoiceActivityDetector, providers.Factory(SileroVad), providers.Factory(hosting, settings, 1), devices
    )
    hosts = providers.Singleton(Hosts, vad, asr, diarizer, settings.provided.engine.preload)

    decoder = providers.Singleton(AvDecoder)
    recognise = providers.Factory(
        Recognise, vad=vad, asr=asr, longest=providers.Factory(window_ms, settings), clock=clock
    )
    diarize = providers.Factory(Diarize, by_voice=diarizer, by_channel=providers.Factory(ChannelDiarizer), clock=clock)
    second_look = providers.Factory(
        SecondLook, engine=diarizer, enabled=settings.provided.diarization.second_look, clock=clock
    )
    transcribe_media = providers.Factory(
        TranscribeMedia,
        blobs=blobs,
        decoder=decoder,
        recognise=recognise,
        diarize=diarize,
        second_look=second_look,
        work_dir=settings.provided.work_dir,
        limits=providers.Factory(media_limits, settings),
        clock=clock,
    )
    process_task = providers.Singleton(
        ProcessTask,
        new_uow=new_uow.provider,
        blobs=blobs,
        events=events,
        clock=clock,
        transcribe=transcribe_media,
        worker=providers.Factory(worker_name),
    )
    sweep = providers.Factory(Sweep, new_uow=new_uow.provider, queue=queue)

    submit_transcription = providers.Factory(
        SubmitTranscription,
        new_uow=new_uow.provider,
        blobs=blobs,
        queue=queue,
        ids=ids,
        asr=asr,
        diarizer=diarizer,
        absent_models=providers.Factory(absent_models, asr_choice, asr.provided.capabilities.call().models),
    )
    scorer = providers.Factory(MetricsScorer)
    query_tasks = providers.Factory(QueryTasks, new_uow=new_uow.provider)
    follow_task = providers.Factory(FollowTask, new_uow=new_uow.provider, events=events)
    get_result = providers.Factory(GetResult, new_uow=new_uow.provider, blobs=blobs)
    list_models = providers.Factory(
        ListModels,
        asr=asr,
        diarizer=diarizer,
        shelf=providers.Callable(shelf, settings).provider,
        in_memory=providers.Callable(in_memory, asr, diarizer).provider,
    )
    cancel_task = providers.Factory(CancelTask, new_uow=new_uow.provider)
    delete_task = providers.Factory(DeleteTask, new_uow=new_uow.provider, blobs=blobs)
    admit_caller = providers.Factory(AdmitCaller, new_uow=new_uow.provider, clock=clock)
    manage_api_keys = providers.Factory(ManageApiKeys, new_uow=new_uow.provider, clock=clock, ids=ids)
