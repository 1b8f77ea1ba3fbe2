"""One writer an upload: whoever comes while another writes takes over from one that has fallen silent, or is refused.

It knows the writers of this process alone; those of others are told by the file that they hold.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.errors import UploadRefused
from domain.upload import UploadId

SILENT_SECONDS = 2.0
"""A connection that has brought no byte for so long is dead, if its client already sends by another one."""
_OUSTING_SECONDS = 30.0


class Writer:
    """A request that writes to an upload."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._waiting = False
        self._ousted = False
        self.heard = time.monotonic()
        self.gone = asyncio.Event()

    async def read(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give what comes, until it ends.

        Raises:
            UploadRefused: `upload_locked`, another request has taken over.
        """
        while True:
            self._waiting = True
            try:
                chunk = await anext(chunks, None)
            except asyncio.CancelledError:
                if not self._ousted or self._task is None:
                    raise
                self._task.uncancel()
                raise UploadRefused("another request goes on with this upload", code="upload_locked") from None
            finally:
                self._waiting = False
            if chunk is None:
                return
            self.heard = time.monotonic()
            yield chunk

    async def yields(self) -> bool:
        """Wait for its end, or oust it when it has been silent for long enough; False when it is well and alive."""
        heard = self.heard
        try:
            async with asyncio.timeout(max(0.0, heard + SILENT_SECONDS - time.monotonic())):
                await self.gone.wait()
        except TimeoutError:
            if self.heard > heard or not self._waiting or self._task is None:
                return self.gone.is_set()
            if not self._ousted:
                self._ousted = True
                self._task.cancel()
            async with asyncio.timeout(_OUSTING_SECONDS):
                await self.gone.wait()
        return True


class TurnsAtUploads:
    """Who writes to which upload."""

    def __init__(self) -> None:
        self._writers: dict[UploadId, Writer] = {}

    @asynccontextmanager
    async def take(self, upload_id: UploadId) -> AsyncIterator[Writer]:
        """Write to the upload for as long as the context lasts.

        Raises:
            UploadRefused: `upload_locked`, somebody does already.
        """
        if not await self.settle(upload_id):
            raise UploadRefused("another request writes to this upload", code="upload_locked")
        writer = self._writers[upload_id] = Writer()
        try:
            yield writer
        finally:
            del self._writers[upload_id]
            writer.gone.set()

    async def settle(self, upload_id: UploadId) -> bool:
        """Wait until nobody writes, a moment at most; False when somebody goes on."""
        while (other := self._writers.get(upload_id)) is not None:
            if not await other.yields():
                return False
        return True
