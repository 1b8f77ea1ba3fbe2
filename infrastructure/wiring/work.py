"""What a worker does with a task, from its recording to its transcript, and with a webhook."""

from random import random

from dependency_injector import providers

from adapters.cipher import AesGcmCipher
from adapters.diarization.channel import ChannelDiarizer
from adapters.media.av import AvDecoder
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.collect_recording import CollectRecording
from application.decode_media import DecodeMedia
from application.deliver_webhook import DeliverWebhook
from application.diarize import Diarize
from application.fetch_voices import FetchVoices
from application.make_transcript import MakeTranscript
from application.process_task import ProcessTask
from application.recognise import Recognise
from application.revise_transcript import ReviseTranscript
from application.second_look import SecondLook
from application.sweep import Sweep
from application.transcribe_media import TranscribeMedia
from infrastructure.egress import fetch_limits, make_fetcher
from infrastructure.engines import media_limits, window_ms, worker_name
from infrastructure.installation_secret import derived_key
from infrastructure.metrics import make_workplace
from infrastructure.tracing import engine_of, traced
from infrastructure.wiring.engines import Engines


class Work(Engines):
    """What a worker does with a task, from its recording to its transcript, and with a webhook."""

    cipher = providers.Singleton(AesGcmCipher, providers.Callable(derived_key, Engines.settings, "webhooks").provider)
    webhook_sender = providers.Singleton(
        HttpxWebhookSender, Engines.egress, allow_http=Engines.settings.provided.webhooks.allow_http
    )
    deliver_webhook = providers.Singleton(
        DeliverWebhook,
        new_uow=Engines.new_uow.provider,
        sender=webhook_sender,
        cipher=cipher,
        jitter=providers.Object(random),
        metrics=Engines.metrics,
        tracer=Engines.tracer,
    )
    decoder = providers.Singleton(traced, providers.Singleton(AvDecoder), Engines.tracer, {"decode": "decode"})
    recognise = providers.Factory(
        Recognise,
        vad=providers.Factory(traced, Engines.vad, Engines.tracer, {"speech": "detect speech"}),
        asr=providers.Factory(traced, Engines.asr, Engines.tracer, {"transcribe": "recognise window"}, engine_of),
        longest=providers.Factory(window_ms, Engines.settings),
        clock=Engines.clock,
    )
    voices = providers.Factory(
        traced, Engines.diarizer, Engines.tracer, {"diarize": "diarize", "embed": "embed voices"}, engine_of
    )
    diarize = providers.Factory(
        Diarize, by_voice=voices, by_channel=providers.Factory(ChannelDiarizer), clock=Engines.clock
    )
    second_look = providers.Factory(
        SecondLook, engine=voices, enabled=Engines.settings.provided.diarization.second_look, clock=Engines.clock
    )
    decode_media = providers.Factory(
        DecodeMedia,
        blobs=Engines.blobs,
        decoder=decoder,
        voices=providers.Factory(FetchVoices, new_uow=Engines.new_uow.provider, blobs=Engines.blobs, decoder=decoder),
        work_dir=Engines.work_dir,
        limits=providers.Factory(media_limits, Engines.settings),
        clock=Engines.clock,
        tracer=Engines.tracer,
    )
    transcribe_media = providers.Factory(
        TranscribeMedia,
        decode=decode_media,
        recognise=recognise,
        diarize=diarize,
        second_look=second_look,
        clock=Engines.clock,
    )
    revise_transcript = providers.Factory(
        ReviseTranscript,
        new_uow=Engines.new_uow.provider,
        blobs=Engines.blobs,
        decode=decode_media,
        recognise=recognise,
        diarize=diarize,
        second_look=second_look,
        clock=Engines.clock,
    )
    collect_recording = providers.Factory(
        CollectRecording,
        new_uow=Engines.new_uow.provider,
        blobs=Engines.blobs,
        fetcher=providers.Factory(
            traced, providers.Factory(make_fetcher, Engines.egress), Engines.tracer, {"fetch": "fetch recording"}
        ),
        work_dir=Engines.work_dir,
        limits=providers.Factory(fetch_limits, Engines.settings),
        urls=Engines.secret_urls,
    )
    make_transcript = providers.Factory(
        MakeTranscript, collect=collect_recording, transcribe=transcribe_media, revise=revise_transcript
    )
    process_task = providers.Singleton(
        ProcessTask,
        new_uow=Engines.new_uow.provider,
        blobs=Engines.blobs,
        events=Engines.events,
        clock=Engines.clock,
        metrics=Engines.metrics,
        transcribe=make_transcript,
        worker=providers.Factory(worker_name),
        tracer=Engines.tracer,
    )
    workplace = providers.Singleton(
        make_workplace,
        Engines.settings,
        process_task=process_task,
        hosts=Engines.hosts,
        devices=Engines.devices,
        engines=providers.List(Engines.asr, Engines.diarizer),
    )
    sweep = providers.Factory(Sweep, new_uow=Engines.new_uow.provider, queue=Engines.queue)
