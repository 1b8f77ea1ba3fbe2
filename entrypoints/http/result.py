"""Fetching a transcript in any format."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, Parameter
from litestar.response import Stream

from application.encoded_result import EncodedResult, ResultView
from application.query_tasks import QueryTasks
from application.rendering.captions import CaptionFormat, CaptionStyle
from application.rendering.registry import FORMATS
from domain.access import Caller
from domain.task import Task, TaskId, TaskStatus
from domain.transcript import Transcript
from entrypoints.http.conditional import ETAG, NOT_MODIFIED, IfNoneMatch, matches, not_modified
from entrypoints.http.cue_options import cue_options, require_captions
from entrypoints.http.errors import InvalidFields, ResultNotReady
from entrypoints.http.filenames import content_disposition
from entrypoints.http.openapi import problems
from entrypoints.http.operations import ResultOperation
from entrypoints.http.prefer import PREFERENCE_APPLIED, AwaitEnd, Prefer, preference
from entrypoints.http.schemas import TaskState
from entrypoints.http.status import poll_hint, state_response

_VARY = ResponseHeader(name="Vary", value="Accept-Encoding", documentation_only=True)


@get(
    "/result/{task_id:uuid}",
    operation_class=ResultOperation,
    summary="The transcript",
    tags=["Transcription"],
    response_headers=[ETAG, PREFERENCE_APPLIED, _VARY],
    dependencies={"cues": Provide(cue_options, sync_to_thread=False)},
    responses={
        202: ResponseSpec(TaskState, generate_examples=False, description="It has not ended in the time to wait."),
        **NOT_MODIFIED,
        **problems("not_found", "not_ready", "invalid_options"),
    },
)
async def get_result(
    request: Request[Caller, Any, Any],
    task_id: FromPath[UUID],
    *,
    tasks: NamedDependency[QueryTasks],
    encoded: NamedDependency[EncodedResult],
    wait: NamedDependency[AwaitEnd],
    cues: NamedDependency[CaptionStyle | None],
    format: Annotated[str | None, Parameter(description="Default: the one asked for at submission.")] = None,
    revision: Annotated[int | None, Parameter(ge=1, le=2**31 - 1, description="Default: the latest.")] = None,
    edits: Annotated[bool, Parameter(description="`false` gives it as it was made, before any edit by hand.")] = True,
    if_none_match: IfNoneMatch = None,
    prefer: Prefer = None,
) -> Response[Any]:
    """Render the transcript; every format is a view of the same words, so ask for as many as you like.

    The JSON says what to trust. Each segment has its `quality`, where the engine tells: the average log probability of
    its words, the probability that nobody spoke, how far its text can be compressed (loops can, speech cannot), and how
    often it was decoded. `suspect_spans` are stretches whose text is doubtful or was dropped, with the reason:
    `repetition`, `low_probability`, `prompt_echo`, `too_fast`, `boilerplate` or `dropped` (the engine heard silence);
    `text` is what it made of them. `uncovered_speech` is where somebody was heard to speak for a second or more, and
    no word stands.

    Speakers are shown as people have named, merged and corrected them (`/tasks/{task_id}/speakers`).

    With `Prefer: wait=30` the answer comes when the task has ended; after 30 seconds it is where it stands, as 202.
    """
    owner, of, wish = request.user.owner, TaskId(task_id), preference(prefer, most=wait.most)
    task = (await tasks.one(owner, of)).task
    if wish.wait and not task.status.final:
        await wait(request, owner, of, wish.wait)
        view = await tasks.one(owner, of)
        task = view.task
        if not task.status.final:
            headers = {**wish.headers, "Location": f"/api/v1/status/{of}"}
            return state_response(view, headers=headers, status_code=202)
    name = format or task.options.format
    if name not in FORMATS:
        raise InvalidFields({"format": f"format: there is: {', '.join(FORMATS)}"})
    require_captions(name, cues)
    response = await result_response(
        request, encoded, task, name, cues=cues, revision=revision, edits=edits, if_none_match=if_none_match
    )
    response.headers.update(wish.headers)
    return response


async def result_response(
    request: Request[Caller, Any, Any],
    encoded: EncodedResult,
    task: Task,
    name: str,
    *,
    cues: CaptionStyle | None = None,
    revision: int | None = None,
    edits: bool = True,
    if_none_match: str | None = None,
) -> Response[Any]:
    """Answer with the task's transcript in the format of that name, or that it is as the caller has it.

    Raises:
        ResultNotReady: the task has not ended well (yet).
        TaskNotFound: there is no such revision.
    """
    if task.status is not TaskStatus.DONE:
        hint = poll_hint(task).get("Retry-After")
        raise ResultNotReady(f"the task is {task.status}", task.error, retry_after=int(hint) if hint else None)
    variant = name if cues is None else f"{name} {cues}"
    view = await encoded.find(task.owner, task.id, revision=revision, edited=edits, variant=variant)
    headers = {"Vary": "Accept-Encoding"}
    if matches(if_none_match, view.digest, _packed(view)):
        return not_modified(_packed(view) if _takes_gzip(request) else view.digest, headers)
    chosen = FORMATS[name]
    body = await encoded.read(view, _renderer(name, cues), compress=_takes_gzip(request))
    headers |= {
        "ETag": f'"{_packed(view) if body.compressed else view.digest}"',
        "Cache-Control": "private, no-cache",
        "Content-Length": str(body.size),
    }
    if body.compressed:
        headers["Content-Encoding"] = "gzip"
    if name != "json":
        headers["Content-Disposition"] = content_disposition(task.media.filename, chosen.extension)
    return Stream(body.chunks, media_type=chosen.media_type, headers=headers)


def _packed(view: ResultView) -> str:
    return f"{view.digest}-gzip"


def _renderer(name: str, cues: CaptionStyle | None) -> Callable[[Transcript], bytes]:
    if cues is None:
        return FORMATS[name].render
    caption: CaptionFormat = "srt" if name == "srt" else "vtt"
    return lambda transcript: cues.render(transcript, caption)


def _takes_gzip(request: Request[Any, Any, Any]) -> bool:
    """Whether the caller unpacks gzip (RFC 9110, section 12.5.3)."""
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, parameters = coding.partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
