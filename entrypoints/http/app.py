"""The API as one application, made of use cases that it is handed; importing this builds nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from litestar import Litestar, Router
from litestar.di import Provide

from application.admit_caller import AdmitCaller
from application.announce_upload import AnnounceUpload
from application.audit import Notes
from application.begin_resumable import BeginResumable
from application.cancel_task import CancelTask
from application.delete_clip import DeleteClip
from application.delete_task import DeleteTask, QueryDeletions
from application.edit_speakers import EditSpeakers
from application.encoded_result import EncodedResult
from application.follow_segments import FollowSegments
from application.follow_task import FollowTask
from application.get_media import GetMedia
from application.get_result import GetResult
from application.label_task import LabelTask
from application.lend_token import LendToken
from application.list_models import ListModels
from application.list_revisions import ListRevisions
from application.log_in import LogIn, LogOut
from application.manage_api_keys import ManageApiKeys
from application.manage_webhooks import ManageWebhooks
from application.ports.metrics import Metrics
from application.ports.tracing import Tracer
from application.query_audit import QueryAudit
from application.query_batches import EndBatch, QueryBatches
from application.query_clips import QueryClips
from application.query_tasks import QueryTasks
from application.query_usage import QueryUsage
from application.register_user import ChangePassword, RegisterUser
from application.replay_deliveries import ReplayDeliveries
from application.resume_upload import ResumeUpload
from application.retry_task import RetryTask
from application.revise_task import ReviseTask
from application.stage_upload import StageUpload
from application.store_clip import StoreClip
from application.submit_batch import SubmitBatch
from application.submit_transcription import SubmitTranscription
from application.untraced import UNTRACED
from domain.audit import network_of
from entrypoints.http.allow import allow_every_method
from entrypoints.http.asked import Asked
from entrypoints.http.audit import AUDIT_ROUTES
from entrypoints.http.auth import CALLER_ROUTES, OPEN_ROUTES
from entrypoints.http.batch_form import BatchReceiver
from entrypoints.http.batches import cancel_batch, create_batch, delete_batch, get_batch, list_batches
from entrypoints.http.calls import Calls
from entrypoints.http.client_address import TrustedProxies
from entrypoints.http.clips import create_clip, delete_clip, get_clip, get_clip_media, list_clips
from entrypoints.http.compat.platform_socket import require_token_in_path
from entrypoints.http.compat.routes import compat_routes
from entrypoints.http.context import RequestContext
from entrypoints.http.deletions import get_deletion, list_deletions
from entrypoints.http.deliveries import list_deliveries, replay_delivery, replay_since, test_webhook
from entrypoints.http.ending import Ending
from entrypoints.http.errors import answer
from entrypoints.http.events import Streams, follow_events, follow_lines
from entrypoints.http.guards import current_caller, limit_headers, require_caller
from entrypoints.http.handshake import remember_refusal
from entrypoints.http.health import HealthReport, get_health, get_liveness, get_readiness
from entrypoints.http.history import label_task, list_tasks
from entrypoints.http.keys import KEY_ROUTES
from entrypoints.http.leaving import leaving
from entrypoints.http.limits import HttpLimits
from entrypoints.http.measured import Measured
from entrypoints.http.media import get_media
from entrypoints.http.metrics import ShownNumbers, get_metrics
from entrypoints.http.models import list_models
from entrypoints.http.openai import errors as openai_errors
from entrypoints.http.openai.audio import AnswerAudio, create_transcription, create_translation
from entrypoints.http.openai.models import get_openai_model, list_openai_models
from entrypoints.http.openai.voices import KeepVoices
from entrypoints.http.openapi import SECURITY, openapi_config
from entrypoints.http.prefer import AwaitEnd
from entrypoints.http.rates import RateLimits, admit_counted, count_strangers, unlimited
from entrypoints.http.reference_page import explain_problem, let_page_load, to_reference
from entrypoints.http.result import get_result
from entrypoints.http.retry import retry_task
from entrypoints.http.revisions import create_revision, list_revisions
from entrypoints.http.safe_headers import SafeHeaders
from entrypoints.http.sockets import follow_tasks
from entrypoints.http.speakers import (
    list_edits,
    list_speakers,
    merge_speakers,
    reassign_words,
    rename_speaker,
    undo_edit,
)
from entrypoints.http.status import get_status, get_task
from entrypoints.http.strict_json import StrictRequest
from entrypoints.http.tasks import cancel_task, delete_task
from entrypoints.http.transcribe import transcribe
from entrypoints.http.tus import abandon_resumable, begin_resumable, look_at_resumable, send_piece
from entrypoints.http.tus_headers import TusProtocol
from entrypoints.http.upload import UploadReceiver
from entrypoints.http.uploads import announce_upload, send_upload
from entrypoints.http.usage import get_usage
from entrypoints.http.webhooks import (
    change_webhook,
    create_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
    rotate_webhook,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDependencies:
    """What the API drives. They keep nothing between calls, so one instance of each serves every request.

    `probe` says `ok` or what is wrong for each part that taking work needs; `numbers` gives what Prometheus scrapes.
    """

    admit_caller: AdmitCaller
    submit: SubmitTranscription
    tasks: QueryTasks
    label: LabelTask
    follow: FollowTask
    segments: FollowSegments
    result: GetResult
    encoded: EncodedResult
    submit_batch: SubmitBatch
    batches: QueryBatches
    end_batch: EndBatch
    cancel: CancelTask
    delete: DeleteTask
    deletions: QueryDeletions
    announce: AnnounceUpload
    stage: StageUpload
    media: GetMedia
    store_clip: StoreClip
    begin_resumable: BeginResumable
    resume_upload: ResumeUpload
    clips: QueryClips
    delete_clip: DeleteClip
    retry: RetryTask
    revise: ReviseTask
    revisions: ListRevisions
    speakers: EditSpeakers
    models: ListModels
    keys: ManageApiKeys
    register: RegisterUser
    log_in: LogIn
    log_out: LogOut
    change_password: ChangePassword
    lend: LendToken
    usage: QueryUsage
    webhooks: ManageWebhooks
    replays: ReplayDeliveries
    audit: QueryAudit
    notes: Notes
    probe: Callable[[], Awaitable[Mapping[str, str]]]
    metrics: Metrics
    numbers: Callable[[], Awaitable[bytes]]
    warnings: Callable[[], Mapping[str, str]] = dict
    rates: RateLimits = field(default_factory=unlimited)
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    tracer: Tracer = UNTRACED
    shorten: Callable[[str], str] = network_of


def create_app(api: ApiDependencies, limits: HttpLimits, ending: Ending | None = None) -> Litestar:
    """Make the application; `ending` is that of the process which serves it."""
    release, hang_up = version("colloquy"), (ending or Ending()).hang_up
    guards = [admit_counted(require_caller(api.admit_caller), api.rates)]
    first = [transcribe, get_status, get_result]
    every = [
        *first,
        announce_upload,
        send_upload,
        get_media,
        begin_resumable,
        look_at_resumable,
        send_piece,
        abandon_resumable,
        create_clip,
        list_clips,
        get_clip,
        get_clip_media,
        delete_clip,
        list_tasks,
        label_task,
        create_batch,
        list_batches,
        get_batch,
        cancel_batch,
        delete_batch,
        get_task,
        follow_events,
        follow_lines,
        follow_tasks,
        cancel_task,
        delete_task,
        list_deletions,
        get_deletion,
        retry_task,
        create_revision,
        list_revisions,
        list_speakers,
        rename_speaker,
        merge_speakers,
        reassign_words,
        list_edits,
        undo_edit,
        list_models,
        create_webhook,
        list_webhooks,
        get_webhook,
        change_webhook,
        delete_webhook,
        rotate_webhook,
        test_webhook,
        list_deliveries,
        replay_delivery,
        replay_since,
        get_usage,
        *KEY_ROUTES,
        *AUDIT_ROUTES,
        *CALLER_ROUTES,
    ]
    calls = Calls(
        submit=api.submit, tasks=api.tasks, follow=api.follow, result=api.result, cancel=api.cancel, limits=limits
    )
    app = Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=every, guards=guards, security=SECURITY),
            Router("/api/v1", route_handlers=OPEN_ROUTES),
            # The paths without a version are what the first clients were promised.
            Router("/", route_handlers=[*first, get_metrics], guards=guards, security=SECURITY),
            Router(
                "/v1",
                route_handlers=[create_transcription, create_translation, list_openai_models, get_openai_model],
                guards=guards,
                security=SECURITY,
                exception_handlers={Exception: openai_errors.answer},
            ),
            *compat_routes(
                calls=calls,
                check=api.submit.check,
                delete=api.delete,
                guards=guards,
                socket_guards=[admit_counted(require_token_in_path(api.admit_caller), api.rates)],
            ),
            get_health,
            get_liveness,
            get_readiness,
            to_reference,
            explain_problem,
        ],
        dependencies={
            "caller": Provide(current_caller, sync_to_thread=False),
            "submit": provide(api.submit),
            "uploads": provide(UploadReceiver(limits)),
            "audio": provide(
                AnswerAudio(
                    calls=calls,
                    segments=api.segments,
                    voices=KeepVoices(store=api.store_clip, delete=api.delete_clip),
                )
            ),
            "tasks": provide(api.tasks),
            "follow": provide(api.follow),
            "streams": provide(Streams(segments=api.segments)),
            "leaving": Provide(leaving(hang_up), sync_to_thread=False),
            "labelling": provide(api.label),
            "batching": provide(api.submit_batch),
            "batches": provide(api.batches),
            "ending": provide(api.end_batch),
            "incoming": provide(BatchReceiver(limits)),
            "wait": provide(AwaitEnd(api.follow, limits.sync_seconds)),
            "encoded": provide(api.encoded),
            "result": provide(api.result),
            "cancel": provide(api.cancel),
            "delete": provide(api.delete),
            "deletions": provide(api.deletions),
            "announce": provide(api.announce),
            "stage": provide(api.stage),
            "media": provide(api.media),
            "store": provide(api.store_clip),
            "begin": provide(api.begin_resumable),
            "resume": provide(api.resume_upload),
            "clips": provide(api.clips),
            "remove_clip": provide(api.delete_clip),
            "retry": provide(api.retry),
            "revise": provide(api.revise),
            "revisions": provide(api.revisions),
            "speakers": provide(api.speakers),
            "models": provide(api.models),
            "webhooks": provide(api.webhooks),
            "replays": provide(api.replays),
            "usage": provide(api.usage),
            "numbers": provide(ShownNumbers(api.numbers)),
            "keys": provide(api.keys),
            "audit": provide(api.audit),
            "register": provide(api.register),
            "log_in": provide(api.log_in),
            "log_out": provide(api.log_out),
            "change": provide(api.change_password),
            "lend": provide(api.lend),
            "report": provide(HealthReport(release, api.probe, api.models.devices, api.warnings)),
        },
        guards=[limit_headers, count_strangers(api.rates)],
        exception_handlers={Exception: answer},
        request_class=StrictRequest,
        before_send=[allow_every_method(), let_page_load],
        after_exception=[remember_refusal],
        on_shutdown=[api.notes.close],
        openapi_config=openapi_config(release),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    tus = TusProtocol(app.asgi_handler, limits.max_upload_bytes)
    asked = Asked(tus, api.notes, api.proxies, api.shorten)
    context = RequestContext(asked, limits, SafeHeaders(api.proxies), api.proxies, api.tracer)
    app.asgi_handler = Measured(context, api.metrics)
    return app


def provide(value: object) -> Provide:
    """Hand `value` to handlers: Litestar takes a function, not an object."""

    def build() -> object:
        return value

    return _Given(build, sync_to_thread=False)


class _Given(Provide):
    """Equal to itself alone: Litestar compares all that are given with each other, for every route."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__
