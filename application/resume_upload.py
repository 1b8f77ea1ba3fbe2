"""Taking a resumable upload's bytes as they come: what has arrived is kept, whatever happens to the line or to us."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from application.audit import note_refusal
from application.finish_resumable import FinishResumable
from application.ports.persistence import NewUnitOfWork
from application.ports.resumables import FileHeld, GrowingFile, GrowingFiles
from application.turns_at_uploads import TurnsAtUploads, Writer
from domain.audit import Thing
from domain.errors import MediaRejected, UploadRefused
from domain.resumable import Checksum, ResumableUpload
from domain.task import OwnerId
from domain.upload import UploadId


@dataclass(frozen=True, slots=True)
class Standing:
    """An upload, and how many of its bytes are here."""

    upload: ResumableUpload
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes that begin at `offset`; `size` and the whole upload's `length` where they are told.

    With a checksum all of it counts or nothing.
    """

    chunks: AsyncIterator[bytes]
    offset: int
    size: int | None = None
    length: int | None = None
    checksum: Checksum | None = None


class ResumeUpload:
    """Looks at, goes on with, and gives up resumable uploads of an owner. One instance a process: it knows who writes.

    Every method raises `UploadRefused`: `not_found`, `upload_expired`.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, files: GrowingFiles, finish: FinishResumable, largest: int) -> None:
        self._new_uow = new_uow
        self._files = files
        self._finish = finish
        self._largest = largest
        self._turns = TurnsAtUploads()

    async def look(self, owner: OwnerId, upload_id: UploadId) -> Standing:
        """Say how far it is, once a line that is dead by now has been given up."""
        upload = await self._find(owner, upload_id)
        if upload.completed_at is None:
            await self._turns.settle(upload_id)
            if await self._files.size(upload_id) == upload.length:
                with suppress(UploadRefused):  # whoever holds it finishes it
                    async with self._hold(upload_id) as (_, file):
                        upload = await self._recovered(upload, file)
            else:
                upload = await self._finish.recovered(upload)
        if upload.completed_at is not None:
            return Standing(upload, upload.length or 0)
        return Standing(upload, await self._files.size(upload_id))

    async def append(self, owner: OwnerId, upload_id: UploadId, piece: Piece) -> Standing:
        """Add a piece; the upload is complete with its last.

        Raises:
            UploadRefused: `upload_offset`, the piece begins elsewhere; `upload_locked`, somebody else writes;
                `upload_mismatch`, the length is not the one that was declared; `piece_mismatch`, its checksum is not.
            MediaRejected: more comes than was declared, or than is allowed.
            StorageFull: there is no room.
        """
        upload = await self._find(owner, upload_id)
        if upload.completed_at is None:
            async with self._hold(upload_id) as (writer, file):
                upload = await self._recovered(await self._find(owner, upload_id), file)
                if upload.completed_at is None:
                    upload = await self._declare(upload, piece)
                    _require_offset(file.size, piece)
                    await self._take(upload, file, writer, piece)
                    if file.size == upload.length:
                        upload = await self._finish(upload, file.path)
                    return Standing(upload, file.size)
        _require_offset(upload.length or 0, piece)
        if piece.size:
            raise _more_than(0)
        return Standing(upload, upload.length or 0)

    async def abandon(self, owner: OwnerId, upload_id: UploadId) -> None:
        """Remove it with all that came of it.

        Raises:
            UploadRefused: `upload_locked`, somebody writes to it.
        """
        await self._find(owner, upload_id)
        async with self._hold(upload_id):
            async with self._new_uow() as uow:
                await uow.resumables.remove(upload_id)
                await uow.uploads.remove(upload_id)
                await uow.commit()
            await self._files.remove(upload_id)
            await self._finish.discard(upload_id)

    async def _find(self, owner: OwnerId, upload_id: UploadId) -> ResumableUpload:
        async with self._new_uow() as uow:
            upload = await uow.resumables.get(upload_id)
            if upload is not None and upload.owner != owner:
                note_refusal(Thing.UPLOAD, upload_id)
            if upload is None or upload.owner != owner:
                raise UploadRefused(f"there is no upload {upload_id}", code="not_found")
            if upload.expires_at <= await uow.tasks.now():
                raise UploadRefused("the upload's time is over: begin another", code="upload_expired")
            return upload

    @asynccontextmanager
    async def _hold(self, upload_id: UploadId) -> AsyncIterator[tuple[Writer, GrowingFile]]:
        async with self._turns.take(upload_id) as writer:
            try:
                async with self._files.hold(upload_id) as file:
                    yield writer, file
            except FileHeld as error:
                raise UploadRefused("another process writes to this upload", code="upload_locked") from error

    async def _recovered(self, upload: ResumableUpload, file: GrowingFile) -> ResumableUpload:
        """Finish what a crash, or a store that was away, left whole and unfinished."""
        if upload.completed_at is not None:
            return upload
        return await (self._finish(upload, file.path) if file.size == upload.length else self._finish.recovered(upload))

    async def _declare(self, upload: ResumableUpload, piece: Piece) -> ResumableUpload:
        if piece.length is None or piece.length == upload.length:
            return upload
        if upload.length is not None:
            raise UploadRefused(f"a length of {upload.length} was declared before", code="upload_mismatch")
        if piece.length > self._largest:
            raise MediaRejected(f"a recording may have at most {self._largest} bytes", code="too_large")
        declared = replace(upload, length=piece.length)
        async with self._new_uow() as uow:
            await uow.resumables.save(declared)
            await uow.commit()
        return declared

    async def _take(self, upload: ResumableUpload, file: GrowingFile, writer: Writer, piece: Piece) -> None:
        most = (self._largest if upload.length is None else upload.length) - file.size
        if (piece.size or 0) > most:
            raise _more_than(most)
        found = None
        if piece.checksum is not None:
            await file.guard()
            found = hashlib.new(piece.checksum.algorithm, usedforsecurity=False)
        async for chunk in writer.read(piece.chunks):
            most -= len(chunk)
            if most < 0:
                raise _more_than(most + len(chunk))
            await file.append(chunk)
            if found is not None:
                found.update(chunk)
        if piece.checksum is not None and found is not None and found.digest() != piece.checksum.digest:
            raise UploadRefused("the piece is not what its checksum says; nothing of it is kept", code="piece_mismatch")
        await file.confirm()


def _require_offset(offset: int, piece: Piece) -> None:
    if piece.offset != offset:
        raise UploadRefused(f"{offset} bytes are here, and the piece begins at {piece.offset}", code="upload_offset")


def _more_than(most: int) -> MediaRejected:
    return MediaRejected(f"{most} bytes are missing, and more came", code="too_large")
