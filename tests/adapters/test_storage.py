"""Both blob stores against their contract, and what is a folder's own."""

import asyncio
import os
import resource
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.memory import MemoryBlobStore
from application.ports.blobs import BlobInfo, BlobNotFound, BlobStat, BlobStore
from domain.errors import StorageFull
from tests.contracts.blob_store import BIG, BlobStoreContract, chunked, content_of, info_of, keys_of, written
from tests.contracts.proof import failures


class TestFilesystemBlobStore(BlobStoreContract, adapter=FilesystemBlobStore):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[BlobStore]:
        yield FilesystemBlobStore(tmp_path / "data" / "blobs")
        assert files_below(tmp_path / "data" / "blobs" / ".partial") == []


class TestMemoryBlobStore(BlobStoreContract, adapter=MemoryBlobStore):
    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryBlobStore()


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def folders_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_dir())


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes: writes fail half way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_blobs_are_plain_files_for_this_user_alone(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    store = FilesystemBlobStore(root)
    upload = await written(tmp_path / "upload", b"adopted")
    upload.chmod(0o644)
    await store.put("transcripts/a/1.json", chunked(b"{}"))
    await store.adopt("media/a", upload)
    assert (root / "transcripts/a/1.json").read_bytes() == b"{}"
    assert (root / "media/a").read_bytes() == b"adopted"
    assert {path.stat().st_mode & 0o777 for path in (root, *root.rglob("*")) if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()} == {0o600}


async def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    store = FilesystemBlobStore(root)
    await store.put("a", chunked(b"old"))
    with small_disk(2_000_000), pytest.raises(StorageFull):
        await store.put("a", chunked(BIG))
    assert files_below(root) == ["a"]
    assert await content_of(store, "a") == b"old"


async def test_a_full_disk_of_the_caller_is_told_too(tmp_path: Path) -> None:
    store = MemoryBlobStore()
    await store.put("a", chunked(BIG))
    with small_disk(2_000_000), pytest.raises(StorageFull):
        await store.fetch("a", tmp_path / "local")


async def test_adopting_moves_and_writes_no_second_copy(tmp_path: Path) -> None:
    upload = await written(tmp_path / "upload", BIG)
    inode = upload.stat().st_ino
    await FilesystemBlobStore(tmp_path / "blobs").adopt("media/a", upload)
    assert (tmp_path / "blobs/media/a").stat().st_ino == inode


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,  # noqa: S108
    reason="needs a second volume",
)
async def test_a_file_on_another_volume_is_copied(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm") / f"colloquy-test-{os.getpid()}"  # noqa: S108 - memory is another volume
    upload = await written(elsewhere, BIG)
    try:
        info = await FilesystemBlobStore(tmp_path / "blobs").adopt("media/a", upload)
        assert not elsewhere.exists()
    finally:
        elsewhere.unlink(missing_ok=True)
    assert info == info_of("media/a", BIG)
    assert (tmp_path / "blobs/media/a").read_bytes() == BIG


async def test_a_local_blob_is_fetched_without_a_copy(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path / "blobs")
    await store.put("media/a", chunked(b"a"))
    assert await store.fetch("media/a", tmp_path / "local") == tmp_path / "blobs/media/a"
    assert not (tmp_path / "local").exists()


async def test_empty_folders_go_with_their_last_blob(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path)
    for key in ("transcripts/a/1.json", "transcripts/a/2.json", "transcripts/b/1.json"):
        await store.put(key, chunked(b"{}"))
    await store.delete("transcripts/a/1.json")
    assert folders_below(tmp_path) == [".partial", "transcripts", "transcripts/a", "transcripts/b"]
    await store.delete("transcripts/a/2.json")
    assert folders_below(tmp_path) == [".partial", "transcripts", "transcripts/b"]
    await store.delete("transcripts/b/1.json")
    assert folders_below(tmp_path) == [".partial"]


async def test_what_a_crash_left_is_hidden_and_swept(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path)
    await store.put("a", chunked(b"a"))
    fresh, stale = tmp_path / ".partial/fresh", tmp_path / ".partial/stale"
    await written(fresh, b"half")
    await written(stale, b"half")
    an_hour_ago = fresh.stat().st_mtime - 3600
    os.utime(stale, (an_hour_ago, an_hour_ago))
    assert await keys_of(store) == ["a"]
    assert await store.sweep_partial(timedelta(minutes=30)) == 1
    assert files_below(tmp_path) == [".partial/fresh", "a"]
    assert await store.sweep_partial(timedelta()) == 1
    assert files_below(tmp_path) == ["a"]


async def test_sweeping_an_empty_store_is_no_error(tmp_path: Path) -> None:
    assert await FilesystemBlobStore(tmp_path / "blobs").sweep_partial(timedelta()) == 0


async def test_the_loop_runs_on_while_a_large_blob_is_stored(tmp_path: Path) -> None:
    """Ticks of the loop are counted, not timed: a store that blocked it would let none through."""
    store, batch, ticks = FilesystemBlobStore(tmp_path), bytes(1024 * 1024), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield batch

    ticking = asyncio.create_task(tick())
    await store.put("a", large())
    ticking.cancel()
    assert ticks > 64


class Truncates(MemoryBlobStore):
    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        content = b"".join([bytes(chunk) async for chunk in chunks])
        await super().put(key, chunked(content[:1_000_000]))
        return info_of(key, content)


class KeepsBuffers(MemoryBlobStore):
    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        return await super().put(key, chunked(b"".join([chunk async for chunk in chunks])))


class ShowsHalves(MemoryBlobStore):
    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        content = b""
        async for chunk in chunks:
            content += bytes(chunk)
            info = await super().put(key, chunked(content))
        return info if content else await super().put(key, chunked(content))


class KeepsTheFirst(MemoryBlobStore):
    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        info = await super().put("spare", chunks)
        content = self._blobs.pop("spare")
        self._blobs.setdefault(key, content)
        return BlobInfo(key=key, size=info.size, sha256=info.sha256)


class MissesQuietly(MemoryBlobStore):
    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        try:
            async for chunk in super().open(key, start=start, end=end):
                yield chunk
        except BlobNotFound:
            return


class OneHugeChunk(MemoryBlobStore):
    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        yield b"".join([chunk async for chunk in super().open(key, start=start, end=end)])


class ReadsToTheEnd(MemoryBlobStore):
    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:  # noqa: ARG002
        async for chunk in super().open(key, start=start):
            yield chunk


class TellsNoChange(MemoryBlobStore):
    async def stat(self, key: str) -> BlobStat | None:
        found = await super().stat(key)
        return found and BlobStat(size=found.size, etag="same")


class MovesInsteadOfCopying(MemoryBlobStore):
    async def copy(self, source: str, key: str) -> BlobStat:
        found = await super().copy(source, key)
        await self.delete(source)
        return found


class DeletesOnce(MemoryBlobStore):
    async def delete(self, key: str) -> None:
        self._found(key)
        await super().delete(key)


class ListsUnsorted(MemoryBlobStore):
    async def list(self, prefix: str) -> AsyncIterator[str]:
        for key in [key async for key in super().list(prefix)][::-1]:
            yield key


class TakesAnyKey(MemoryBlobStore):
    async def delete(self, key: str) -> None:
        self._blobs.pop(key, None)


class LeavesTheSource(MemoryBlobStore):
    async def adopt(self, key: str, source: Path) -> BlobInfo:
        return await self.put(key, chunked(await asyncio.to_thread(source.read_bytes)))


class FetchesNothing(MemoryBlobStore):
    async def fetch(self, key: str, into: Path) -> Path:  # noqa: ARG002
        return into


@pytest.mark.parametrize(
    ("store", "caught_by"),
    [
        (Truncates, "test_what_was_put_comes_back"),
        (ShowsHalves, "test_it_is_invisible_until_it_is_whole"),
        (ShowsHalves, "test_if_the_source_fails_nothing_is_stored"),
        (ShowsHalves, "test_if_it_is_cancelled_nothing_is_stored"),
        (KeepsBuffers, "test_a_buffer_may_be_used_again"),
        (KeepsTheFirst, "test_putting_again_replaces"),
        (MissesQuietly, "test_a_missing_blob_is_told_on_the_first_chunk"),
        (OneHugeChunk, "test_it_comes_in_chunks_of_bounded_size"),
        (ReadsToTheEnd, "test_any_range_can_be_read"),
        (TellsNoChange, "test_stat_tells_size_and_change"),
        (MovesInsteadOfCopying, "test_a_copy_stands_by_itself"),
        (DeletesOnce, "test_deleting_twice_is_no_error"),
        (ListsUnsorted, "test_keys_are_listed_sorted_by_any_prefix"),
        (TakesAnyKey, "test_what_is_no_key_is_refused"),
        (LeavesTheSource, "test_a_file_is_adopted"),
        (FetchesNothing, "test_a_blob_is_fetched_as_a_file"),
    ],
)
async def test_the_contract_catches(store: type[MemoryBlobStore], caught_by: str, tmp_path: Path) -> None:
    assert await failures(BlobStoreContract, caught_by, store=store, tmp_path=lambda: tmp_path)


async def test_the_contract_passes_what_is_whole(tmp_path: Path) -> None:
    assert await failures(BlobStoreContract, store=MemoryBlobStore, tmp_path=lambda: tmp_path) == set()
