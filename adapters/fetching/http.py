"""Recordings that a URL names directly, over HTTP; each redirect is judged as the first URL was."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from adapters.egress import Egress
from adapters.fetching.pace import Pace, too_large, took_too_long
from application.ports.media_fetch import MediaFetcher
from application.ports.system import ProgressSink
from domain.egress import masked
from domain.errors import FetchFailed, FetchUnavailable, StorageFull, UrlNotAllowed
from domain.fetching import FetchedMedia, FetchLimits

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 10
_SILENCE = 20.0
"""Seconds in which a server that answers at all sends something."""
_WRITE_SIZE = 1 << 18
_PAGES = {"text/html", "application/xhtml+xml"}
_LATER = {408, 425, 429}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Nothing is unpacked on the way: what a server sends packed would arrive as more than was counted.
_HEADERS = {"Accept": "audio/*, video/*;q=0.9, */*;q=0.5", "Accept-Encoding": "identity", "User-Agent": "colloquy"}


class WebPage(FetchFailed):
    """What is there is a page for people: perhaps there is a recording in it."""


class HttpFetcher(MediaFetcher):
    """Fetches what a URL names."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def fetch(self, url: str, into: Path, limits: FetchLimits, on_progress: ProgressSink) -> FetchedMedia:
        """Stream the body to disk; a page raises `WebPage`."""
        import httpx

        try:
            async with asyncio.timeout(limits.max_seconds), self._answer(url) as answer:
                return await _receive(answer, into, limits, on_progress)
        except TimeoutError as error:
            raise took_too_long(limits) from error
        except httpx.TransportError as error:
            raise FetchUnavailable("the server cannot be reached, or broke off") from error
        except httpx.InvalidURL as error:
            raise UrlNotAllowed("the URL, or one that it led to, cannot be read") from error

    @asynccontextmanager
    async def _answer(self, url: str) -> AsyncIterator["httpx.Response"]:
        """Give the answer at the end of the redirects, its body unread."""
        import httpx

        async with self._egress.client(timeout=httpx.Timeout(_SILENCE)) as client:
            here = self._egress.policy.destination(url).url
            for _ in range(1 + MAX_REDIRECTS):
                async with client.stream("GET", here, headers=_HEADERS) as answer:
                    if not answer.has_redirect_location:
                        yield answer
                        return
                    here = self._egress.policy.destination(_next(here, answer.headers["location"])).url
        raise FetchFailed(f"the URL leads on more than {MAX_REDIRECTS} times")


async def _receive(
    answer: "httpx.Response", into: Path, limits: FetchLimits, on_progress: ProgressSink
) -> FetchedMedia:
    _judge(answer)
    stated = answer.headers.get("content-length", "")
    expected = int(stated) if stated.isdecimal() else 0
    if expected > limits.max_bytes:
        raise too_large(limits)
    pace, pending = Pace(limits), bytearray()
    try:
        with await asyncio.to_thread(into.open, "xb") as file:
            async for piece in answer.aiter_raw():
                pace.take(pace.taken + len(piece))
                pending += piece
                if len(pending) >= _WRITE_SIZE:
                    await asyncio.to_thread(file.write, pending)
                    pending = bytearray()
                    on_progress(pace.taken / max(expected, pace.taken) if expected else 0.0)
            await asyncio.to_thread(file.write, pending)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StorageFull("there is no room for the recording") from error
    on_progress(1.0)
    return FetchedMedia(
        title="",
        filename=_filename(answer),
        duration=None,
        media_type=_media_type(answer),
        size=pace.taken,
        url=masked(str(answer.request.url)),
    )


def _judge(answer: "httpx.Response") -> None:
    """Refuse an answer that brings no recording."""
    status = answer.status_code
    if status in _LATER or status >= 500:  # noqa: PLR2004 - the server's own errors
        raise FetchUnavailable(f"the server answered {status}")
    if status != 200:  # noqa: PLR2004 - a part, or nothing at all
        raise FetchFailed(f"the server answered {status}")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("the server sends the recording packed, though it was asked not to")
    if _media_type(answer) in _PAGES:
        raise WebPage("there is a web page at the URL, not a recording")


def _media_type(answer: "httpx.Response") -> str:
    return str(answer.headers.get("content-type", "")).partition(";")[0].strip().lower()[:100]


def _filename(answer: "httpx.Response") -> str:
    """Return the name that the server gives the file, else the last part of its path."""
    header = Message()
    header["Content-Disposition"] = answer.headers.get("content-disposition", "")
    return header.get_filename("") or unquote(urlsplit(str(answer.request.url)).path.rpartition("/")[2])


def _next(here: str, location: str) -> str:
    """Return where a redirect leads; credentials go along to the same server only."""
    try:
        there = urljoin(here, location)
        before, after = urlsplit(here), urlsplit(there)
    except ValueError as error:
        raise UrlNotAllowed("the URL leads on to one that cannot be read") from error
    credentials, at, place = before.netloc.rpartition("@")
    if at and (before.scheme, place) == (after.scheme, after.netloc):
        return there.replace(f"{after.scheme}://", f"{after.scheme}://{credentials}@", 1)
    return there
