"""Deleting from a bucket that keeps versions, of which the private store of the tests knows nothing."""

from dataclasses import dataclass

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import SUSPENDED, VersioningConfig

from adapters.storage.s3 import S3BlobStore
from tests.contracts.blob_store import chunked, content_of, keys_of
from tests.servers.s3 import S3Server


@dataclass(frozen=True)
class Version:
    object_name: str
    version_id: str | None


class Versioned:
    """A client's answers: three versions of each object, the last of which marks it as deleted."""

    def __init__(self, status: str | None) -> None:
        self.kept = {Version(name, f"{name}-{number}") for name in ("media/a", "media/ab") for number in range(3)}
        self._status = status

    def get_bucket_versioning(self, bucket_name: str) -> VersioningConfig:
        del bucket_name
        return VersioningConfig(self._status)

    def list_objects(self, bucket_name: str, prefix: str, *, include_version: bool) -> list[Version]:
        del bucket_name
        assert include_version
        return [*(each for each in self.kept if each.object_name.startswith(prefix)), Version(f"{prefix}/", None)]

    def remove_object(self, bucket_name: str, object_name: str, version_id: str | None = None) -> None:
        del bucket_name
        self.kept.discard(Version(object_name, version_id))


@pytest.mark.parametrize(("status", "left"), [(ENABLED, 0), (SUSPENDED, 0), (None, 3)])
async def test_d01_every_version_goes_where_there_are_some(
    s3: S3Server, status: str | None, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, client = S3BlobStore(s3.bucket()), Versioned(status)
    monkeypatch.setattr(store, "_client", lambda: client)
    await store.delete("media/a")
    assert sum(each.object_name == "media/a" for each in client.kept) == left
    assert sum(each.object_name == "media/ab" for each in client.kept) == 3


async def test_a_store_that_knows_no_versions_still_deletes(s3: S3Server) -> None:
    store = S3BlobStore(s3.bucket())
    await store.prepare()
    await store.put("a", chunked(b"1"))
    await store.put("ab", chunked(b"2"))
    await store.delete("a")
    assert await keys_of(store) == ["ab"]
    assert await content_of(store, "ab") == b"2"
