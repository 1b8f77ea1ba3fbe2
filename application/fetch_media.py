"""Bringing a recording here, and making sure that it still is the one that was accepted."""

import asyncio
import hashlib
from pathlib import Path

from application.ports.blobs import BlobDamaged, BlobStore
from domain.errors import MediaRejected
from domain.task import MediaSource


async def fetch_media(blobs: BlobStore, media: MediaSource, into: Path) -> Path:
    """Return a local file with the recording, to be read only; it is `into`, or where it is already.

    Raises:
        BlobNotFound: it is gone.
        MediaRejected: `input_changed`, it is not what it was when it was accepted.
        StorageFull, StorageUnavailable: as the store says.
    """
    try:
        path = await blobs.fetch(media.key, into)
    except BlobDamaged as error:  # however often it is asked for
        raise MediaRejected("the recording was changed after it was accepted", code="input_changed") from error
    changed = await asyncio.to_thread(_differs, path, media)
    if not changed and media.etag and not media.sha256:
        # Nobody had read it when it was accepted. The store's own mark, looked at afterwards, covers the reading too.
        found = await blobs.stat(media.key)
        changed = found is None or found.etag != media.etag
    if changed:
        raise MediaRejected("the recording was changed after it was accepted", code="input_changed")
    return path


def _differs(path: Path, media: MediaSource) -> bool:
    if path.stat().st_size != media.size:
        return True
    if not media.sha256:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() != media.sha256
