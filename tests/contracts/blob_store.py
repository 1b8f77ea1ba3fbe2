"""What every blob store promises. Bindings give `store`, an empty one, and pytest's `tmp_path` is the caller's disk."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from application.ports.blobs import BlobInfo, BlobNotFound, BlobStore
from tests.contracts.suite import Suite

BIG = random.Random(5).randbytes(3_500_001)
"""Several batches of whatever a store writes at once, and an odd end."""
LARGEST_CHUNK = 4 * 1024 * 1024
NOT_KEYS = (
    *("", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/.b", ".a"),
    *("a b", "a\0b", "a\n", "ä", "a\\b", "x" * 256),
)


async def chunked(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def content_of(store: BlobStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.open(key)])


async def keys_of(store: BlobStore, prefix: str = "") -> list[str]:
    return [key async for key in store.list(prefix)]


async def written(path: Path, content: bytes) -> Path:
    await asyncio.to_thread(path.write_bytes, content)
    return path


def info_of(key: str, content: bytes) -> BlobInfo:
    return BlobInfo(key=key, size=len(content), sha256=hashlib.sha256(content).hexdigest())


class BlobStoreContract(Suite):
    """Bytes under keys."""

    beside: tuple[str, ...] = ()
    """What a binding keeps beside the keys of the test of neighbours."""

    async def test_what_was_put_comes_back(self, store: BlobStore) -> None:
        for number, content in enumerate((b"", b"a", BIG)):
            key = f"media/{number}"
            assert await store.put(key, chunked(content)) == info_of(key, content)
            assert await content_of(store, key) == content

    async def test_preparing_again_harms_nothing(self, store: BlobStore) -> None:
        await store.put("a", chunked(b"a"))
        await store.prepare()
        assert await store.sweep_partial(timedelta()) == 0
        assert await content_of(store, "a") == b"a"

    async def test_how_it_was_cut_does_not_matter(self, store: BlobStore) -> None:
        content = BIG[:5000]
        for number, size in enumerate((1, 7, 5000)):
            assert await store.put(f"a/{number}", chunked(content, size)) == info_of(f"a/{number}", content)
            assert await content_of(store, f"a/{number}") == content

    async def test_it_comes_in_chunks_of_bounded_size(self, store: BlobStore) -> None:
        await store.put("a", chunked(BIG * 2, len(BIG)))
        assert max([len(chunk) async for chunk in store.open("a")]) <= LARGEST_CHUNK

    async def test_any_range_can_be_read(self, store: BlobStore) -> None:
        await store.put("a", chunked(BIG))
        await store.put("empty", chunked(b""))
        size = len(BIG)
        ranges = [(0, 1), (1, 1), (0, size), (7, 1_500_000), (size - 1, None), (size - 1, size + 9), (size, None)]
        for start, end in [*ranges, (size + 5, size + 9), (0, 0), (2_000_000, 3_000_001)]:
            assert b"".join([chunk async for chunk in store.open("a", start=start, end=end)]) == BIG[start:end]
            assert [chunk async for chunk in store.open("empty", start=start, end=end)] == []
            with pytest.raises(BlobNotFound):
                await anext(store.open("b", start=start, end=end))

    async def test_stat_tells_size_and_change(self, store: BlobStore) -> None:
        await store.put("media/a", chunked(BIG))
        first = await store.stat("media/a")
        assert first == await store.stat("media/a")
        assert first is not None
        assert first.size == len(BIG)
        assert first.etag
        await store.put("media/a", chunked(BIG[:-1] + b"x"))
        second = await store.stat("media/a")
        assert second is not None
        assert second.size == first.size
        assert second.etag != first.etag
        for key in ("b", "media", "media/a/b"):
            assert await store.stat(key) is None

    async def test_a_copy_stands_by_itself(self, store: BlobStore) -> None:
        for content in (BIG, b""):
            await store.put("in/a", chunked(content))
            assert (await store.copy("in/a", "media/b")).size == len(content)
            assert await store.copy("in/a", "media/b") == await store.stat("media/b")
            await store.put("in/a", chunked(b"replaced"))
            assert await content_of(store, "media/b") == content
        await store.copy("in/a", "in/c")
        await store.delete("in/a")
        assert await content_of(store, "in/c") == b"replaced"
        assert await keys_of(store) == ["in/c", "media/b"]
        for source in ("in/a", "in", "in/c/d"):
            with pytest.raises(BlobNotFound):
                await store.copy(source, "media/x")
        assert await keys_of(store) == ["in/c", "media/b"]

    async def test_a_buffer_may_be_used_again(self, store: BlobStore) -> None:
        async def one_buffer() -> AsyncIterator[bytes]:
            buffer = bytearray(4)
            for number in range(3):
                buffer[:] = bytes([number]) * 4
                yield cast("bytes", buffer)  # what readers into a buffer hand out

        await store.put("a", one_buffer())
        assert await content_of(store, "a") == b"\0\0\0\0\1\1\1\1\2\2\2\2"

    async def test_putting_again_replaces(self, store: BlobStore) -> None:
        await store.put("a", chunked(BIG))
        await store.put("a", chunked(b"new"))
        assert await content_of(store, "a") == b"new"
        assert await keys_of(store) == ["a"]

    async def test_a_missing_blob_is_told_on_the_first_chunk(self, store: BlobStore) -> None:
        await store.put("media/a", chunked(b"a"))
        for key in ("b", "media", "media/a/b"):
            chunks = store.open(key)
            with pytest.raises(BlobNotFound):
                await anext(chunks)

    async def test_it_is_invisible_until_it_is_whole(self, store: BlobStore) -> None:
        await store.put("old", chunked(b"old"))

        async def look() -> AsyncIterator[bytes]:
            yield BIG
            assert await keys_of(store) == ["old"]
            assert await content_of(store, "old") == b"old"
            with pytest.raises(BlobNotFound):
                await content_of(store, "new")
            yield b"end"

        await store.put("new", look())
        assert await keys_of(store) == ["new", "old"]
        await store.delete("new")
        await store.put("old", look())
        assert await content_of(store, "old") == BIG + b"end"

    async def test_if_the_source_fails_nothing_is_stored(self, store: BlobStore) -> None:
        async def breaking() -> AsyncIterator[bytes]:
            yield BIG
            raise ConnectionError

        await store.put("old", chunked(b"old"))
        for key in ("old", "new"):
            with pytest.raises(ConnectionError):
                await store.put(key, breaking())
        assert await keys_of(store) == ["old"]
        assert await content_of(store, "old") == b"old"

    async def test_if_it_is_cancelled_nothing_is_stored(self, store: BlobStore) -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield BIG[:500_000]
                await asyncio.sleep(0)

        for wait in (0.0, 0.002, 0.02):
            putting = asyncio.create_task(store.put("a", endless()))
            await asyncio.sleep(wait)
            putting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await putting
        assert await keys_of(store) == []

    async def test_at_once_each_is_whole(self, store: BlobStore) -> None:
        contents = [bytes([number]) * 1_200_000 for number in range(4)]
        await asyncio.gather(*[store.put("same/key", chunked(content)) for content in contents])
        assert await content_of(store, "same/key") in contents
        await asyncio.gather(*[store.put(f"own/{number}", chunked(each)) for number, each in enumerate(contents)])
        assert [await content_of(store, f"own/{number}") for number in range(4)] == contents

    async def test_deleting_twice_is_no_error(self, store: BlobStore) -> None:
        for key in ("transcripts/a/1", "transcripts/a/2", "transcripts/b/1"):
            await store.put(key, chunked(b"a"))
        await store.delete("transcripts/a/1")
        await store.delete("transcripts/a/1")
        await store.delete("transcripts/a")
        await store.delete("nothing/here")
        assert await keys_of(store) == ["transcripts/a/2", "transcripts/b/1"]
        with pytest.raises(BlobNotFound):
            await content_of(store, "transcripts/a/1")

    async def test_storing_while_the_neighbour_is_deleted(self, store: BlobStore) -> None:
        for key in self.beside:
            await store.put(key, chunked(b"0"))
        for _ in range(20):
            await store.put("t/x/1", chunked(b"1"))
            await asyncio.gather(store.delete("t/x/1"), store.put("t/x/2", chunked(b"2")))
            assert await keys_of(store) == [*self.beside, "t/x/2"]
            await store.delete("t/x/2")

    async def test_keys_are_listed_sorted_by_any_prefix(self, store: BlobStore) -> None:
        keys = ["a/b", "a/b.c", "a/b/c", "a-b", "b", "c/a/1", "c/ab/1", "c/b"]
        keys.remove("a/b/c")  # a file system cannot hold it beside a/b, so no key is the folder of another
        for key in reversed(keys):
            await store.put(key, chunked(b"a"))
        for prefix in ("", "a", "a/", "a/b", "c/a", "c/a/", "d/", "c/b/"):
            assert await keys_of(store, prefix) == sorted(key for key in keys if key.startswith(prefix)), prefix

    async def test_what_is_no_key_is_refused(self, store: BlobStore, tmp_path: Path) -> None:
        file = await written(tmp_path / "file", b"a")
        for key in NOT_KEYS:
            with pytest.raises(ValueError, match="key"):
                await store.put(key, chunked(b"a"))
            with pytest.raises(ValueError, match="key"):
                await store.adopt(key, file)
            with pytest.raises(ValueError, match="key"):
                await content_of(store, key)
            with pytest.raises(ValueError, match="key"):
                await store.fetch(key, tmp_path / "into")
            with pytest.raises(ValueError, match="key"):
                await store.stat(key)
            with pytest.raises(ValueError, match="key"):
                await store.copy(key, "a")
            with pytest.raises(ValueError, match="key"):
                await store.copy("a", key)
            with pytest.raises(ValueError, match="key"):
                await store.delete(key)
        for prefix in ("../", "a/../", "/a/"):
            with pytest.raises(ValueError, match="key"):
                await keys_of(store, prefix)
        assert await keys_of(store) == []
        assert await asyncio.to_thread(file.read_bytes) == b"a"

    async def test_a_file_is_adopted(self, store: BlobStore, tmp_path: Path) -> None:
        for content in (BIG, b""):
            file = await written(tmp_path / "upload", content)
            assert await store.adopt("media/a", file) == info_of("media/a", content)
            assert await content_of(store, "media/a") == content
            assert not await asyncio.to_thread(file.exists)

    async def test_adopting_what_is_not_there_stores_nothing(self, store: BlobStore, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            await store.adopt("a", tmp_path / "nothing")
        assert await keys_of(store) == []

    async def test_a_blob_is_fetched_as_a_file(self, store: BlobStore, tmp_path: Path) -> None:
        await store.put("media/a", chunked(BIG))
        path = await store.fetch("media/a", tmp_path / "local")
        assert await asyncio.to_thread(path.read_bytes) == BIG
        assert await content_of(store, "media/a") == BIG
        for key in ("b", "media"):
            with pytest.raises(BlobNotFound):
                await store.fetch(key, tmp_path / "other")
