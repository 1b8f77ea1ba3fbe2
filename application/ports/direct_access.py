"""The port to URLs by which clients reach the blob store without us."""

from abc import abstractmethod
from datetime import timedelta
from typing import Protocol


class DirectAccess(Protocol):
    """Makes URLs that need no credentials and hold for a while; None where clients cannot reach the store."""

    @abstractmethod
    def upload_url(self, key: str, *, size: int, valid: timedelta) -> str | None:
        """Return a URL to `PUT` exactly `size` bytes to, which then are the blob of that key.

        Not every store holds clients to the size, and none to one upload: look at what came, and again later.
        """

    @abstractmethod
    def download_url(self, key: str, *, media_type: str, disposition: str, valid: timedelta) -> str | None:
        """Return a URL to `GET` the blob from, answered with these as Content-Type and Content-Disposition."""
