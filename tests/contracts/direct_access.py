"""What every maker of URLs promises. Bindings give `access`, and `store`, the blob store that it leads to."""

from datetime import timedelta

import httpx

from application.ports.blobs import BlobStore
from application.ports.direct_access import DirectAccess
from tests.contracts.blob_store import chunked, content_of, keys_of
from tests.contracts.suite import Suite

HOUR = timedelta(hours=1)


def send(url: str, content: bytes) -> int:
    return httpx.put(url, content=content, trust_env=False).status_code


class DirectAccessContract(Suite):
    """URLs, or none."""

    async def test_what_is_sent_to_an_upload_url_is_the_blob(self, access: DirectAccess, store: BlobStore) -> None:
        url = access.upload_url("incoming/a-b", size=5, valid=HOUR)
        if url is None:
            return
        assert send(url, b"heard") == 200
        assert await content_of(store, "incoming/a-b") == b"heard"
        assert await keys_of(store) == ["incoming/a-b"]

    async def test_a_download_url_gives_the_blob_under_its_name(self, access: DirectAccess, store: BlobStore) -> None:
        await store.put("media/a", chunked(b"heard"))
        disposition = "attachment; filename=\"M_rz 1.wav\"; filename*=UTF-8''M%C3%A4rz%201.wav"
        url = access.download_url("media/a", media_type="audio/wav", disposition=disposition, valid=HOUR)
        if url is None:
            return
        answer = httpx.get(url, trust_env=False)  # noqa: ASYNC210
        assert answer.content == b"heard"
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.headers["content-disposition"] == disposition
        part = httpx.get(url, headers={"Range": "bytes=1-2"}, trust_env=False)  # noqa: ASYNC210
        assert part.content == b"ea"
