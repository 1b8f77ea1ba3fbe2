"""Blobs in a bucket of any S3 store, by the minio client, in threads of its own and never on the event loop.

A blob of unknown length goes up in parts and appears when the last one is confirmed. It must not retry for longer than
a caller would wait: every request has its time-outs, and a read that breaks off goes on where it stopped.
"""

import asyncio
import errno
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ParamSpec, TypeVar, cast

from adapters.storage.keys import checked, folder_of
from adapters.storage.s3_client import CONNECTIONS, Bucket, connect, translated, uploads
from adapters.storage.s3_streams import STEP, Hashed, Reading, Source
from adapters.uninterrupted import uninterrupted
from application.ports.blobs import BlobInfo, BlobNotFound, BlobStore
from domain.errors import StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from minio import Minio

P = ParamSpec("P")
T = TypeVar("T")

PART = 8 * 1024 * 1024
"""Bytes of a part, of which each upload holds one: S3 takes 10,000 of 5 MiB to 5 GiB, so blobs may have 80 GB."""


class S3BlobStore(BlobStore):
    """Stores blobs as objects of the same keys in `bucket`, which must exist: see `prepare`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="s3")
        self._client_of = threading.Lock()
        self._connected: Minio | None = None

    async def prepare(self) -> None:
        """Make the bucket if it is not there."""
        await self._run(self._make_bucket)

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

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """Stream the object; a connection that breaks is taken up where it was."""
        checked(key)
        async with aclosing(self._chunks(key)) as chunks:
            async for chunk in chunks:
                yield chunk

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
        return await self._run(self._abort_uploads, older_than)

    async def _run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()

        async def done() -> T:
            return await loop.run_in_executor(self._threads, lambda: step(*args, **kwargs))

        return await uninterrupted(done())

    async def _chunks(self, key: str) -> AsyncGenerator[bytes, None]:
        reading = await self._run(Reading, self._client, self._bucket.name, key)
        try:
            while chunk := await self._run(reading.next):
                yield chunk
        finally:
            await self._run(reading.close)

    def _client(self) -> "Minio":
        with self._client_of:
            if self._connected is None:
                self._connected = connect(self._bucket)
            return self._connected

    def _make_bucket(self) -> None:
        with translated():
            if not self._client().bucket_exists(bucket_name=self._bucket.name):
                self._client().make_bucket(bucket_name=self._bucket.name)

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

    def _remove(self, key: str) -> None:
        try:
            with translated(key):
                self._client().remove_object(bucket_name=self._bucket.name, object_name=key)
        except StorageUnavailable:
            # Stores that keep objects as files fail for what is a folder there; what does not exist is no error.
            with suppress(BlobNotFound), translated(key):
                self._client().stat_object(bucket_name=self._bucket.name, object_name=key)
                raise

    def _abort_uploads(self, older_than: timedelta) -> int:
        client, name, aborted = self._client(), self._bucket.name, 0
        with translated(), suppress(BlobNotFound):
            # The client has no public way to what it leaves behind when it is killed.
            with translated():
                listing = client._execute(method="GET", bucket_name=name, query_params={"uploads": ""})  # noqa: SLF001
            for upload in uploads(listing.data):
                if time.time() - upload.begun >= older_than.total_seconds():
                    client._abort_multipart_upload(name, upload.key, upload.id)  # noqa: SLF001
                    aborted += 1
        return aborted

    def _keys(self, prefix: str) -> Sequence[str]:
        with translated():
            found = self._client().list_objects(bucket_name=self._bucket.name, prefix=prefix, recursive=True)
            return sorted(str(item.object_name) for item in found)


async def _ended(sending: "asyncio.Future[BlobInfo]") -> None:
    """Wait until the thread has let go: what was sent of the blob is then gone, or the whole of it is there."""
    await asyncio.wait({sending})
    if not sending.cancelled():
        sending.exception()  # it was heard of, or is that of the abandoned source
