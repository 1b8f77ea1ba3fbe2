"""Where the dialects of other programs are mounted: each under its prefix, and at the root where nobody else is."""

from collections.abc import Sequence
from typing import Any

from litestar import Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler, Guard

from application.check_options import CheckOptions
from application.delete_task import DeleteTask
from entrypoints.http.calls import Calls
from entrypoints.http.compat import clips, diarizer, jobs, platform, platform_errors
from entrypoints.http.compat.asr import AnswerAsr, asr, detect_language
from entrypoints.http.compat.clip_stream import stream_audio
from entrypoints.http.compat.health import health_route
from entrypoints.http.compat.platform_socket import follow_jobs
from entrypoints.http.openapi import SECURITY

_JOBS = (jobs.create_job, jobs.get_job, jobs.delete_job)
_CLIPS = (clips.upload_audio, clips.get_audio, clips.delete_audio, clips.transcribe_audio, stream_audio)
_PLATFORM = (platform.start_diarization, platform.get_speaker_job)
_OWN_ERRORS: dict[int | type[Exception], Any] = {Exception: platform_errors.answer}


def compat_routes(
    *, calls: Calls, check: CheckOptions, delete: DeleteTask, guards: Sequence[Guard], socket_guards: Sequence[Guard]
) -> list[ControllerRouterHandler]:
    """Make the routers; `guards` let callers in, and `socket_guards` those whose token stands in the path."""
    needs: dict[str, Any] = {
        "calls": Provide(lambda: calls, sync_to_thread=False),
        "whisper_asr": Provide(lambda: AnswerAsr(calls=calls, check=check, delete=delete), sync_to_thread=False),
    }

    def router(prefix: str, *handlers: ControllerRouterHandler, own_errors: bool = False) -> Router:
        return Router(
            prefix,
            route_handlers=handlers,
            guards=guards,
            security=SECURITY,
            dependencies=needs,
            exception_handlers=dict(_OWN_ERRORS) if own_errors else None,
        )

    return [
        router("/", asr, detect_language, *_JOBS, diarizer.diarize, *_CLIPS),
        router(platform.API, *_PLATFORM, own_errors=True),
        router(jobs.PREFIX, jobs.transcribe_at_once, *_JOBS),
        router(diarizer.PREFIX, diarizer.diarize, diarizer.get_diarization),
        router(clips.PREFIX, *_CLIPS),
        router(platform.PREFIX + platform.API, *_PLATFORM, own_errors=True),
        Router(
            platform.PREFIX + platform.API,
            route_handlers=[
                platform.register_platform_user,
                platform.create_platform_session,
                health_route("platform"),
            ],
            exception_handlers=dict(_OWN_ERRORS),
        ),
        *(Router(prefix, route_handlers=[follow_jobs], guards=socket_guards) for prefix in ("/", platform.PREFIX)),
        Router(jobs.PREFIX, route_handlers=[health_route("jobs")]),
        Router(diarizer.PREFIX, route_handlers=[health_route("diarizer")]),
    ]
