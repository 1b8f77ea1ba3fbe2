"""Many recordings in one call, and one status for all of them."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from application.manage_webhooks import ManageWebhooks
from application.query_batches import BatchView, EndBatch, QueryBatches
from application.submission import Submission
from application.submit_batch import SubmitBatch
from application.submit_transcription import SubmitTranscription
from domain.access import Caller
from domain.task import BatchId
from entrypoints.http.batch_form import BatchReceiver
from entrypoints.http.conditional import ETAG, NOT_MODIFIED, IfNoneMatch, tagged
from entrypoints.http.cursors import decode_cursor, encode_cursor
from entrypoints.http.openapi import problems
from entrypoints.http.operations_batches import BatchOperation
from entrypoints.http.schemas_batches import BatchPage, BatchState, batch_state, batch_summary
from entrypoints.http.transcribe import SUBMITTING, IdempotencyKey

_LOCATION = ResponseHeader(
    name="Location",
    value="/api/v1/batches/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
    description="Where to ask how it goes.",
    documentation_only=True,
)
_POLL_SECONDS = 5


@post(
    "/batches",
    status_code=202,
    request_max_body_size=None,  # BatchReceiver counts what arrives
    operation_class=BatchOperation,
    summary="Hand in many recordings",
    tags=["Batches"],
    response_description="What was accepted will be transcribed; what was not stands in `refused`.",
    response_headers=[_LOCATION],
    responses=problems(*SUBMITTING),
)
async def create_batch(
    request: Request[Caller, Any, Any],
    *,
    caller: NamedDependency[Caller],
    submit: NamedDependency[SubmitTranscription],
    batching: NamedDependency[SubmitBatch],
    batches: NamedDependency[QueryBatches],
    incoming: NamedDependency[BatchReceiver],
    webhooks: NamedDependency[ManageWebhooks],
    idempotency_key: IdempotencyKey = None,
) -> Response[BatchState]:
    """Send up to 100 recordings as `files`, or name them by `urls`, `clip_ids` or `upload_ids`, with shared options.

    Without `files` the call may be JSON. Each recording is accepted or refused by itself; where none is accepted, the
    call is answered with what was wrong with the first. `title` is the batch's, `tags` are those of every task.

    With an `Idempotency-Key` a call that broke off can be sent again: what it had made stays, and what lacks is added.
    """
    async with incoming.receive(request, lambda asked: submit.check(asked.options)) as (asked, items):
        shared = Submission(
            owner=caller.owner,
            options=asked.options,
            filename="",
            priority=caller.priority,
            key=idempotency_key and idempotency_key.strip('"'),
            title=asked.title,
            tags=asked.tags,
            webhook=await webhooks.asked_for(caller.owner, asked.webhook_url, asked.webhook_secret),
            webhook_digest=asked.webhook_digest,
        )
        batch_id = await batching(shared, items)
    view = await batches.one(caller.owner, batch_id)
    headers = {"Location": f"/api/v1/batches/{batch_id}", "Retry-After": str(_POLL_SECONDS)}
    return Response(batch_state(view), headers=headers)


@get(
    "/batches",
    summary="Your batches",
    response_description="One page.",
    tags=["Batches"],
    responses=problems("invalid_options"),
)
async def list_batches(
    caller: NamedDependency[Caller],
    batches: NamedDependency[QueryBatches],
    limit: Annotated[int, Parameter(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
) -> BatchPage:
    """Walk through them page by page, the newest first, without their tasks."""
    before = BatchId(decode_cursor(cursor)) if cursor else None
    found = await batches.page(caller.owner, before=before, limit=limit + 1)
    page = [batch_summary(view) for view in found[:limit]]
    return BatchPage(batches=page, next_cursor=encode_cursor(page[-1].batch_id) if len(found) > limit else None)


@get(
    "/batches/{batch_id:uuid}",
    summary="How a batch goes",
    response_description="Where it stands, with its tasks.",
    response_headers=[ETAG],
    tags=["Batches"],
    responses={**NOT_MODIFIED, **problems("not_found")},
)
async def get_batch(
    batch_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    batches: NamedDependency[QueryBatches],
    if_none_match: IfNoneMatch = None,
) -> Response[BatchState]:
    """Ask again after `Retry-After` seconds, while it is `queued` or `processing`."""
    return _shown(await batches.one(caller.owner, BatchId(batch_id)), if_none_match)


@post(
    "/batches/{batch_id:uuid}/cancel",
    status_code=200,
    summary="Cancel a batch",
    response_description="Where it stands now.",
    tags=["Batches"],
    responses=problems("not_found"),
)
async def cancel_batch(
    batch_id: FromPath[UUID], caller: NamedDependency[Caller], ending: NamedDependency[EndBatch]
) -> Response[BatchState]:
    """Cancel every task of it that has not ended; what is done stays."""
    return _shown(await ending.cancel(caller.owner, BatchId(batch_id)), None)


@delete(
    "/batches/{batch_id:uuid}",
    summary="Delete a batch",
    response_description="It is gone, with all its tasks.",
    tags=["Batches"],
    responses=problems("not_found"),
)
async def delete_batch(
    batch_id: FromPath[UUID], caller: NamedDependency[Caller], ending: NamedDependency[EndBatch]
) -> None:
    """Delete every task of it with its recording and its transcripts; each has its receipt under `/deletions`."""
    await ending.delete(caller.owner, BatchId(batch_id))


def _shown(view: BatchView, if_none_match: str | None) -> Response[BatchState]:
    unfinished = any(not status.final and count for status, count in view.tally.counts.items())
    return tagged(batch_state(view), if_none_match, headers={"Retry-After": str(_POLL_SECONDS)} if unfinished else {})
