"""The composition root: which adapter stands behind which port, chosen by the settings; nothing is built on import."""

from importlib.metadata import version
from random import random

from dependency_injector import containers, providers

from adapters.asr.pocketsphinx import PocketSphinxEngine
from adapters.cipher import AesGcmCipher
from adapters.diarization.acoustic import AcousticDiarizer
from adapters.diarization.channel import ChannelDiarizer
from adapters.hosting.devices import Devices
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from adapters.media.av import AvDecoder
from adapters.observability.prometheus import PrometheusMetrics
from adapters.observability.whole import Whole
from adapters.passwords import Argon2Passwords
from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scoring.metrics import MetricsScorer
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.storage.growing_files import LocalGrowingFiles
from adapters.system import SystemClock, Uuid7Factory
from adapters.voice_activity.silero import SileroVad
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.admit_caller import AdmitCaller
from application.admit_task import AdmitTask
from application.announce_upload import AnnounceUpload
from application.audit import Notes
from application.begin_resumable import BeginResumable
from application.cancel_task import CancelTask
from application.collect_recording import CollectRecording
from application.decode_media import DecodeMedia
from application.delete_clip import DeleteClip
from application.delete_task import DeleteTask, QueryDeletions
from application.deliver_webhook import DeliverWebhook
from application.diarize import Diarize
from application.edit_speakers import EditSpeakers
from application.encoded_result import EncodedResult
from application.fetch_voices import FetchVoices
from application.finish_resumable import FinishResumable
from application.follow_segments import FollowSegments
from application.follow_task import FollowTask
from application.get_media import GetMedia
from application.get_result import GetResult
from application.label_task import LabelTask
from application.lend_token import LendToken
from application.list_models import ListModels
from application.list_revisions import ListRevisions
from application.log_in import LogIn, LogOut
from application.make_transcript import MakeTranscript
from application.manage_api_keys import ManageApiKeys
from application.manage_quotas import ManageQuotas
from application.manage_webhooks import ManageWebhooks
from application.process_task import ProcessTask
from application.query_audit import QueryAudit
from application.query_batches import EndBatch, QueryBatches
from application.query_clips import QueryClips
from application.query_tasks import QueryTasks
from application.query_usage import QueryUsage
from application.recognise import Recognise
from application.reconcile import Reconcile
from application.register_user import ChangePassword, RegisterUser
from application.replay_deliveries import ReplayDeliveries
from application.resume_upload import ResumeUpload
from application.retry_task import RetryTask
from application.revise_task import ReviseTask
from application.revise_transcript import ReviseTranscript
from application.second_look import SecondLook
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.store_clip import StoreClip
from application.submit_batch import SubmitBatch
from application.submit_transcription import SubmitTranscription
from application.sweep import Sweep
from application.transcribe_media import TranscribeMedia
from infrastructure.audit_settings import shortening
from infrastructure.broker import make_queue
from infrastructure.chores import make_chores
from infrastructure.database import connect, looking
from infrastructure.egress import fetch_limits, make_egress, make_fetcher
from infrastructure.encryption import guarded, make_encrypt_old, make_vault
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
from infrastructure.events import make_events
from infrastructure.installation_secret import derived_key
from infrastructure.limits import make_rate_limiter
from infrastructure.metrics import make_workplace
from infrastructure.models import in_memory, shelf
from infrastructure.settings import Settings
from infrastructure.storage import make_blob_store, make_direct_access
from infrastructure.tokens import make_tokens
from infrastructure.tracing import engine_of, make_tracer, traced


