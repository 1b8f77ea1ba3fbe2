"""The API as one application, made of use cases that it is handed; importing this builds nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from litestar import Litestar, Router
from litestar.di import Provide

from application.admit_caller import AdmitCaller
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.get_result import GetResult
from application.list_models import ListModels
from application.query_tasks import QueryTasks
from application.submit_transcription import SubmitTranscription
from entrypoints.http.context import RequestContext
from entrypoints.http.errors import answer
from entrypoints.http.guards import current_caller, limit_headers, require_caller
from entrypoints.http.health import HealthReport, get_health, get_liveness, get_readiness
from entrypoints.http.limits import HttpLimits
from entrypoints.http.models import list_models
from entrypoints.http.openapi import SECURITY, openapi_config
from entrypoints.http.reference_page import explain_problem, to_reference
from entrypoints.http.result import get_result
from entrypoints.http.status import get_status, get_task
from entrypoints.http.tasks import cancel_task, delete_task, list_tasks
from entrypoints.http.transcribe import transcribe
from entrypoints.http.upload import UploadReceiver


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDependencies:
    """What the API drives. They keep nothing between calls, so one instance of each serves every request.

    `probe` says `ok` or what is wrong for each part that taking work needs.
    """

    admit_caller: AdmitCaller
    submit: SubmitTranscription
    tasks: QueryTasks
    result: GetResult
    cancel: CancelTask
    delete: DeleteTask
    models: ListModels
    probe: Callable[[], Awaitable[Mapping[str, str]]]


def create_app(api: ApiDependencies, limits: HttpLimits) -> Litestar:
    """Make the application."""
    release = version("colloquy")
    guards = [require_caller(api.admit_caller)]
    first = [transcribe, get_status, get_result]
    every = [*first, list_tasks, get_task, cancel_task, delete_task, list_models]
    app = Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=every, guards=guards, security=SECURITY),
            # The paths without a version are what the first clients were promised.
            Router("/", route_handlers=first, guards=guards, security=SECURITY),
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
            "tasks": provide(api.tasks),
            "result": provide(api.result),
            "cancel": provide(api.cancel),
            "delete": provide(api.delete),
            "models": provide(api.models),
            "report": provide(HealthReport(release, api.probe)),
        },
        guards=[limit_headers],
        exception_handlers={Exception: answer},
        openapi_config=openapi_config(release),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    app.asgi_handler = RequestContext(app.asgi_handler)
    return app


def provide(value: object) -> Provide:
    """Hand `value` to handlers: Litestar takes a function, not an object."""

    def build() -> object:
        return value

    return Provide(build, sync_to_thread=False)
