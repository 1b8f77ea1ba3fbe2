"""Naming and merging speakers, giving words to others, and taking all of that back."""

import asyncio
import re
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody
from msgspec import UNSET

from application.edit_speakers import EditSpeakers, EditView
from application.rendering.plain import one_line
from domain.access import Caller
from domain.edits import Change, Edit, EditKind
from domain.span import Span, to_ms, to_seconds
from domain.statistics import statistics
from domain.task import TaskId
from entrypoints.http.errors import InvalidFields
from entrypoints.http.openapi import problems
from entrypoints.http.schemas_speakers import (
    EditList,
    EditSummary,
    MergeRequest,
    ReassignRequest,
    RenameRequest,
    SpeakerList,
    SpeakerView,
)

_ETAG = ResponseHeader(
    name="ETag", value='"3"', description="The version; for `If-Match`.", documentation_only=True, required=False
)
_CHANGING = ("not_found", "speaker_not_found", "not_ready", "wrong_state", "edit_conflict", "invalid_options")
_TAG = re.compile(r'"(\d{1,15})"')
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="An `ETag`: refuse if somebody else has changed the speakers since."),
]


@get(
    "/tasks/{task_id:uuid}/speakers",
    summary="Who spoke",
    response_description="The speakers of the latest revision.",
    response_headers=[_ETAG],
    tags=["Speakers"],
    responses=problems("not_found", "not_ready", "wrong_state"),
)
async def list_speakers(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], speakers: NamedDependency[EditSpeakers]
) -> Response[SpeakerList]:
    """Labels, names, and how much everybody spoke, with all edits applied."""
    return await _speakers(await speakers.view(caller.owner, TaskId(task_id)))


@patch(
    "/tasks/{task_id:uuid}/speakers/{label:str}",
    summary="Name a speaker",
    response_description="The speakers as they are now.",
    response_headers=[_ETAG],
    tags=["Speakers"],
    responses=problems(*_CHANGING),
)
async def rename_speaker(
    task_id: FromPath[UUID],
    label: FromPath[str],
    data: JSONBody[RenameRequest],
    *,
    caller: NamedDependency[Caller],
    speakers: NamedDependency[EditSpeakers],
    if_match: IfMatch = None,
) -> Response[SpeakerList]:
    """Show a name instead of the label, in every format; the same name on two labels counts them as one."""
    name = None if data.name is None else one_line(data.name)
    if name == "":
        raise InvalidFields({"name": "name: it has no character that can be seen"})
    change = Change(kind=EditKind.RENAME, speaker=label, name=name)
    return await _speakers(await speakers.add(caller.owner, TaskId(task_id), change, version=_version(if_match)))


@post(
    "/tasks/{task_id:uuid}/speakers/merge",
    status_code=200,
    summary="Merge two speakers",
    response_description="The speakers as they are now.",
    response_headers=[_ETAG],
    tags=["Speakers"],
    responses=problems(*_CHANGING),
)
async def merge_speakers(
    task_id: FromPath[UUID],
    data: JSONBody[MergeRequest],
    *,
    caller: NamedDependency[Caller],
    speakers: NamedDependency[EditSpeakers],
    if_match: IfMatch = None,
) -> Response[SpeakerList]:
    """Give all words and turns of one to the other."""
    change = Change(kind=EditKind.MERGE, speaker=data.speaker, into=data.into)
    return await _speakers(await speakers.add(caller.owner, TaskId(task_id), change, version=_version(if_match)))


