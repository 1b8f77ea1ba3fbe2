"""The connection to an S3 store: its time-outs and tries, and its errors in the port's words.

It must not let a secret or an address into what it says.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from application.ports.blobs import BlobNotFound
from domain.errors import StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from minio import Minio

    from adapters.storage.s3_pool import PatientPool

CONNECTIONS = 16
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityTooLarge", "OutOfSpace"})
_BEYOND = "InvalidRange"
_MISSING = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchUpload"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where blobs are kept; `endpoint` is `host` or `host:port`, and without `secure` requests go unencrypted."""

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    secure: bool = True

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Bucket({self.endpoint}/{self.name})"


def connect(bucket: Bucket, pool: "PatientPool") -> "Minio":
    """Return a client, which is thread-safe; nothing is asked yet."""
    from minio import Minio

    return Minio(
        endpoint=bucket.endpoint,
        access_key=bucket.access_key,
        secret_key=bucket.secret_key,
        region=bucket.region,
        secure=bucket.secure,
        http_client=pool,
    )


class BeyondTheEnd(Exception):
    """The range that was asked for starts behind the last byte."""


@contextmanager
def translated(key: str = "") -> Iterator[None]:
    """Put the client's errors into the port's words; a secret or an address is in none of them."""
    import urllib3
    from minio.error import InvalidResponseError, S3Error, ServerError

    try:
        yield
    except (S3Error, InvalidResponseError) as error:
        # Some servers answer in `text/xml`, which the client takes for no answer at all.
        found = re.search(r"<Code>(\w+)</Code>", str(error))
        code = error.code if isinstance(error, S3Error) else found and found[1]
        if code == _BEYOND:
            raise BeyondTheEnd from error
        if code in _MISSING:
            raise BlobNotFound(key) from error
        if code in _FULL:
            raise StorageFull("there is no room left in the object store") from error
        raise StorageUnavailable(f"the object store refused: {code}") from error
    except (ServerError, urllib3.exceptions.HTTPError) as error:
        raise StorageUnavailable("the object store does not answer") from error


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that has not come to its end; `begun` is in seconds since 1970."""

    key: str
    id: str
    begun: float


def uploads(listing: bytes) -> Iterator[Upload]:
    """Read the answer to ListMultipartUploads; some servers leave the namespace out, which the client wants."""
    for found in ET.fromstring(listing).iterfind("{*}Upload"):  # noqa: S314 - the operator's own store
        key, number, begun = (found.findtext(f"{{*}}{name}") or "" for name in ("Key", "UploadId", "Initiated"))
        yield Upload(key, number, datetime.fromisoformat(begun).timestamp())
