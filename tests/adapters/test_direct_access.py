"""URLs of an object store, taken by a real one, and a folder's lack of them."""

from datetime import timedelta

import httpx
import pytest

from adapters.storage.memory import MemoryBlobStore
from adapters.storage.no_direct_access import NoDirectAccess
from adapters.storage.s3 import S3BlobStore
from adapters.storage.s3_client import Bucket
from adapters.storage.s3_urls import S3DirectAccess
from adapters.system import SystemClock
from application.ports.blobs import BlobStore
from application.ports.direct_access import DirectAccess
from tests.contracts.blob_store import keys_of
from tests.contracts.direct_access import HOUR, DirectAccessContract, send
from tests.servers.s3 import S3Server


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    return s3.bucket()


@pytest.fixture
async def store(bucket: Bucket) -> BlobStore:
    store = S3BlobStore(bucket)
    await store.prepare()
    return store


@pytest.fixture
def access(bucket: Bucket) -> DirectAccess:
    return S3DirectAccess(bucket, f"http://{bucket.endpoint}", SystemClock())


class TestS3DirectAccess(DirectAccessContract, adapter=S3DirectAccess): ...


class TestNoDirectAccess(DirectAccessContract, adapter=NoDirectAccess):
    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryBlobStore()

    @pytest.fixture
    def access(self) -> DirectAccess:
        return NoDirectAccess()


async def test_a_url_is_for_one_key_one_method_and_one_length(access: S3DirectAccess, store: BlobStore) -> None:
    url = access.upload_url("incoming/a", size=5, valid=HOUR)
    assert url
    refused = {
        "another key": send(url.replace("/a?", "/b?"), b"heard"),
        "longer": send(url, b"overheard"),
        "shorter": send(url, b"hear"),
        "another signature": send(url[:-1] + ("0" if url[-1] != "0" else "1"), b"heard"),
        "read": httpx.get(url, trust_env=False).status_code,  # noqa: ASYNC210
    }
    assert set(refused.values()) == {403}, refused
    assert await keys_of(store) == []


async def test_a_url_expires(access: S3DirectAccess, store: BlobStore) -> None:
    url = access.upload_url("incoming/a", size=5, valid=timedelta(seconds=-5))
    assert url
    assert send(url, b"heard") in {400, 403}
    assert await keys_of(store) == []


def test_a_url_shows_no_secret(access: S3DirectAccess, bucket: Bucket) -> None:
    url = access.upload_url("incoming/a", size=5, valid=HOUR)
    assert bucket.secret_key not in str(url)
