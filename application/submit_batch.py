"""Handing in many recordings by one call: each becomes a task or is refused with its own reason."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from application.answer_once import fingerprint_of
from application.audit import record
from application.ports.persistence import NewUnitOfWork
from application.ports.system import IdFactory
from application.submission import NamedMedia, Submission
from application.submit_transcription import SubmitTranscription
from domain.audit import Action, Thing
from domain.batch import MAX_ITEMS, Batch, RefusedItem
from domain.errors import ColloquyError, DatabaseUnavailable, InvalidOptions, KeyReused, StorageUnavailable
from domain.idempotency import KEPT
from domain.task import BatchId, OwnerId

_log = structlog.get_logger()
_TRANSIENT = (DatabaseUnavailable, StorageUnavailable)
"""Says nothing of a recording: the whole call is to be made again."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """A recording of a batch; `refusal` says why there is nothing to hand in."""

    media: NamedMedia | None
    filename: str
    refusal: ColloquyError | None = None


class SubmitBatch:
    """Makes the batch first, then its tasks one by one, under keys of their own.

    A call that broke off is therefore finished by the same call under the same key: what is there stays, what lacks is
    added.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, submit: SubmitTranscription, ids: IdFactory) -> None:
        self.check = submit.check
        self._new_uow = new_uow
        self._submit = submit
        self._ids = ids

    async def __call__(self, shared: Submission, items: Sequence[BatchItem]) -> BatchId:
        """Hand in the items, each as `shared` says; its key and title are the batch's.

        Raises:
            InvalidOptions, ModelNotFound, EngineUnavailable: as `SubmitTranscription.check`; or there are too many.
            KeyReused: the key names another call.
            ColloquyError: nothing was accepted; it is what was wrong with the first item.
        """
        self.check(shared.options)
        if not 0 < len(items) <= MAX_ITEMS:
            raise InvalidOptions(f"a batch has 1 to {MAX_ITEMS} recordings")
        batch = await self._batch(shared, items)
        refused: list[RefusedItem] = []
        first: ColloquyError | None = None
        for index, item in enumerate(items):
            if error := await self._hand_in(shared, batch.id, index, item):
                first = first or error
                refused.append(RefusedItem(index=index, filename=item.filename, code=error.reason, detail=error.detail))
        async with self._new_uow() as uow:
            if first is not None and len(refused) == len(items):
                await uow.batches.remove(batch.id, if_empty=True)
            else:
                await uow.batches.note(batch.id, refused=refused)
            await uow.commit()
        if first is not None and len(refused) == len(items):
            raise first
        return batch.id

    async def _hand_in(self, shared: Submission, batch: BatchId, index: int, item: BatchItem) -> ColloquyError | None:
        if item.media is None:
            return item.refusal
        key = f"batch:{batch}:{index}"
        try:
            submission = replace(shared, filename=item.filename, key=key, title="", batch=batch)
            await self._submit.hand_in(submission, item.media)
        except _TRANSIENT:
            raise
        except ColloquyError as error:
            return error
        return None

    async def _batch(self, shared: Submission, items: Sequence[BatchItem]) -> Batch:
        fingerprint = "" if shared.key is None else await _fingerprint(shared, items)
        async with self._new_uow() as uow:
            now = await uow.tasks.now()
            if shared.key is not None:
                await uow.batches.forget_keys(before=now - KEPT)
            batch = Batch(
                id=BatchId(self._ids.new()),
                owner=shared.owner,
                created_at=now,
                size=len(items),
                title=shared.title,
                key=shared.key,
                fingerprint=fingerprint,
            )
            if await uow.batches.add(batch):
                await record(uow, Action.CREATED, Thing.BATCH, batch.id, owner=batch.owner)
                await uow.commit()
                return batch
        return await self._earlier(shared.owner, shared.key or "", fingerprint)

    async def _earlier(self, owner: OwnerId, key: str, fingerprint: str) -> Batch:
        async with self._new_uow() as uow:
            earlier = await uow.batches.by_key(owner, key)
        if earlier is None or earlier.fingerprint != fingerprint:
            raise KeyReused("this Idempotency-Key was used for another batch")
        return earlier


async def _fingerprint(shared: Submission, items: Sequence[BatchItem]) -> str:
    told = [await fingerprint_of(shared, item.media) if item.media is not None else "" for item in items]
    return hashlib.sha256(repr((shared.title, shared.tags, told)).encode()).hexdigest()
