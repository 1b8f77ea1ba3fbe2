"""A result as the bytes that are sent: told by a digest before anything is read, and kept once it was long to make.

A kept result lies beside the transcript that it is a view of, whole and compressed, under a name that changes with
whatever it is made of; so it is never wrong, goes where the transcript goes, and is sent without being read.
"""

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from application.audit import note
from application.get_result import GetResult, home_of
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from application.query_tasks import owned
from domain.audit import Action, Thing
from domain.task import OwnerId, Task, TaskId
from domain.transcript import Transcript

KEPT_FROM = 256 * 1024
"""Bytes; what is shorter is made anew in a few milliseconds."""
_LEVEL = 6
_SPARE = 1024
"""Bytes; nothing is gained by compressing less."""
_JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """One way to look at a task's transcript; equal digests mean equal bytes."""

    task: Task
    home: TaskId
    revision: int
    edited: bool
    variant: str
    digest: str

    @property
    def key(self) -> str:
        """The blob of these bytes."""
        return f"{self.folder}{self.digest}.json"

    @property
    def folder(self) -> str:
        """What the names of its earlier states begin with too."""
        return f"transcripts/{self.home}/{self.revision}.{'edited' if self.edited else 'made'}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Bytes to send: how many, whether they are compressed by gzip, and the bytes."""

    size: int
    compressed: bool
    chunks: AsyncIterator[bytes]


class EncodedResult:
    """Gives results as bytes; `release` names the code that renders them, whose next version may do it otherwise."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore, result: GetResult, release: str) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._result = result
        self._release = release
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Of many who ask for a long view at once, one makes its bytes and the others wait."""

    async def find(
        self, owner: OwnerId, task_id: TaskId, *, revision: int | None, edited: bool, variant: str
    ) -> ResultView:
        """Tell which bytes it would be; `variant` names the format and its options. It need not be there yet.

        Raises:
            TaskNotFound: there is no such task.
        """
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
            home = home_of(task)
            edits = await uow.edits.all(home) if edited else ()
        number = revision or task.revision
        state = [(edit.seq, edit.undone_at is None) for edit in edits]
        told = repr((str(home), number, edited, state, variant, self._release))
        digest = hashlib.sha256(told.encode()).hexdigest()[:32]
        return ResultView(task=task, home=home, revision=number, edited=edited, variant=variant, digest=digest)

    async def read(self, view: ResultView, render: Callable[[Transcript], bytes], *, compress: bool) -> Encoded:
        """Return the bytes, compressed if that is welcome and worth it.

        Raises:
            TaskNotFound, TaskNotReady: as `GetResult`.
        """
        if kept := await self._kept(view, compress=compress):
            return kept
        async with self._making.setdefault(view.key, asyncio.Lock()):
            return await self._kept(view, compress=compress) or await self._make(view, render, compress=compress)

    async def _kept(self, view: ResultView, *, compress: bool) -> Encoded | None:
        if view.variant != _JSON or not view.task.status.final:
            return None
        key = f"{view.key}.gz" if compress else view.key
        kept = await self._blobs.stat(key)
        if kept is None:
            return None
        note(Action.READ, Thing.TRANSCRIPT, view.task.id)
        return Encoded(size=kept.size, compressed=compress, chunks=self._blobs.open(key))

    async def _make(self, view: ResultView, render: Callable[[Transcript], bytes], *, compress: bool) -> Encoded:
        transcript = await self._result(view.task.owner, view.task.id, revision=view.revision, edited=view.edited)
        if view.variant != _JSON:
            note(Action.EXPORTED, Thing.TRANSCRIPT, view.task.id, detail=view.variant.partition(" ")[0])
        # Eight hours of speech take longer to write out than the event loop may stand still.
        body = await asyncio.to_thread(render, transcript)
        compress = compress and len(body) >= _SPARE
        keep = view.variant == _JSON and len(body) >= KEPT_FROM
        packed = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0) if compress or keep else b""
        if keep:
            await self._keep(view, body, packed)
        chosen = packed if compress else body
        return Encoded(size=len(chosen), compressed=compress, chunks=_pieces(chosen))

    async def _keep(self, view: ResultView, body: bytes, packed: bytes) -> None:
        await self._blobs.put(f"{view.key}.gz", _pieces(packed))
        await self._blobs.put(view.key, _pieces(body))
        async with self._new_uow() as uow:
            gone = await uow.tasks.get(view.home) is None
        # What was kept of an earlier state is of no use; and of a task that was deleted meanwhile nothing may stay.
        for key in [key async for key in self._blobs.list(view.folder)]:
            if gone or not key.startswith(view.key):
                await self._blobs.delete(key)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    step = 64 * 1024
    for at in range(0, len(body), step):
        yield body[at : at + step]
