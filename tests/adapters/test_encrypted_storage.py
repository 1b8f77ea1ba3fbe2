"""The encrypted store over each kind of store against the contract, and what only encryption promises."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.storage.encrypted import EncryptedBlobStore
from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.memory import MemoryBlobStore
from adapters.storage.s3 import S3BlobStore
from adapters.storage.sealed_stream import CHUNK, HEADER, SEALED_CHUNK, plain_size
from adapters.system import SystemClock
from application.fetch_media import fetch_media
from application.ports.blobs import BlobDamaged, BlobStore
from application.ports.vault import Vault
from domain.errors import MediaRejected
from domain.task import MediaSource
from tests.adapters.test_storage import files_below
from tests.adapters.test_vault import keyring
from tests.contracts.blob_store import BIG, BlobStoreContract, chunked, content_of, info_of, keys_of, written
from tests.servers.s3 import S3Server

EDGES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1)
"""Sizes around the ends of chunks, and of what is encrypted at once."""


@pytest.fixture
def vault() -> Vault:
    database = MemoryDatabase(SystemClock())
    return keyring(lambda: MemoryUnitOfWork(database), 1)


class TestEncryptedFiles(BlobStoreContract, adapter=EncryptedBlobStore):
    @pytest.fixture
    def store(self, tmp_path: Path, vault: Vault) -> Iterator[BlobStore]:
        yield EncryptedBlobStore(FilesystemBlobStore(tmp_path / "data" / "blobs"), vault)
        assert files_below(tmp_path / "data" / "blobs" / ".partial") == []


class TestEncryptedMemory(BlobStoreContract, adapter=EncryptedBlobStore):
    @pytest.fixture
    def store(self, vault: Vault) -> BlobStore:
        return EncryptedBlobStore(MemoryBlobStore(), vault)


class TestEncryptedBucket(BlobStoreContract, adapter=EncryptedBlobStore):
    beside = ("t/x/0",)  # see the bucket's own binding

    @pytest.fixture
    async def store(self, s3: S3Server, vault: Vault) -> BlobStore:
        store = EncryptedBlobStore(S3BlobStore(s3.bucket()), vault)
        await store.prepare()
        return store


@pytest.fixture
def inner() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture
def store(inner: MemoryBlobStore, vault: Vault) -> EncryptedBlobStore:
    return EncryptedBlobStore(inner, vault)


async def range_of(store: BlobStore, key: str, start: int, end: int | None) -> bytes:
    return b"".join([chunk async for chunk in store.open(key, start=start, end=end)])


async def test_sizes_around_the_ends_of_chunks_come_back(store: EncryptedBlobStore, inner: MemoryBlobStore) -> None:
    for size in EDGES:
        content = BIG[:size]
        assert await store.put("a", chunked(content)) == info_of("a", content)
        assert await content_of(store, "a") == content
        found = await store.stat("a")
        assert found is not None
        assert found.size == size
        assert plain_size(len(inner._blobs["a"])) == size
        ranges = [(start, end) for start in EDGES for end in (*EDGES, None)]
        assert [await range_of(store, "a", *each) for each in ranges] == [content[start:end] for start, end in ranges]


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 3 * CHUNK), data=st.data())
def test_any_range_is_the_plain_contents(size: int, data: st.DataObject) -> None:
    content, ends = BIG[:size], st.integers(0, size + CHUNK)
    start, end, cut = data.draw(ends), data.draw(ends | st.none()), data.draw(st.integers(1, CHUNK))

    async def look() -> bytes:
        database = MemoryDatabase(SystemClock())
        store = EncryptedBlobStore(MemoryBlobStore(), keyring(lambda: MemoryUnitOfWork(database), 1))
        await store.put("a", chunked(content, cut * 7))
        return await range_of(store, "a", start, end)

    assert asyncio.run(look()) == content[start:end]


class Counting(MemoryBlobStore):
    read = 0

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        async for chunk in super().open(key, start=start, end=end):
            self.read += len(chunk)
            yield chunk


async def test_a_range_reads_its_own_chunks_alone(vault: Vault) -> None:
    inner = Counting()
    store = EncryptedBlobStore(inner, vault)
    await store.put("a", chunked(BIG))
    inner.read = 0
    assert await range_of(store, "a", 3_000_000, 3_000_100) == BIG[3_000_000:3_000_100]
    assert inner.read <= HEADER + SEALED_CHUNK + 1


async def test_what_is_changed_moved_or_cut_is_noticed(store: EncryptedBlobStore, inner: MemoryBlobStore) -> None:
    size = 16 * CHUNK
    for content in (BIG[: 3 * CHUNK + 9], BIG[:size], b"", b"short"):
        await store.put("media/a", chunked(content))
        await store.put("media/b", chunked(content))
        whole = inner._blobs["media/a"]
        first, second = whole[HEADER : HEADER + SEALED_CHUNK], whole[HEADER + SEALED_CHUNK : HEADER + 2 * SEALED_CHUNK]
        rest, other = whole[HEADER + 2 * SEALED_CHUNK :], inner._blobs["media/b"]
        flipped = [
            whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (12, 20, 40, HEADER - 1, -1 % len(whole))
        ]
        broken = [
            *flipped, other, whole[:-1], whole[:HEADER], whole + b"\0", whole + bytes(16), whole[: HEADER // 2],
            other[:HEADER] + whole[HEADER:],
        ]  # fmt: skip
        if second:
            broken += [
                whole[:HEADER] + second + first + rest, whole[:HEADER] + first + rest, whole[:HEADER] + first,
                whole[: HEADER + SEALED_CHUNK] + other[HEADER + SEALED_CHUNK :],
            ]  # fmt: skip
        for number, each in enumerate(broken):
            inner._blobs["media/a"] = each
            with pytest.raises(BlobDamaged):
                pytest.fail(f"{number} went unnoticed: {len(await content_of(store, 'media/a'))} bytes")
        inner._blobs["media/a"] = whole
        assert await content_of(store, "media/a") == content


async def test_another_installation_reads_nothing(store: EncryptedBlobStore, inner: MemoryBlobStore) -> None:
    await store.put("a", chunked(BIG))
    database = MemoryDatabase(SystemClock())
    stranger = EncryptedBlobStore(inner, keyring(lambda: MemoryUnitOfWork(database), 2))
    with pytest.raises(BlobDamaged):
        await content_of(stranger, "a")
    assert BIG[:64] not in inner._blobs["a"]


async def test_the_same_content_is_never_stored_alike(store: EncryptedBlobStore, inner: MemoryBlobStore) -> None:
    await store.put("a", chunked(bytes(1000)))
    before = inner._blobs["a"]
    await store.put("a", chunked(bytes(1000)))
    assert not any(before[at : at + 16] in inner._blobs["a"] for at in range(24, 1000, 16))


async def test_blobs_from_before_are_read_or_refused(inner: MemoryBlobStore, vault: Vault, tmp_path: Path) -> None:
    for content in (BIG, b"", b"short"):
        await inner.put("old", chunked(content))
        store = EncryptedBlobStore(inner, vault)
        assert await content_of(store, "old") == content
        assert await range_of(store, "old", 3, 99_999) == content[3:99_999]
        assert await store.stat("old") == await inner.stat("old")
        assert (await store.fetch("old", tmp_path / "file")).read_bytes() == content
        assert await store.plain("old")
        await inner.put("moved", chunked(b"".join([chunk async for chunk in store.encrypted("old")])))
        with pytest.raises(BlobDamaged):
            await content_of(store, "moved")
        inner._blobs["old"] = inner._blobs.pop("moved")
        assert not await store.plain("old")
        assert await content_of(store, "old") == content
    strict = EncryptedBlobStore(inner, vault, accept_plain=False)
    await inner.put("slipped/in", chunked(b"plain"))
    with pytest.raises(BlobDamaged):
        await content_of(strict, "slipped/in")
    assert await content_of(strict, "old") == b"short"


async def test_an_adopted_file_leaves_nothing_plain(tmp_path: Path, vault: Vault) -> None:
    store = EncryptedBlobStore(FilesystemBlobStore(tmp_path / "blobs"), vault)
    await store.adopt("media/a", await written(tmp_path / "upload", BIG))
    await store.copy("media/a", "media/b")
    assert await keys_of(store) == ["media/a", "media/b"]
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(stored) == 2
    assert not any(BIG[at : at + 32] in each for each in stored for at in range(0, len(BIG) - 32, CHUNK // 2))
    path = await store.fetch("media/b", tmp_path / "local")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == hashlib.sha256(BIG).hexdigest()


async def test_u08_a_recording_that_was_tampered_with_is_refused_for_good(
    store: EncryptedBlobStore, inner: MemoryBlobStore, tmp_path: Path
) -> None:
    await store.put("media/a", chunked(BIG))
    inner._blobs["media/a"] = inner._blobs["media/a"][:-1]
    with pytest.raises(MediaRejected) as refused:
        await fetch_media(store, MediaSource(key="media/a", filename="a", size=len(BIG), sha256=""), tmp_path / "into")
    assert refused.value.reason == "input_changed"
    assert not (tmp_path / "into").exists()
