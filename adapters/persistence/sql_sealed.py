"""What was said, sealed in the database: the checkpoints of tasks under way, and the texts by which tasks are found.

A sealed text cannot be indexed without telling its words, so a search reads the owner's texts, from the newest on.
"""

import asyncio
import base64
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

from msgspec import json
from sqlalchemy import select

from adapters.persistence.rows import task_from_row
from adapters.persistence.sql_pages import also_asked
from adapters.persistence.sql_revisions import Run
from adapters.persistence.tables import tasks
from adapters.persistence.tables_revisions import transcript_texts
from application.ports.persistence import CheckpointRepository
from application.ports.search import Hit, TranscriptTexts
from application.ports.task_filter import EVERYTHING, TaskFilter
from application.ports.vault import KeyUnknown, Vault, VaultKeyRepository
from domain.search import TextPart, terms
from domain.task import OwnerId, TaskId

T = TypeVar("T")

_texts = transcript_texts
_MARK = "\x02sealed:"
"""Nobody says a control character."""
_BATCH = 50
"""Tasks whose texts are read at once: a megabyte or two."""


class SealedCheckpoints(CheckpointRepository):
    """Seals what `plain` stores, each part for its task and name."""

    def __init__(self, plain: CheckpointRepository, vault: Vault, keys: VaultKeyRepository) -> None:
        self._plain = plain
        self._vault = vault
        self._keys = keys

    async def put(self, task_id: TaskId, name: str, *, token: int, payload: bytes) -> None:
        """Seal a part."""
        sealed = self._vault.seal(payload, context=f"checkpoint {task_id} {name}")
        await self._plain.put(task_id, name, token=token, payload=sealed)

    async def all(self, task_id: TaskId) -> dict[str, bytes]:
        """Open every part."""
        parts = await self._plain.all(task_id)

        def opened() -> dict[str, bytes]:
            return {
                name: self._vault.unseal(part, context=f"checkpoint {task_id} {name}") for name, part in parts.items()
            }

        return await _opened(opened, self._vault, self._keys)

    async def clear(self, task_id: TaskId) -> None:
        """Remove every part."""
        await self._plain.clear(task_id)


class SealedTranscriptTexts(TranscriptTexts):
    """Text and terms of a part sealed together, in place of its text; its terms are empty."""

    def __init__(self, run: Run, vault: Vault, keys: VaultKeyRepository) -> None:
        self._run = run
        self._vault = vault
        self._keys = keys

    async def put(self, task_id: TaskId, parts: Sequence[TextPart]) -> None:
        """Seal the parts of a task."""
        await self._run(_texts.delete().where(_texts.c.task_id == task_id))
        for number, part in enumerate(parts):
            text = sealed_text(self._vault, task_id, number, part)
            await self._run(_texts.insert().values(task_id=task_id, part=number, text=text, terms=""))

    async def find(
        self,
        owner: OwnerId,
        terms: Sequence[str],
        *,
        before: TaskId | None,
        limit: int,
        only: TaskFilter = EVERYTHING,
    ) -> Sequence[Hit]:
        """Read through the owner's texts until there are enough."""
        hits: list[Hit] = []
        of = [tasks.c.owner == owner, tasks.c.id.in_(select(_texts.c.task_id)), *also_asked(only)]
        newest_first = select(tasks).where(*of).order_by(tasks.c.id.desc()).limit(_BATCH)
        while len(hits) < limit:
            page = newest_first if before is None else newest_first.where(tasks.c.id < before)
            found = [task_from_row(row) for row in await self._run(page)]
            if not found:
                break
            before = found[-1].id
            texts = await self._texts_of([task.id for task in found])
            for task in found:
                having = [_with(term, texts[task.id]) for term in terms]
                if all(part is not None for part in having) and having[0] is not None:
                    hits.append(Hit(task=task, text=having[0].text))
        return hits[:limit]

    async def _texts_of(self, task_ids: Sequence[TaskId]) -> dict[TaskId, list[TextPart]]:
        parts = select(_texts.c.task_id, _texts.c.part, _texts.c.text).where(_texts.c.task_id.in_(task_ids))
        rows = list(await self._run(parts.order_by(_texts.c.task_id, _texts.c.part)))

        def opened() -> dict[TaskId, list[TextPart]]:
            return {
                of: [self._opened(f"text {of} {row.part}", row.text) for row in group]
                for of, group in groupby(rows, lambda row: TaskId(row.task_id))
            }

        return await _opened(opened, self._vault, self._keys)

    def _opened(self, context: str, text: str) -> TextPart:
        if not is_sealed(text):
            return TextPart(text, terms(text))
        sealed = base64.b64decode(text.removeprefix(_MARK))
        return json.decode(self._vault.unseal(sealed, context=context), type=TextPart)


def sealed_text(vault: Vault, task_id: TaskId, number: int, part: TextPart) -> str:
    """Return what stands in place of a part's text."""
    sealed = vault.seal(json.encode(part), context=f"text {task_id} {number}")
    return _MARK + base64.b64encode(sealed).decode()


def is_sealed(text: str) -> bool:
    """Whether the text of a part is a sealed one."""
    return text.startswith(_MARK)


async def _opened(opened: Callable[[], T], vault: Vault, keys: VaultKeyRepository) -> T:
    """Open in a thread, and once more with keys that were made since the last look at them."""
    try:
        return await asyncio.to_thread(opened)
    except KeyUnknown:
        vault.learn(await keys.all())
        return await asyncio.to_thread(opened)


def _with(term: str, parts: Sequence[TextPart]) -> TextPart | None:
    return next((part for part in parts if any(each.startswith(term) for each in part.terms)), None)