class Container(containers.DeclarativeContainer):
    """Every object of a process, made when it is first asked for."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)

    work_dir = providers.Callable(lambda settings: settings.work_dir, settings)
    """Where recordings are decoded to; a process that shares the data folder puts one of its own here."""

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(Uuid7Factory)
    metrics = providers.ThreadSafeSingleton(PrometheusMetrics, version("colloquy"))
    whole = providers.Singleton(Whole)
    tracer = providers.ThreadSafeSingleton(make_tracer, settings)

    database = providers.Singleton(connect, settings.provided.sql_url, settings.provided.database)
    vault = providers.Singleton(make_vault, settings, providers.Factory(SqlUnitOfWork, database).provider, ids)
    new_uow = providers.Factory(SqlUnitOfWork, database, vault)
    look = providers.Factory(SqlUnitOfWork, providers.Singleton(looking, database), vault)
    stored = providers.Singleton(make_blob_store, settings)
    sealed = providers.Singleton(guarded, settings, stored, vault)
    """What every blob goes through; it is `stored` itself where nothing is encrypted."""
    blobs = providers.Singleton(
        traced,
        sealed,
        tracer,
        {"put": "store blob", "adopt": "store blob", "delete": "delete blob"},
    )
    encrypt_old = providers.Factory(make_encrypt_old, stored, sealed, new_uow.provider, database, vault)
    direct_access = providers.Singleton(make_direct_access, settings, clock)
    bell = providers.Singleton(InProcessQueue)
    queue = providers.Singleton(make_queue, settings, bell)
    events = providers.Singleton(make_events, settings)
    rate_limiter = providers.Singleton(make_rate_limiter, settings, clock)

    egress = providers.Singleton(make_egress, settings)
    cipher = providers.Singleton(AesGcmCipher, providers.Callable(derived_key, settings, "webhooks").provider)
    secret_urls = providers.Singleton(
        SecretUrls,
        providers.Singleton(AesGcmCipher, providers.Callable(derived_key, settings, "recordings' urls").provider),
    )
    webhook_sender = providers.Singleton(HttpxWebhookSender, egress, allow_http=settings.provided.webhooks.allow_http)
    deliver_webhook = providers.Singleton(
        DeliverWebhook,
        new_uow=new_uow.provider,
        sender=webhook_sender,
        cipher=cipher,
        jitter=providers.Object(random),
        metrics=metrics,
        tracer=tracer,
    )
    manage_webhooks = providers.Factory(
        ManageWebhooks, new_uow=new_uow.provider, sender=webhook_sender, cipher=cipher, ids=ids, clock=clock
    )
    replay_deliveries = providers.Factory(ReplayDeliveries, new_uow=new_uow.provider, queue=queue, ids=ids)

    # A process that only serves overrides it.
    works_elsewhere = providers.Object(False)  # noqa: FBT003 - a provider's value
    asr_choice = providers.ThreadSafeSingleton(choose_asr, settings, elsewhere=works_elsewhere)
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
        metrics,
    )
    diarizer = providers.ThreadSafeSingleton(
        HostedDiarizationEngine,
        bare_diarizer,
        providers.Factory(hosting, settings, providers.Factory(diarizer_threads, settings)),
        devices,
        metrics,
    )
    vad = providers.ThreadSafeSingleton(
        HostedVoiceActivityDetector,
        providers.Factory(SileroVad),
        providers.Factory(hosting, settings, 1),
        devices,
        metrics,
    )
    hosts = providers.Singleton(Hosts, vad, asr, diarizer, settings.provided.engine.preload)

    decoder = providers.Singleton(traced, providers.Singleton(AvDecoder), tracer, {"decode": "decode"})
    recognise = providers.Factory(
        Recognise,
        vad=providers.Factory(traced, vad, tracer, {"speech": "detect speech"}),
        asr=providers.Factory(traced, asr, tracer, {"transcribe": "recognise window"}, engine_of),
        longest=providers.Factory(window_ms, settings),
        clock=clock,
    )
    voices = providers.Factory(traced, diarizer, tracer, {"diarize": "diarize", "embed": "embed voices"}, engine_of)
    diarize = providers.Factory(Diarize, by_voice=voices, by_channel=providers.Factory(ChannelDiarizer), clock=clock)
    second_look = providers.Factory(
        SecondLook, engine=voices, enabled=settings.provided.diarization.second_look, clock=clock
    )
    decode_media = providers.Factory(
        DecodeMedia,
        blobs=blobs,
        decoder=decoder,
        voices=providers.Factory(FetchVoices, new_uow=new_uow.provider, blobs=blobs, decoder=decoder),
        work_dir=work_dir,
        limits=providers.Factory(media_limits, settings),
        clock=clock,
        tracer=tracer,
    )
    transcribe_media = providers.Factory(
        TranscribeMedia, decode=decode_media, recognise=recognise, diarize=diarize, second_look=second_look, clock=clock
    )
    revise_transcript = providers.Factory(
        ReviseTranscript,
        new_uow=new_uow.provider,
        blobs=blobs,
        decode=decode_media,
        recognise=recognise,
        diarize=diarize,
        second_look=second_look,
        clock=clock,
    )
    collect_recording = providers.Factory(
        CollectRecording,
        new_uow=new_uow.provider,
        blobs=blobs,
        fetcher=providers.Factory(
            traced, providers.Factory(make_fetcher, egress), tracer, {"fetch": "fetch recording"}
        ),
        work_dir=work_dir,
        limits=providers.Factory(fetch_limits, settings),
        urls=secret_urls,
    )
    make_transcript = providers.Factory(
        MakeTranscript, collect=collect_recording, transcribe=transcribe_media, revise=revise_transcript
    )
    process_task = providers.Singleton(
        ProcessTask,
        new_uow=new_uow.provider,
        blobs=blobs,
        events=events,
        clock=clock,
        metrics=metrics,
        transcribe=make_transcript,
        worker=providers.Factory(worker_name),
        tracer=tracer,
    )
    workplace = providers.Singleton(
        make_workplace,
        settings,
        process_task=process_task,
        hosts=hosts,
        devices=devices,
        engines=providers.List(asr, diarizer),
    )
    sweep = providers.Factory(Sweep, new_uow=new_uow.provider, queue=queue)

    announce_upload = providers.Factory(
        AnnounceUpload, new_uow=new_uow.provider, direct=direct_access, ids=ids, largest=settings.provided.max.file_size
    )
    stage_upload = providers.Factory(StageUpload, new_uow=new_uow.provider, blobs=blobs)
    growing_files = providers.Singleton(
        LocalGrowingFiles,
        settings.provided.resumable_dir,
        min_free_percent=settings.provided.min.free_percent,
    )
    begin_resumable = providers.Factory(
        BeginResumable, new_uow=new_uow.provider, ids=ids, largest=settings.provided.max.file_size
    )
    resume_upload = providers.Singleton(
        ResumeUpload,
        new_uow=new_uow.provider,
        files=growing_files,
        finish=providers.Factory(FinishResumable, new_uow=new_uow.provider, blobs=blobs),
        largest=settings.provided.max.file_size,
    )
    admit_task = providers.Factory(
        AdmitTask,
        new_uow=new_uow.provider,
        most=settings.provided.max.queued,
        most_of_owner=settings.provided.max.queued_per_owner,
        quota=settings.provided.quota.quota,
    )
    store_clip = providers.Factory(
        StoreClip,
        new_uow=new_uow.provider,
        blobs=blobs,
        stage=stage_upload,
        admit=admit_task,
        ids=ids,
        kept=settings.provided.clips_kept,
    )
    query_clips = providers.Factory(QueryClips, new_uow=new_uow.provider)
    delete_clip = providers.Factory(DeleteClip, new_uow=new_uow.provider, blobs=blobs)
    get_media = providers.Factory(GetMedia, new_uow=new_uow.provider, blobs=blobs, direct=direct_access)
    query_usage = providers.Factory(QueryUsage, new_uow=new_uow.provider, quota=settings.provided.quota.quota)
    manage_quotas = providers.Factory(ManageQuotas, new_uow=new_uow.provider, quota=settings.provided.quota.quota)
    submit_transcription = providers.Factory(
        SubmitTranscription,
        new_uow=new_uow.provider,
        blobs=blobs,
        stage=stage_upload,
        queue=queue,
        ids=ids,
        asr=asr,
        diarizer=diarizer,
        absent_models=providers.Factory(absent_models, asr_choice, asr.provided.capabilities.call().models),
        retention=settings.provided.kept,
        egress=egress.provided.policy,
        admit=admit_task,
        tracer=tracer,
        urls=secret_urls,
    )
    scorer = providers.Factory(MetricsScorer)
    query_tasks = providers.Factory(QueryTasks, new_uow=new_uow.provider, look=look.provider)
    label_task = providers.Factory(LabelTask, new_uow=new_uow.provider)
    follow_task = providers.Singleton(FollowTask, new_uow=new_uow.provider, events=events)
    get_result = providers.Factory(GetResult, new_uow=new_uow.provider, blobs=blobs)
    encoded_result = providers.Factory(
        EncodedResult, new_uow=new_uow.provider, blobs=blobs, result=get_result, release=version("colloquy")
    )
    follow_segments = providers.Singleton(
        FollowSegments, follow=follow_task, result=get_result, new_uow=new_uow.provider
    )
    revise_task = providers.Factory(
        ReviseTask, new_uow=new_uow.provider, admit=admit_task, queue=queue, ids=ids, diarizer=diarizer
    )
    retry_task = providers.Factory(
        RetryTask,
        new_uow=new_uow.provider,
        admit=admit_task,
        queue=queue,
        ids=ids,
        check=submit_transcription.provided.check,
        revise=revise_task,
    )
    list_revisions = providers.Factory(ListRevisions, new_uow=new_uow.provider, blobs=blobs)
    edit_speakers = providers.Factory(EditSpeakers, new_uow=new_uow.provider, result=get_result)
    list_models = providers.Factory(
        ListModels,
        asr=asr,
        diarizer=diarizer,
        shelf=providers.Callable(shelf, settings).provider,
        in_memory=providers.Callable(in_memory, asr, diarizer).provider,
    )
    cancel_task = providers.Factory(CancelTask, new_uow=new_uow.provider)
    delete_task = providers.Factory(DeleteTask, new_uow=new_uow.provider, blobs=blobs)
    submit_batch = providers.Factory(SubmitBatch, new_uow=new_uow.provider, submit=submit_transcription, ids=ids)
    query_batches = providers.Factory(QueryBatches, new_uow=new_uow.provider)
    end_batch = providers.Factory(EndBatch, new_uow=new_uow.provider, cancel=cancel_task, delete=delete_task)
    query_deletions = providers.Factory(QueryDeletions, new_uow=new_uow.provider)
    reconcile = providers.Factory(Reconcile, new_uow=new_uow.provider, blobs=blobs)
    chores = providers.Factory(
        make_chores, new_uow.provider, blobs, growing_files, database, settings.provided.audit_kept
    )
    passwords = providers.Singleton(Argon2Passwords)
    tokens = providers.Singleton(make_tokens, settings)
    admit_caller = providers.Factory(
        AdmitCaller,
        new_uow=new_uow.provider,
        look=look.provider,
        clock=clock,
        tokens=tokens,
        anonymous=providers.Callable(lambda settings: settings.anonymous == "local", settings),
    )
    register_user = providers.Factory(
        RegisterUser,
        new_uow=new_uow.provider,
        clock=clock,
        ids=ids,
        passwords=passwords,
        open_to_all=settings.provided.registration_open,
    )
    log_in = providers.Factory(
        LogIn, new_uow=new_uow.provider, clock=clock, ids=ids, passwords=passwords, tokens=tokens
    )
    log_out = providers.Factory(LogOut, new_uow=new_uow.provider, clock=clock)
    change_password = providers.Factory(ChangePassword, new_uow=new_uow.provider, clock=clock, passwords=passwords)
    audit_notes = providers.Singleton(Notes, new_uow=new_uow.provider)
    query_audit = providers.Factory(QueryAudit, new_uow=new_uow.provider)
    shorten_address = providers.Singleton(shortening, settings)
    lend_token = providers.Factory(LendToken, clock=clock, ids=ids, tokens=tokens)
    manage_api_keys = providers.Factory(ManageApiKeys, new_uow=new_uow.provider, clock=clock, ids=ids)
