"""What every repository of uploads promises, as part of its unit of work."""

from dataclasses import replace
from datetime import timedelta

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from domain.task import OwnerId
from domain.upload import KEPT, Upload, UploadId
from tests.builders import NOW, OWNER
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new


def an_upload(owner: OwnerId = OWNER, *, age: timedelta = timedelta()) -> Upload:
    return Upload(
        id=UploadId(_new_id()), owner=owner, filename="März.wav", size=2**40, sha256="", created_at=NOW - age,
        expires_at=NOW - age + KEPT,
    )  # fmt: skip


class UploadRepositoryContract(Suite):
    """Uploads."""

    async def test_what_was_added_is_there_until_it_is_removed(self, new_uow: NewUnitOfWork) -> None:
        kept, removed = an_upload(), an_upload()
        async with new_uow() as uow:
            for upload in (kept, removed):
                await uow.uploads.add(upload)
            assert await uow.uploads.remove(removed.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.uploads.get(kept.id) == kept
            assert await uow.uploads.get(removed.id) is None
            assert not await uow.uploads.remove(removed.id)
            assert await uow.uploads.remove(kept.id)
        async with new_uow() as uow:
            assert await uow.uploads.get(kept.id) == kept, "a transaction that did not commit removed nothing"

    async def test_what_the_content_is_can_be_noted(self, new_uow: NewUnitOfWork) -> None:
        upload, other = an_upload(), an_upload()
        async with new_uow() as uow:
            for each in (upload, other):
                await uow.uploads.add(each)
            await uow.uploads.note(upload.id, sha256="ab" * 32)
            await uow.uploads.note(an_upload().id, sha256="cd" * 32)
            assert await uow.uploads.get(upload.id) == replace(upload, sha256="ab" * 32)
            assert await uow.uploads.get(other.id) == other

    async def test_each_owner_has_a_count(self, new_uow: NewUnitOfWork) -> None:
        other = OwnerId(_new_id())
        async with new_uow() as uow:
            for owner in (OWNER, OWNER, other):
                await uow.uploads.add(an_upload(owner))
            assert [await uow.uploads.count(owner) for owner in (OWNER, other, OwnerId(_new_id()))] == [2, 1, 0]

    async def test_the_expired_come_oldest_first(self, new_uow: NewUnitOfWork) -> None:
        fresh, *old = (an_upload(age=KEPT * days) for days in (0, 1, 3, 2))
        async with new_uow() as uow:
            for upload in (fresh, *old):
                await uow.uploads.add(upload)
            assert list(await uow.uploads.expired(by=NOW, limit=9)) == [old[1].id, old[2].id, old[0].id]
            assert list(await uow.uploads.expired(by=NOW, limit=2)) == [old[1].id, old[2].id]
            assert list(await uow.uploads.expired(by=NOW - KEPT * 9, limit=2)) == []
