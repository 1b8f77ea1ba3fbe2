"""No URLs: clients reach the store through us alone."""

from datetime import timedelta

from application.ports.direct_access import DirectAccess


class NoDirectAccess(DirectAccess):
    """For a folder, and for an object store whose address clients do not know."""

    def upload_url(self, key: str, *, size: int, valid: timedelta) -> str | None:  # noqa: ARG002
        """Return none."""
        return None

    def download_url(self, key: str, *, media_type: str, disposition: str, valid: timedelta) -> str | None:  # noqa: ARG002
        """Return none."""
        return None
