"""The right way for each URL: what it names directly is fetched directly, and a page is left to yt-dlp."""

from pathlib import Path

from adapters.fetching.http import HttpFetcher, WebPage
from adapters.fetching.ytdlp import YtDlpFetcher
from application.ports.media_fetch import MediaFetcher
from application.ports.system import ProgressSink
from domain.fetching import FetchedMedia, FetchLimits


class HttpOrYtDlpFetcher(MediaFetcher):
    """Asks for the URL first: only what is answered by a web page is worth a process and a second request."""

    def __init__(self, direct: HttpFetcher, site: YtDlpFetcher) -> None:
        self._direct = direct
        self._site = site

    async def fetch(self, url: str, into: Path, limits: FetchLimits, on_progress: ProgressSink) -> FetchedMedia:
        """Fetch what is at the URL, or on the page that is there."""
        try:
            return await self._direct.fetch(url, into, limits, on_progress)
        except WebPage:
            return await self._site.fetch(url, into, limits, on_progress)
