"""What every repository of resumable uploads promises, and every place where their files grow."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from application.ports.resumables import FileHeld, GrowingFiles
from domain.resumable import ResumableUpload
from domain.task import OwnerId
from domain.upload import KEPT, UploadId
from tests.builders import NOW, OWNER
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new


def a_resumable(**changes: Any) -> ResumableUpload:
    upload = ResumableUpload(
        id=UploadId(_new_id()), owner=OWNER, filename="März.wav", length=2**40, metadata="filename TQ==",
        created_at=NOW, expires_at=NOW + KEPT,
    )  # fmt: skip
    return replace(upload, **changes)


class ResumableRepositoryContract(Suite):
    """Resumable uploads."""

    async def test_what_was_added_is_there_until_it_is_removed(self, new_uow: NewUnitOfWork) -> None:
        kept, removed = a_resumable(), a_resumable(length=None)
        async with new_uow() as uow:
            for upload in (kept, removed):
                await uow.resumables.add(upload)
            assert await uow.resumables.get(removed.id) == removed
            assert await uow.resumables.remove(removed.id)
            assert not await uow.resumables.remove(removed.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.resumables.get(kept.id) == kept
            assert await uow.resumables.get(removed.id) is None

    async def test_a_change_is_kept(self, new_uow: NewUnitOfWork) -> None:
        upload, gone = a_resumable(length=None), a_resumable()
        changed = replace(upload, length=5, completed_at=NOW + timedelta(seconds=1))
        async with new_uow() as uow:
            await uow.resumables.add(upload)
            await uow.resumables.save(changed)
            await uow.resumables.save(gone)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.resumables.get(upload.id) == changed
            assert await uow.resumables.get(gone.id) is None

    async def test_each_owner_has_a_count_of_what_is_not_complete(self, new_uow: NewUnitOfWork) -> None:
        other = OwnerId(_new_id())
        async with new_uow() as uow:
            for upload in (a_resumable(), a_resumable(), a_resumable(owner=other), a_resumable(completed_at=NOW)):
                await uow.resumables.add(upload)
            assert [await uow.resumables.count(owner) for owner in (OWNER, other, OwnerId(_new_id()))] == [2, 1, 0]

    async def test_the_expired_come_oldest_first(self, new_uow: NewUnitOfWork) -> None:
        fresh, *old = (a_resumable(expires_at=NOW - days * KEPT) for days in (-1, 0, 2, 1))
        async with new_uow() as uow:
            for upload in (fresh, *old):
                await uow.resumables.add(upload)
            assert list(await uow.resumables.expired(by=NOW, limit=9)) == [old[1].id, old[2].id, old[0].id]
            assert list(await uow.resumables.expired(by=NOW, limit=1)) == [old[1].id]


class GrowingFilesContract(Suite):
    """Growing files. Bindings give `files`, and `again`, which makes others over the same place."""

    async def test_what_was_appended_stays(self, files: GrowingFiles) -> None:
        name = _new_id()
        assert await files.size(name) == 0
        for expected, piece in ((0, b"one"), (3, b"x" * 3_000_000), (3_000_003, b"")):
            async with files.hold(name) as file:
                assert file.size == expected
                await file.append(piece)
                assert file.size == expected + len(piece)
            assert await files.size(name) == expected + len(piece)
        assert list(await files.names()) == [name]
        async with files.hold(name) as file:
            assert file.path.read_bytes() == b"one" + b"x" * 3_000_000

    async def test_what_came_before_an_error_stays(self, files: GrowingFiles) -> None:
        name = _new_id()
        with suppress(ZeroDivisionError):
            async with files.hold(name) as file:
                await file.append(b"one")
                raise ZeroDivisionError
        assert await files.size(name) == 3

    async def test_what_is_guarded_counts_when_it_is_confirmed(self, files: GrowingFiles) -> None:
        name = _new_id()
        async with files.hold(name) as file:
            await file.append(b"one")
            await file.guard()
            await file.append(b"two")
            await file.confirm()
            assert file.path.read_bytes() == b"onetwo"
        with suppress(ZeroDivisionError):
            async with files.hold(name) as file:
                await file.guard()
                await file.append(b"x" * 3_000_000)
                assert await files.size(name) == 6
                raise ZeroDivisionError
        assert await files.size(name) == 6

    async def test_nobody_else_holds_what_is_held(self, files: GrowingFiles, again: GrowingFiles) -> None:
        name, other = _new_id(), _new_id()
        async with files.hold(name):
            for others in (files, again):
                with pytest.raises(FileHeld):
                    await asyncio.wait_for(others.hold(name).__aenter__(), 5)
            async with again.hold(other):
                pass
        async with again.hold(name) as file:
            assert file.size == 0

    async def test_a_removed_file_begins_anew(self, files: GrowingFiles) -> None:
        name = _new_id()
        async with files.hold(name) as file:
            await file.append(b"one")
        await files.remove(name)
        await files.remove(name)
        assert (await files.size(name), list(await files.names())) == (0, [])
        async with files.hold(name) as file:
            assert file.size == 0

    async def test_a_file_may_be_moved_away_while_it_is_held(self, files: GrowingFiles, tmp_path: Path) -> None:
        name = _new_id()
        async with files.hold(name) as file:
            await file.append(b"one")
            await file.confirm()
            file.path.rename(tmp_path / "taken")
        assert (tmp_path / "taken").read_bytes() == b"one"
        assert (await files.size(name), list(await files.names())) == (0, [])
