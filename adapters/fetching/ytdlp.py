"""Recordings on the pages that yt-dlp knows its way about, fetched by a confined process with one door.

This process must never import yt-dlp: whatever a page makes of it happens to the child, which is held to limits, given
up after a time, and not believed.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from adapters.egress import Egress
from adapters.fetching.filtering_proxy import FilteringProxy
from adapters.fetching.pace import Pace, too_large, took_too_long
from application.ports.media_fetch import MediaFetcher
from application.ports.system import ProgressSink
from domain.egress import masked
from domain.errors import ColloquyError, FetchFailed, FetchUnavailable, MediaRejected, StorageFull, UrlNotAllowed
from domain.fetching import FetchedMedia, FetchLimits

_ROOT = Path(__file__).parents[2]
_PAGES = 64 << 20
"""Bytes beside the recording itself: pages, scripts and manifests of a site."""
_MAX_LINE = 1 << 16
_LONGEST_TEXT = 1000


class YtDlpFetcher(MediaFetcher):
    """Fetches the recording on a page, of several the first, as sound alone where the site offers that."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def fetch(self, url: str, into: Path, limits: FetchLimits, on_progress: ProgressSink) -> FetchedMedia:
        """Run yt-dlp in a folder of its own beside `into`; all that it connects to passes a proxy that judges it."""
        url = self._egress.policy.destination(url).url
        folder = into.absolute().with_name("yt-dlp")  # noqa: ASYNC240 - it asks nothing of the disk
        await asyncio.to_thread(folder.mkdir, mode=0o700)
        try:
            async with (
                asyncio.timeout(limits.max_seconds),
                FilteringProxy(self._egress, max_bytes=limits.max_bytes + _PAGES) as proxy,
            ):
                said = await self._run(url, folder, proxy, limits, on_progress)
        except TimeoutError as error:
            raise took_too_long(limits) from error
        return await asyncio.to_thread(_take_over, said, folder / "media", into, url, limits)

    async def _run(
        self, url: str, folder: Path, proxy: FilteringProxy, limits: FetchLimits, on_progress: ProgressSink
    ) -> dict[str, Any]:
        job = {
            "url": url,
            "folder": str(folder),
            "proxy": proxy.url,
            "port": proxy.port,
            "max_bytes": limits.max_bytes,
            "max_duration": limits.max_duration,
        }
        pace, last = Pace(limits), dict[str, Any]()
        async with _child(job, folder) as lines:
            async for line in lines:
                last = _parsed(line)
                if isinstance(taken := last.get("bytes"), int):
                    pace.take(taken)
                    of = last.get("of")
                    on_progress(min(1.0, taken / of) if isinstance(of, int) and of > 0 else 0.0)
        if not isinstance(last.get("fetched"), dict):
            raise _failure(last, proxy, limits)
        return dict(last["fetched"])


@asynccontextmanager
async def _child(job: dict[str, object], folder: Path) -> AsyncIterator[asyncio.StreamReader]:
    """Give the lines of a process that does the job; however the block is left, it has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-E", "-s", "-m", "adapters.fetching.ytdlp_child",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT, env=_environment(folder), limit=_MAX_LINE, start_new_session=True,
    )  # fmt: skip
    stdin, stdout = process.stdin, process.stdout
    try:
        if stdin is None or stdout is None:
            raise FetchUnavailable("the process that fetches has no lines")
        with suppress(ConnectionError):
            stdin.write(json.dumps(job).encode())
            await stdin.drain()
        stdin.close()
        yield stdout
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its own `kill` may reap it before the loop does
        await asyncio.shield(process.wait())


def _environment(folder: Path) -> dict[str, str]:
    """Return all that the child is told: no home, no programs, no plugins, nothing of ours."""
    return {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": "",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
        "YTDLP_NO_PLUGINS": "1",
    }


def _failure(last: dict[str, Any], proxy: FilteringProxy, limits: FetchLimits) -> ColloquyError:
    """Say why there is no recording; what this process has seen for itself goes before what the child says."""
    code, detail = str(last.get("refused")), str(last.get("detail"))[:_LONGEST_TEXT]
    if proxy.exhausted:
        return too_large(limits)
    if proxy.refused:
        return UrlNotAllowed("the page leads to an address where no request may go")
    errors: dict[str, ColloquyError] = {
        "too_large": MediaRejected(detail, code="too_large"),
        "too_long": MediaRejected(detail, code="too_long"),
        "no_room": StorageFull("there is no room for the recording"),
        "fetch_unavailable": FetchUnavailable(detail),
        "fetch_failed": FetchFailed(detail),
        "live_stream": FetchFailed(detail, code="live_stream"),
    }
    return errors.get(code, FetchFailed("the process that fetched ended without a recording"))


def _take_over(said: dict[str, Any], media: Path, into: Path, url: str, limits: FetchLimits) -> FetchedMedia:
    """Take the file, whatever the child says of it."""
    if media.is_symlink() or not media.is_file():
        raise FetchFailed("the process that fetched left no recording")
    size = media.stat().st_size
    if size > limits.max_bytes:
        raise too_large(limits)
    media.rename(into)
    duration = said.get("duration")
    seconds = duration if isinstance(duration, int | float) and 0 < duration < limits.max_seconds * 1000 else None
    title = str(said.get("title"))[:_LONGEST_TEXT]
    return FetchedMedia(
        title=title,
        filename="",
        duration=None if seconds is None else int(seconds * 1000),
        media_type="",
        size=size,
        url=masked(url),
    )


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
