"""The port to recordings on other people's servers."""

from abc import abstractmethod
from pathlib import Path
from typing import Protocol

from application.ports.system import ProgressSink
from domain.fetching import FetchedMedia, FetchLimits


class MediaFetcher(Protocol):
    """Fetches one recording by its URL, from where policy allows and from nowhere else."""

    @abstractmethod
    async def fetch(self, url: str, into: Path, limits: FetchLimits, on_progress: ProgressSink) -> FetchedMedia:
        """Write what `url` names to the new file `into`; its folder exists, is empty, and is for this call alone.

        Every address that is connected to, whatever redirects, pages and manifests say, is judged first. Limits are
        held by what arrives, not by what headers promise. `into` is whole when this returns; whatever else happens,
        cancellation too, may leave files in the folder, for the caller to remove with it, but no process and no
        connection. `on_progress` gets the done fraction while bytes arrive, as far as it can be told; what it raises
        stops the work and is passed on.

        Raises:
            UrlNotAllowed: the URL, or one that it led to, is forbidden.
            MediaRejected: `too_large` or `too_long`.
            FetchFailed: there is nothing to be had there, or it is a live stream, or it comes too slowly: asking again
                would not help.
            FetchUnavailable: it cannot be had just now.
            StorageFull: there is no room for it.
        """