@post(
    "/tasks/{task_id:uuid}/words/reassign",
    status_code=200,
    summary="Give words to another speaker",
    response_description="The speakers as they are now.",
    response_headers=[_ETAG],
    tags=["Speakers"],
    responses=problems(*_CHANGING),
)
async def reassign_words(
    task_id: FromPath[UUID],
    data: JSONBody[ReassignRequest],
    *,
    caller: NamedDependency[Caller],
    speakers: NamedDependency[EditSpeakers],
    if_match: IfMatch = None,
) -> Response[SpeakerList]:
    """Move the words that start within a time; a segment is cut where its speaker changes, and turns follow."""
    if data.end <= data.start:
        raise InvalidFields({"end": "end: must be after start"})
    change = Change(
        kind=EditKind.REASSIGN,
        into=data.speaker,
        span=Span(to_ms(data.start), max(to_ms(data.end), to_ms(data.start) + 1)),
        channel=None if data.channel is UNSET else data.channel,
    )
    return await _speakers(await speakers.add(caller.owner, TaskId(task_id), change, version=_version(if_match)))


@get(
    "/tasks/{task_id:uuid}/edits",
    summary="What was changed by hand",
    response_description="Every edit, in order.",
    response_headers=[_ETAG],
    tags=["Speakers"],
    responses=problems("not_found", "not_ready", "wrong_state"),
)
async def list_edits(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], speakers: NamedDependency[EditSpeakers]
) -> Response[EditList]:
    """Edits are carried over to later revisions, speaker by speaker; `not_applied` says where that was not possible.

    A speaker of one revision is the one of another who has most of their words' time, and each is at most one.
    """
    return _edits(await speakers.view(caller.owner, TaskId(task_id)))


@delete(
    "/tasks/{task_id:uuid}/edits/{seq:int}",
    status_code=200,
    summary="Undo an edit",
    response_description="Every edit, in order.",
    response_headers=[_ETAG],
    tags=["Speakers"],
    responses=problems("not_found", "not_ready", "wrong_state", "edit_conflict"),
)
async def undo_edit(
    task_id: FromPath[UUID],
    seq: FromPath[int],
    *,
    caller: NamedDependency[Caller],
    speakers: NamedDependency[EditSpeakers],
    if_match: IfMatch = None,
) -> Response[EditList]:
    """Take any edit back, the later ones stay; it remains in the list, with the time. Repeating it does no harm."""
    return _edits(await speakers.undo(caller.owner, TaskId(task_id), seq, version=_version(if_match)))


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    return int(found[1]) if found else -1


async def _speakers(view: EditView) -> Response[SpeakerList]:
    transcript = view.edited.transcript
    counted = await asyncio.to_thread(statistics, transcript.segments, transcript.turns)
    shown = [
        SpeakerView(
            label=speaker.speaker,
            name=view.edited.names.get(speaker.speaker),
            talk_time=to_seconds(speaker.talk_time),
            share=round(speaker.share, 4),
            turns=speaker.turns,
            segments=speaker.segments,
            words=speaker.words,
            words_per_minute=round(speaker.words_per_minute, 1),
            overlap_time=to_seconds(speaker.overlap_time),
            longest_turn=to_seconds(speaker.longest_turn),
            interruptions=speaker.interruptions,
        )
        for speaker in counted
    ]
    answer = SpeakerList(revision=transcript.revision, version=view.version, speakers=shown)
    return Response(answer, headers={"ETag": f'"{view.version}"'})


def _edits(view: EditView) -> Response[EditList]:
    edits = [_shown(edit, view.edited.not_applied.get(edit.seq)) for edit in view.edits]
    answer = EditList(revision=view.edited.transcript.revision, version=view.version, edits=edits)
    return Response(answer, headers={"ETag": f'"{view.version}"'})


def _shown(edit: Edit, not_applied: str | None) -> EditSummary:
    change = edit.change
    return EditSummary(
        seq=edit.seq,
        kind=change.kind,
        revision=edit.revision,
        speaker=change.speaker,
        name=change.name,
        into=change.into,
        start=None if change.span is None else to_seconds(change.span.start),
        end=None if change.span is None else to_seconds(change.span.end),
        channel=change.channel,
        created_at=edit.created_at,
        undone_at=edit.undone_at,
        not_applied=not_applied,
    )
