"""Revising a transcript's speakers, and listing its revisions."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from application.list_revisions import ListRevisions
from application.ports.revisions import Revision
from application.revise_task import ReviseTask, SpeakerRequest
from domain.access import Caller
from domain.task import TaskId
from entrypoints.http.acceptance import LOCATION, accepted
from entrypoints.http.openapi import problems
from entrypoints.http.schemas import Accepted
from entrypoints.http.schemas_speakers import (
    RevisionList,
    RevisionOptions,
    RevisionRequest,
    RevisionSummary,
    StageSummary,
)


@post(
    "/tasks/{task_id:uuid}/revisions",
    status_code=202,
    summary="Find the speakers anew",
    response_description="Accepted, as a task of its own.",
    response_headers=[LOCATION],
    tags=["Speakers"],
    responses=problems(
        "not_found",
        "wrong_state",
        "recording_purged",
        "invalid_options",
        "queue_full",
        "too_many_queued",
        "model_unavailable",
    ),
)
async def create_revision(
    task_id: FromPath[UUID],
    data: JSONBody[RevisionRequest],
    caller: NamedDependency[Caller],
    revise: NamedDependency[ReviseTask],
) -> Response[Accepted]:
    """Run the diarization of a finished task again, on the words as they are: nothing is recognised again.

    The answer names a task of kind `revise`, whose `parent` is this one. When it is done, this task has one revision
    more, and `/result` gives that one unless another is asked for. Edits of speakers are carried over to it.
    """
    request = SpeakerRequest(
        num_speakers=data.num_speakers,
        min_speakers=data.min_speakers,
        max_speakers=data.max_speakers,
        channels=data.channels,
    )
    return accepted(await revise(caller.owner, TaskId(task_id), request))


@get(
    "/tasks/{task_id:uuid}/revisions",
    summary="The revisions of a transcript",
    response_description="Each with how it was made.",
    tags=["Speakers"],
    responses=problems("not_found"),
)
async def list_revisions(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], revisions: NamedDependency[ListRevisions]
) -> RevisionList:
    """Revisions never change. Each can be had in every format: `/result/{task_id}?revision=2`."""
    return RevisionList(revisions=[_shown(revision) for revision in await revisions(caller.owner, TaskId(task_id))])


def _shown(revision: Revision) -> RevisionSummary:
    options = revision.options
    return RevisionSummary(
        revision=revision.number,
        created_at=revision.created_at,
        task_id=revision.made_by,
        options=RevisionOptions(
            diarization=options.diarization,
            num_speakers=options.num_speakers,
            min_speakers=options.min_speakers,
            max_speakers=options.max_speakers,
            channels=options.channels,
        ),
        stages=[StageSummary(name=stage.name, status=stage.status, engine=stage.engine) for stage in revision.stages],
    )
