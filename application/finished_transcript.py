"""A transcript on its way into the stores: its bytes, and the rows that say so, which are written with the task's end.

Bytes before rows: what is described here is put under its key first, so that a crash in between repeats the last step.
"""

from dataclasses import dataclass
from datetime import datetime

from application.ports.persistence import UnitOfWork
from application.ports.revisions import Revision
from application.rendering.plain import one_line
from application.rendering.transcript_codec import encode_transcript
from domain.errors import ParentGone
from domain.search import TextPart, text_parts
from domain.stage import Stage
from domain.task import Task, TaskKind, TaskStatus, transcript_key
from domain.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTranscript:
    """A transcript laid out: its key and bytes, its text for searching, and what the task's row tells of it."""

    key: str
    encoded: bytes
    texts: tuple[TextPart, ...]
    stages: tuple[Stage, ...]
    language: str
    duration: int

    async def record(self, uow: UnitOfWork, task: Task, now: datetime) -> None:
        """Write, beside the end of `task`, the revision and its text; a revised parent gets its new number.

        Raises:
            ParentGone: the task that this one revises is no more.
            StaleTask: the parent was changed meanwhile.
        """
        home = task
        if task.kind is TaskKind.REVISE:
            parent = None if task.parent is None else await uow.tasks.get(task.parent)
            if parent is None or parent.status is not TaskStatus.DONE:
                raise ParentGone("the task that it revises is gone")
            parent.revised(number=task.revision, now=now)
            await uow.tasks.save(parent)
            home = parent
        await uow.revisions.add(
            Revision(
                task_id=home.id,
                number=task.revision,
                made_by=task.id,
                created_at=now,
                options=task.options,
                stages=self.stages,
            )
        )
        await uow.texts.put(home.id, self.texts)


def lay_out(task: Task, transcript: Transcript) -> FinishedTranscript:
    """Prepare the transcript for storing; for a thread, as eight hours of words take their time."""
    home = task.parent if task.kind is TaskKind.REVISE and task.parent else task.id
    return FinishedTranscript(
        key=transcript_key(home, transcript.revision),
        encoded=encode_transcript(transcript),
        texts=text_parts(line for segment in transcript.segments if (line := one_line(segment.text))),
        stages=transcript.stages,
        language=transcript.language,
        duration=transcript.media.decoded,
    )
