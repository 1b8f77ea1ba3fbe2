"""Keeping a bucket tidy: what crashes leave half uploaded, and rules by which the store does it itself.

The client has no public way to the first; and not every store knows the second.
"""

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from adapters.storage.s3_client import Upload, translated, uploads
from application.ports.blobs import BlobNotFound
from domain.errors import StorageUnavailable
from domain.upload import INCOMING

if TYPE_CHECKING:
    from minio import Minio
    from minio.lifecycleconfig import Rule

PARTS_DAYS, INCOMING_DAYS = 1, 2
"""Our own sweeps are far quicker; the rules are for an installation that is gone and has left its bucket behind."""
_OURS = "colloquy-"
_log = structlog.get_logger()


def abort_stale_uploads(client: "Minio", bucket: str, older_than: timedelta) -> int:
    """Abort the uploads in parts of which nothing has come for so long; return how many."""
    aborted = 0
    try:
        with translated():
            listing = client._execute(method="GET", bucket_name=bucket, query_params={"uploads": ""})  # noqa: SLF001
    except BlobNotFound:  # some servers say so when there has never been one
        return 0
    for upload in uploads(listing.data):
        try:
            with translated(upload.key):
                if time.time() - _last_sign(client, bucket, upload) >= older_than.total_seconds():
                    client._abort_multipart_upload(bucket, upload.key, upload.id)  # noqa: SLF001
                    aborted += 1
        except BlobNotFound:  # it has just come to its end
            continue
    return aborted


def _last_sign(client: "Minio", bucket: str, upload: Upload) -> float:
    parts = client._list_parts(bucket, upload.key, upload.id).parts  # noqa: SLF001
    return max([upload.begun, *(part.last_modified.timestamp() for part in parts if part.last_modified)])


def set_rules(client: "Minio", bucket: str) -> None:
    """Have the store remove old parts and old uploads by itself, beside whatever rules it has; say so if it cannot."""
    from minio.lifecycleconfig import LifecycleConfig

    try:
        with translated():
            found = client.get_bucket_lifecycle(bucket)
            others = [rule for rule in (found.rules if found else []) if not (rule.rule_id or "").startswith(_OURS)]
            rules = _rules()
            if found is None or found.rules != others + rules:
                client.set_bucket_lifecycle(bucket, LifecycleConfig(others + rules))
    except (StorageUnavailable, BlobNotFound, ValueError) as error:
        _log.info("no_lifecycle_rules", reason=str(error), consequence="only the service itself tidies up the bucket")


def has_rules(client: "Minio", bucket: str) -> bool:
    """Whether the bucket has all of those rules."""
    try:
        with translated():
            found = client.get_bucket_lifecycle(bucket)
    except (StorageUnavailable, BlobNotFound, ValueError):
        return False
    return found is not None and all(rule in found.rules for rule in _rules())


def _rules() -> "list[Rule]":
    from minio.commonconfig import ENABLED, Filter
    from minio.lifecycleconfig import AbortIncompleteMultipartUpload, Expiration, Rule

    return [
        Rule(
            ENABLED, rule_filter=Filter(prefix=""), rule_id=f"{_OURS}parts",
            abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(days_after_initiation=PARTS_DAYS),
        ),
        Rule(
            ENABLED, rule_filter=Filter(prefix=INCOMING), rule_id=f"{_OURS}incoming",
            expiration=Expiration(days=INCOMING_DAYS),
        ),
    ]  # fmt: skip
