"""Any blob store with its content encrypted, one random key a blob; sizes, digests and ranges are of the plain content.

Blobs from before it was switched on are read as they are, if `accept_plain` says so. Bytes are encrypted in threads.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

from adapters.storage.keys import checked
from adapters.storage.sealed_pieces import Source, batches, generator, joined, pieces, written
from adapters.storage.sealed_stream import (
    CHUNK,
    HEADER,
    MAGIC,
    SEALED_CHUNK,
    Header,
    begun,
    plain_size,
)
from adapters.uninterrupted import uninterrupted
from application.ports.blobs import BlobDamaged, BlobInfo, BlobNotFound, BlobStat, BlobStore
from application.ports.vault import KeyUnknown, Vault


class EncryptedBlobStore(BlobStore):
    """Keeps blobs in `inner`, encrypted under keys of `vault`."""

    def __init__(self, inner: BlobStore, vault: Vault, *, accept_plain: bool = True) -> None:
        self._inner = inner
        self._vault = vault
        self._accept_plain = accept_plain

    async def prepare(self) -> None:
        """Open the vault, then prepare the store."""
        await self._vault.open()
        await self._inner.prepare()

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        """Encrypt the chunks on their way."""
        source = Source()
        async with aclosing(self._sealed(checked(key), batches(chunks), source)) as sealed:
            await self._inner.put(key, sealed)
        return source.info(key)

    async def adopt(self, key: str, source: Path) -> BlobInfo:
        """Encrypt the file into the store, then remove it."""
        checked(key)
        with await asyncio.to_thread(source.open, "rb", 0) as file:
            info = await self.put(key, pieces(file))
        await asyncio.to_thread(source.unlink)
        return info

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Decrypt the chunks in which the range lies."""
        given = False
        while True:
            header = await self._header(key)
            try:
                async with aclosing(self._range(key, header, start, end)) as chunks:
                    async for chunk in chunks:
                        given = True
                        yield chunk
            except BlobDamaged:
                # It may have been replaced between the looks at its header and at its content.
                if given or await self._header(key) == header:
                    raise
            else:
                return

    async def stat(self, key: str) -> BlobStat | None:
        """Reckon the size of the plain content."""
        try:
            header = await self._header(key)
            found = await self._inner.stat(key)
            if header is None:
                header = await self._header(key)  # it may just have been encrypted
                found = await self._inner.stat(key) if header else found
        except BlobNotFound:
            return None
        return BlobStat(size=plain_size(found.size), etag=found.etag) if found and header else found

    async def copy(self, source: str, key: str) -> BlobStat:
        """Encrypt the blob anew: what is encrypted for one name is not readable under another."""
        async with aclosing(generator(self.open(source))) as chunks:
            await self.put(key, chunks)
        copied = await self.stat(key)
        if copied is None:
            raise BlobNotFound(key)
        return copied

    async def fetch(self, key: str, into: Path) -> Path:
        """Decrypt the blob to `into`."""
        if await self._header(key) is None:
            return await self._inner.fetch(key, into)
        try:
            with await asyncio.to_thread(into.open, "wb", 0) as file:
                async with aclosing(generator(self.open(key))) as chunks:
                    async for chunk in chunks:
                        await uninterrupted(asyncio.to_thread(written, file, chunk))
        except BaseException:
            await asyncio.to_thread(into.unlink, missing_ok=True)
            raise
        return into

    async def delete(self, key: str) -> None:
        """Remove the blob, and its key with it."""
        await self._inner.delete(key)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Give the keys, which are not encrypted: they say nothing but ids."""
        async for key in self._inner.list(prefix):
            yield key

    async def sweep_partial(self, older_than: timedelta) -> int:
        """Remove what crashes left, encrypted as it is."""
        return await self._inner.sweep_partial(older_than)

    async def plain(self, key: str) -> bool:
        """Whether the blob is stored as it came; raises BlobNotFound."""
        return Header.found(await self._start(key)) is None

    async def encrypted(self, key: str) -> AsyncGenerator[bytes, None]:
        """Give the blob as it is to be stored: as it is stored, or encrypted now; raises BlobNotFound."""
        if await self.plain(key):
            content = batches(generator(self._inner.open(key)))
            made = self._sealed(key, content, Source())
        else:
            made = generator(self._inner.open(key))
        async with aclosing(made) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _start(self, key: str) -> bytes:
        start = b""
        async with aclosing(generator(self._inner.open(key, end=HEADER))) as chunks:
            async for chunk in chunks:
                start += chunk
        return start

    async def _header(self, key: str) -> Header | None:
        """Return the blob's header, None if it is plain and may be."""
        start = await self._start(key)
        header = Header.found(start)
        if header is None and (not self._accept_plain or start.startswith(MAGIC)):
            raise BlobDamaged(key)
        return header

    async def _range(self, key: str, header: Header | None, start: int, end: int | None) -> AsyncGenerator[bytes, None]:
        if header is None:
            async with aclosing(generator(self._inner.open(key, start=start, end=end))) as chunks:
                async for chunk in chunks:
                    yield chunk
        elif end is None or end > start:
            first = start // CHUNK
            place = first * CHUNK
            async with aclosing(self._opened(key, header, first, end)) as plain:
                async for chunk in plain:
                    if wanted := chunk[max(0, start - place) : len(chunk) if end is None else end - place]:
                        yield wanted
                    place += len(chunk)

    async def _opened(self, key: str, header: Header, first: int, end: int | None) -> AsyncGenerator[bytes, None]:
        """Give the plain content from the chunk `first` on, as far as the one in which `end` lies."""
        try:
            chunks = header.chunks(key, await self._vault.key(header.vault_key))
        except KeyUnknown as error:
            raise BlobDamaged(key) from error
        # One byte more than is needed tells whether the last chunk that is needed is the blob's last.
        left = None if end is None else (-(-end // CHUNK) - first) * SEALED_CHUNK + 1
        place = HEADER + first * SEALED_CHUNK
        held, number = bytearray(), first
        until = None if left is None else place + left
        async with aclosing(generator(self._inner.open(key, start=place, end=until))) as stored:
            async for piece in stored:
                held += piece
                left = None if left is None else left - len(piece)
                # A chunk is decrypted once something follows it.
                if ready := (len(held) - 1) // SEALED_CHUNK:
                    whole = held[: ready * SEALED_CHUNK]
                    yield await asyncio.to_thread(joined, chunks, whole, number, last=False)
                    del held[: len(whole)]
                    number += ready
        if left == 0:
            return
        if held:
            yield await asyncio.to_thread(joined, chunks, held, number, last=True)
        elif number == 0:
            raise BlobDamaged(key)

    async def _sealed(
        self, key: str, content: AsyncGenerator[bytes, None], source: Source
    ) -> AsyncGenerator[bytes, None]:
        header, chunks = begun(key, await self._vault.current())
        yield header
        async with aclosing(content):
            async for batch in content:
                yield await asyncio.to_thread(source.seal, chunks, batch)
