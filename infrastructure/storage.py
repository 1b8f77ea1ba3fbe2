"""Which store holds recordings and transcripts, as `BLOB_URL` says."""

from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.no_direct_access import NoDirectAccess
from adapters.storage.s3 import S3BlobStore
from adapters.storage.s3_client import Bucket
from adapters.storage.s3_urls import S3DirectAccess
from application.ports.blobs import BlobStore
from application.ports.direct_access import DirectAccess
from application.ports.system import Clock
from infrastructure.settings import Settings


def make_direct_access(settings: Settings, clock: Clock) -> DirectAccess:
    """Return what makes URLs of the store for clients; none where S3_PUBLIC_URL does not say how they reach it."""
    if not settings.bucket or not settings.s3.public_url:
        return NoDirectAccess()
    return S3DirectAccess(_bucket(settings), settings.s3.public_url, clock)


async def rules_of(store: BlobStore) -> bool | None:
    """Whether the bucket has our rules for what is left behind; None where there is no bucket."""
    return await store.has_rules() if isinstance(store, S3BlobStore) else None


def make_blob_store(settings: Settings) -> BlobStore:
    """Return the store; nothing is asked or made yet."""
    if not settings.bucket:
        return FilesystemBlobStore(settings.blob_dir)
    return S3BlobStore(_bucket(settings))


def _bucket(settings: Settings) -> Bucket:
    s3 = settings.s3
    return Bucket(
        endpoint=s3.endpoint, name=settings.bucket, access_key=s3.access_key, secret_key=s3.secret_key,
        region=s3.region, secure=s3.secure,
    )  # fmt: skip
