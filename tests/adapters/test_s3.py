"""Blobs in a bucket of a real S3 server, and what happens when that server fails."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.s3 import PART, S3BlobStore
from application.ports.blobs import BlobStore
from domain.errors import StorageUnavailable
from tests.contracts.blob_store import BlobStoreContract, chunked, content_of, info_of, keys_of
from tests.servers.s3 import S3Server


class TestS3BlobStore(BlobStoreContract, adapter=S3BlobStore):
    # The tests' server keeps keys as files, and may answer 200 to a put and have nothing when it puts the next file of
    # a folder that it is removing with its last one. A store of keys alone has no folders to remove.
    beside = ("t/x/0",)

    @pytest.fixture
    async def store(self, s3: S3Server) -> BlobStore:
        store = S3BlobStore(s3.bucket())
        await store.prepare()
        return store


@pytest.fixture
async def store(s3: S3Server) -> S3BlobStore:
    store = S3BlobStore(s3.bucket())
    await store.prepare()
    return store


async def test_a_blob_of_several_parts_comes_back(store: S3BlobStore) -> None:
    content = bytes(range(256)) * (2 * PART // 256 + 5)
    assert await store.put("a", chunked(content, 300_000)) == info_of("a", content)
    assert await content_of(store, "a") == content


async def test_the_loop_never_waits_for_the_store(store: S3BlobStore) -> None:
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - before - 0.01)

    watching = asyncio.create_task(watch())
    await store.put("a", chunked(bytes(3 * PART)))
    await content_of(store, "a")
    watching.cancel()
    assert worst < 0.2


async def test_u07_a_store_that_is_away_is_named_in_time_and_found_again(s3: S3Server, tmp_path: Path) -> None:
    with S3Server() as own:
        store = S3BlobStore(own.bucket())
        await store.prepare()
        await store.put("a", chunked(b"kept"))
        own.stop()
        started = time.monotonic()
        for step in (content_of(store, "a"), keys_of(store), store.fetch("a", tmp_path / "a"), store.delete("a")):
            with pytest.raises(StorageUnavailable):
                await step
        with pytest.raises(StorageUnavailable):
            await store.put("b", chunked(bytes(20_000_000)))
        assert time.monotonic() - started < 60
        own.start()
        assert await content_of(store, "a") == b"kept"
    assert s3.port


async def test_u07_wrong_credentials_are_named_and_not_shown(s3: S3Server) -> None:
    wrong = s3.secret_key[::-1]
    bucket = s3.bucket(secret_key=wrong)
    with pytest.raises(StorageUnavailable) as refused:
        await keys_of(S3BlobStore(bucket))
    assert wrong not in f"{refused.value} {bucket!r}"
    assert s3.secret_key not in repr(s3.bucket())


async def test_a_source_that_fails_late_leaves_no_part_behind(store: S3BlobStore) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(2 * PART)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.put("a", breaking())
    assert await keys_of(store) == []
    assert await store.sweep_partial(timedelta()) == 0


async def test_u05_parts_that_a_crash_left_are_swept_when_they_are_old(store: S3BlobStore) -> None:
    client = store._client()
    client._create_multipart_upload(bucket_name=store._bucket.name, object_name="media/a", headers={})
    assert await store.sweep_partial(timedelta(hours=1)) == 0
    assert await store.sweep_partial(timedelta()) == 1
    assert await store.sweep_partial(timedelta()) == 0
