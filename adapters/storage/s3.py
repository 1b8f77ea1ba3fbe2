"""Blobs in a bucket of any S3 store, by the minio client, in threads of its own and never on the event loop.

A blob of unknown length goes up in parts and appears when the last one is confirmed. It must not retry for longer than
a caller would wait: every request has its time-outs, and a read that breaks off goes on where it stopped.
"""

import asyncio
import errno
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ParamSpec, TypeVar, cast

from adapters.storage.keys import checked, folder_of
from adapters.storage.patience import Patience
from adapters.storage.s3_client import CONNECTIONS, Bucket, connect, translated
from adapters.storage.s3_streams import STEP, Hashed, Reading, Source
from adapters.storage.s3_upkeep import abort_stale_uploads, has_rules, set_rules
from adapters.storage.s3_versions import keeps_versions, remove_versions
from adapters.uninterrupted import uninterrupted
from application.ports.blobs import BlobInfo, BlobNotFound, BlobStat, BlobStore
from domain.errors import StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from minio import Minio

    from adapters.storage.s3_pool import PatientPool

P = ParamSpec("P")
T = TypeVar("T")

PART = 8 * 1024 * 1024
"""Bytes of a part, of which each upload holds one: S3 takes 10,000 of 5 MiB to 5 GiB, so blobs may have 80 GB."""


class S3BlobStore(BlobStore):
    """Stores blobs as objects of the same keys in `bucket`, which must exist: see `prepare`."""

    def __init__(self, bucket: Bucket, patience: Patience | None = None) -> None:
        self._bucket = bucket
        self._patience = patience or Patience()
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="s3")
        self._client_of = threading.Lock()
        self._versioned: bool | None = None
        self._connected: tuple[Minio, PatientPool] | None = None

    async def prepare(self) -> None:
        """Make the bucket if it is not there."""
        await self._run(self._make_bucket)

    async def has_rules(self) -> bool:
        """Whether the bucket has the rules that `prepare` sets; not every store knows any."""
        return await self._run(lambda: has_rules(self._client(), self._bucket.name))

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        """Send the chunks up while they come."""
        source = Source()
        sending = asyncio.ensure_future(self._run(self._send, checked(key), source))
        try:
            async for chunk in chunks:
                for start in range(0, len(chunk), STEP):
                    await source.offer(bytes(chunk[start : start + STEP]), sending)
                if sending.done():
                    break
            await source.offer(b"", sending)
            return await asyncio.shield(sending)
        except BaseException:
            source.abandon()
            await uninterrupted(_ended(sending))
            raise

    async def adopt(self, key: str, source: Path) -> BlobInfo:
        """Send the file up, then remove it."""
        info = await self._run(self._send_file, checked(key), source)
        await asyncio.to_thread(source.unlink)
        return info

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream the object; a connection that breaks is taken up where it was."""
        checked(key)
        async with aclosing(self._chunks(key, start, end)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stat(self, key: str) -> BlobStat | None:
        """Ask for the object's head."""
        try:
            return await self._run(self._head, checked(key))
        except BlobNotFound:
            return None

    async def copy(self, source: str, key: str) -> BlobStat:
        """Have the store copy the object."""
        return await self._run(self._copy, checked(source), checked(key))

    async def fetch(self, key: str, into: Path) -> Path:
        """Bring the object down to `into`."""
        checked(key)
        try:
            with await asyncio.to_thread(into.open, "wb") as file:
                async with aclosing(self._chunks(key)) as chunks:
                    async for chunk in chunks:
                        await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(file.close)
        except BaseException as error:
            await asyncio.to_thread(into.unlink, missing_ok=True)
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StorageFull("there is no room for the recording") from error
            raise
        return into

    async def delete(self, key: str) -> None:
        """Remove the object."""
        await self._run(self._remove, checked(key))

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """List the bucket, page by page."""
        folder_of(prefix)
        for key in await self._run(self._keys, prefix):
            yield key

    async def sweep_partial(self, older_than: timedelta) -> int:
        """Abort old uploads whose parts the store still keeps."""
        return await self._run(self._tidy, older_than)

    async def _run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()

        def in_time() -> T:
            self._connection()[1].begin()
            return step(*args, **kwargs)

        async def done() -> T:
            return await loop.run_in_executor(self._threads, in_time)

        return await uninterrupted(done())

    async def _chunks(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        reading = await self._run(Reading, self._client, self._bucket.name, key, start, end)
        try:
            while chunk := await self._run(reading.next):
                yield chunk
        finally:
            await self._run(reading.close)

    def _client(self) -> "Minio":
        return self._connection()[0]

    def _connection(self) -> "tuple[Minio, PatientPool]":
        from adapters.storage.s3_pool import PatientPool

        with self._client_of:
            if self._connected is None:
                pool = PatientPool(self._patience, connections=CONNECTIONS)
                self._connected = connect(self._bucket, pool), pool
            return self._connected

    def _make_bucket(self) -> None:
        with translated():
            if not self._client().bucket_exists(bucket_name=self._bucket.name):
                self._client().make_bucket(bucket_name=self._bucket.name)
        set_rules(self._client(), self._bucket.name)

    def _send(self, key: str, source: "Source") -> BlobInfo:
        with translated():
            self._client().put_object(
                bucket_name=self._bucket.name, object_name=key, data=cast("BinaryIO", source), length=-1, part_size=PART
            )
        return BlobInfo(key=key, size=source.size, sha256=source.hash.hexdigest())

    def _send_file(self, key: str, path: Path) -> BlobInfo:
        with path.open("rb") as file:
            source = Hashed(file)
            with translated():
                self._client().put_object(
                    bucket_name=self._bucket.name, object_name=key, data=cast("BinaryIO", source),
                    length=path.stat().st_size, part_size=PART,
                )  # fmt: skip
        return BlobInfo(key=key, size=source.size, sha256=source.hash.hexdigest())

    def _head(self, key: str) -> BlobStat:
        with translated(key):
            found = self._client().stat_object(bucket_name=self._bucket.name, object_name=key)
        return BlobStat(size=found.size or 0, etag=found.etag or "")

    def _copy(self, source: str, key: str) -> BlobStat:
        from minio.commonconfig import CopySource

        with translated(source):
            self._client().copy_object(self._bucket.name, key, CopySource(self._bucket.name, source))
        return self._head(key)

    def _remove(self, key: str) -> None:
        try:
            with translated(key):
                self._client().remove_object(bucket_name=self._bucket.name, object_name=key)
        except StorageUnavailable:
            # Stores that keep objects as files fail for what is a folder there; what does not exist is no error.
            with suppress(BlobNotFound), translated(key):
                self._client().stat_object(bucket_name=self._bucket.name, object_name=key)
                raise
        if self._versioned is None:
            self._versioned = keeps_versions(self._client(), self._bucket.name)
        if self._versioned:
            remove_versions(self._client(), self._bucket.name, key)

    def _tidy(self, older_than: timedelta) -> int:
        return abort_stale_uploads(self._client(), self._bucket.name, older_than)

    def _keys(self, prefix: str) -> Sequence[str]:
        with translated():
            found = self._client().list_objects(bucket_name=self._bucket.name, prefix=prefix, recursive=True)
            return sorted(str(item.object_name) for item in found)


async def _ended(sending: "asyncio.Future[BlobInfo]") -> None:
    """Wait until the thread has let go: what was sent of the blob is then gone, or the whole of it is there."""
    await asyncio.wait({sending})
    if not sending.cancelled():
        sending.exception()  # it was heard of, or is that of the abandoned source
