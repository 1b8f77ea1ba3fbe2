"""What a bucket with versioning keeps of an object that was deleted; it must not touch another object's versions."""

from contextlib import suppress
from typing import TYPE_CHECKING

from adapters.storage.s3_client import translated
from domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from minio import Minio


def keeps_versions(client: "Minio", bucket: str) -> bool:
    """Whether deleting leaves the content behind; a store that cannot tell is taken to have no versions."""
    with suppress(StorageUnavailable), translated():
        return client.get_bucket_versioning(bucket_name=bucket).status in {"Enabled", "Suspended"}
    return False


def remove_versions(client: "Minio", bucket: str, key: str) -> None:
    """Remove every version of the object, and what marks it as deleted; a lock on the bucket may still forbid it."""
    with translated(key):
        for found in client.list_objects(bucket_name=bucket, prefix=key, include_version=True):
            if found.object_name == key and found.version_id:
                client.remove_object(bucket_name=bucket, object_name=key, version_id=found.version_id)
