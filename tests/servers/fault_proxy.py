"""A TCP proxy before a real server that does on command what networks do: late, slow, cut, reset, silent, refused.

It runs in a thread of its own, so that tests of both colours may use it; it never looks into what it passes on.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

_CHUNK = 65_536
_TICK = 0.02
"""Seconds after which a connection that is held back looks whether it still is."""
_RESET = struct.pack("ii", 1, 0)
_T = TypeVar("_T")


class _Link:
    """One connection with its two ends."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.ends = [client]
        self.passed = 0
        self.robbed = False
        self.half_closed = False

    def reset(self) -> None:
        for end in self.ends:
            if not end.transport.is_closing():
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.transport.abort()


class FaultProxy:
    """Listens on `port` before the server on `target`, as a context. Faults hold, for running connections too."""

    def __init__(self, target: int, *, host: str = "127.0.0.1") -> None:
        self.port = 0
        self.connections = self.bytes_up = self.bytes_down = 0
        self._target = (host, target)
        self._links: set[_Link] = set()
        self._latency, self._hole = 0.0, False
        self._rate: float | None = None
        self._cut: int | None = None
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection and the port."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._links)

    def delay(self, seconds: float) -> None:
        """Hold each piece back for so long, each way."""
        self._latency = seconds

    def slow(self, bytes_per_second: float) -> None:
        """Pass on no more than so many bytes a second on each way of a connection; 0 holds them back until `heal`.

        Zero is a network that is split for a while: what was sent meanwhile arrives afterwards.
        """
        self._rate = bytes_per_second

    def swallow(self) -> None:
        """Take connections and bytes, pass on nothing, say nothing; `heal` resets those that were robbed of bytes."""
        self._hole = True

    def cut_after(self, size: int) -> None:
        """Reset each connection that has passed on so many bytes, both ways together."""
        self._cut = size

    def reset(self) -> int:
        """Reset every connection that there is now; return how many."""
        return self._run(self._reset())

    def half_close(self) -> None:
        """Tell each client that its server says no more, while the server still listens."""
        self._run(self._half_close())

    def refuse(self) -> None:
        """Close the port; the connections that there are go on."""
        self._run(self._close())

    def heal(self) -> None:
        """End every fault."""
        self._latency, self._rate, self._hole, self._cut = 0.0, None, False, None
        self._run(self._listen())
        self._run(self._reset_robbed())

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _end(self) -> None:
        await self._close()
        await self._reset()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _reset(self) -> int:
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    async def _reset_robbed(self) -> None:
        for link in self._links:
            if link.robbed:
                link.reset()

    async def _half_close(self) -> None:
        for link in self._links:
            link.half_closed = True
            link.ends[0].write_eof()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        link = _Link(client)
        self._links.add(link)
        self.connections += 1
        try:
            if self._hole:
                await self._pump(link, reader, None)
                return
            behind, server = await asyncio.open_connection(*self._target)
            link.ends.append(server)
            await asyncio.gather(self._pump(link, reader, server), self._pump(link, behind, client))
        except (OSError, asyncio.CancelledError):
            link.reset()  # the server refuses, or one end is gone: so is the other; or this is the end
        finally:
            for end in link.ends:
                end.close()
            self._links.discard(link)

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
        """Pass on what comes, as the faults of the moment let it."""
        up = writer is not link.ends[0]
        while True:
            data = await reader.read(_CHUNK if not self._rate else max(1, int(self._rate * _TICK)))
            await asyncio.sleep(self._latency)
            while self._rate == 0:  # noqa: ASYNC110 - it is changed from another thread
                await asyncio.sleep(_TICK)
            if self._hole or writer is None:
                link.robbed = True
                if not data:
                    return
                continue
            if not data:
                break
            if self._rate:
                await asyncio.sleep(len(data) / self._rate)
            if self._cut is not None and link.passed + len(data) >= self._cut:
                data = data[: max(0, self._cut - link.passed)]
                self._count(link, len(data), up=up)
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(_TICK)  # a reset overtakes what the other end has not read yet
                link.reset()
                return
            if up or not link.half_closed:
                self._count(link, len(data), up=up)
                writer.write(data)
                await writer.drain()
        if not writer.is_closing() and (up or not link.half_closed):
            writer.write_eof()

    def _count(self, link: _Link, size: int, *, up: bool) -> None:
        link.passed += size
        if up:
            self.bytes_up += size
        else:
            self.bytes_down += size
