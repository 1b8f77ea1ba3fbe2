"""The port to finding tasks by what was said in them."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from application.ports.task_filter import EVERYTHING, TaskFilter
from domain.search import TextPart
from domain.task import OwnerId, Task, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A task whose transcript has every term, and the first part of its text that has the first of them."""

    task: Task
    text: str


class TranscriptTexts(Protocol):
    """Stores the texts of transcripts for searching; they go with their task."""

    @abstractmethod
    async def put(self, task_id: TaskId, parts: Sequence[TextPart]) -> None:
        """Store the text of an existing task, in place of what was stored of it."""

    @abstractmethod
    async def find(
        self,
        owner: OwnerId,
        terms: Sequence[str],
        *,
        before: TaskId | None,
        limit: int,
        only: TaskFilter = EVERYTHING,
    ) -> Sequence[Hit]:
        """Return the owner's tasks that pass and have a word beginning with each term, newest first, before `before`.

        Terms are those that `domain.search.query_terms` gives, at least one.
        """
