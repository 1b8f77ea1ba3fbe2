"""Which store holds recordings and transcripts, as `BLOB_URL` says."""

from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.s3 import S3BlobStore
from adapters.storage.s3_client import Bucket
from application.ports.blobs import BlobStore
from infrastructure.settings import Settings


def make_blob_store(settings: Settings) -> BlobStore:
    """Return the store; nothing is asked or made yet."""
    if not settings.bucket:
        return FilesystemBlobStore(settings.blob_dir)
    s3 = settings.s3
    return S3BlobStore(
        Bucket(
            endpoint=s3.endpoint, name=settings.bucket, access_key=s3.access_key, secret_key=s3.secret_key,
            region=s3.region, secure=s3.secure,
        )
    )  # fmt: skip
