"""Both ways through the minio client, which reads from files and answers in responses."""

import asyncio
import hashlib
import queue
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from adapters.storage.s3_client import BeyondTheEnd, translated
from application.ports.blobs import BlobInfo
from domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from minio import Minio

STEP = 1024 * 1024
"""Bytes that are worth a hop to a thread and back."""
_BREAKS = 3
"""Connections in a row that may break before they have brought a byte."""
_QUEUED = 4
_PAUSE_SECONDS = 0.005


class Reading:
    """A range of an object that is being read: when the connection breaks, the next request starts where it was."""

    def __init__(self, client: Callable[[], "Minio"], bucket: str, key: str, start: int, end: int | None) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._place = start
        self._end = sys.maxsize if end is None else end
        self._etag: str | None = None
        self._response: Any = None
        try:
            self._open()
        except BeyondTheEnd:
            self._end = start

    def next(self) -> bytes:
        """Return the next bytes, none at the end."""
        import urllib3

        while True:
            try:
                if self._place >= self._end:
                    return b""
                if self._response is None:
                    self._open()
                chunk: bytes = self._response.read(min(STEP, self._end - self._place))
                if not chunk:
                    raise urllib3.exceptions.ProtocolError("the answer is shorter than the object")
            except urllib3.exceptions.HTTPError as error:
                self.close()
                self._breaks += 1
                if self._breaks == _BREAKS:
                    raise StorageUnavailable("the object store broke off") from error
            else:
                self._place += len(chunk)
                self._breaks = 0
                return chunk

    _breaks = 0

    def close(self) -> None:
        """Give the connection back, or drop it when it is not at its end."""
        response, self._response = self._response, None
        if response is not None:
            response.close()
            response.release_conn()

    def _open(self) -> None:
        length = 0 if self._end == sys.maxsize else max(1, self._end - self._place)
        with translated(self._key):
            response = self._client().get_object(
                bucket_name=self._bucket,
                object_name=self._key,
                offset=self._place,
                length=length,
                request_headers={"If-Match": f'"{self._etag}"'} if self._etag else None,
            )
        if self._etag is None:
            self._etag = (response.headers.get("etag") or "").strip('"') or None
            self._end = min(self._end, self._place + int(response.headers["content-length"]))
        self._response = response


class Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes."""
        found = self._file.read(size)
        self.hash.update(found)
        self.size += len(found)
        return found


class Source:
    """What a coroutine gives out and a thread reads; a few chunks wait in between."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.size = 0
        self._chunks: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        self._buffer = bytearray()
        self._ended = False

    async def offer(self, chunk: bytes, reader: "asyncio.Future[BlobInfo]") -> None:
        """Hand over a chunk, an empty one at the end, unless `reader` has come to its end already."""
        while not reader.done():
            try:
                self._chunks.put_nowait(chunk)
            except queue.Full:
                await asyncio.wait({reader}, timeout=_PAUSE_SECONDS)
            else:
                return

    def abandon(self) -> None:
        """Have the reader fail, whatever it is waiting for."""
        while True:
            try:
                self._chunks.put_nowait(None)
            except queue.Full:
                with suppress(queue.Empty):
                    self._chunks.get_nowait()
            else:
                return

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        while len(self._buffer) < size and not self._ended:
            chunk = self._chunks.get()
            if chunk is None:
                raise Abandoned
            self._ended = not chunk
            self._buffer += chunk
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.hash.update(taken)
        self.size += len(taken)
        return taken


class Abandoned(Exception):
    """The coroutine that fed an upload has failed or was cancelled."""
