"""Finding the task that makes another one unnecessary: the same recording, with the same options, of the same owner."""

from pathlib import Path

from application.answer_once import sha256_of
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.submission import Media, Submission
from domain.content import content_digest
from domain.task import Task


class ReuseTask:
    """Looks for such a task where a submission allows it."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def ahead(self, submission: Submission, media: Media) -> Task | None:
        """Look before anything is stored, which is possible for a file on our own disk."""
        if not submission.reuse or not isinstance(media, Path):
            return None
        sha256 = await sha256_of(media)
        async with self._new_uow() as uow:
            return await uow.tasks.same(submission.owner, content_digest(submission.options, sha256))

    async def within(self, uow: UnitOfWork, submission: Submission, sha256: str) -> Task | None:
        """Look in the unit that would add the task: of several at once, one adds it and the others find it."""
        if not submission.reuse or not sha256:
            return None
        await uow.tasks.queue_length(submission.owner, hold=True)
        return await uow.tasks.same(submission.owner, content_digest(submission.options, sha256))
