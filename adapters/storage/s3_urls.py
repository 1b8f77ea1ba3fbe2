"""URLs that an object store takes by their signature; made without asking it anything.

The client library signs the host alone into its URLs. Ours name the length too: a store that checks signatures, as all
do, then refuses what is longer or shorter than was announced.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

from adapters.storage.keys import checked
from adapters.storage.s3_client import Bucket
from application.ports.direct_access import DirectAccess
from application.ports.system import Clock


class S3DirectAccess(DirectAccess):
    """Signs URLs of the bucket at `public`, the store's address as clients know it: `https://s3.example.org`."""

    def __init__(self, bucket: Bucket, public: str, clock: Clock) -> None:
        self._bucket = bucket
        self._public = urlsplit(public)
        self._clock = clock

    def upload_url(self, key: str, *, size: int, valid: timedelta) -> str | None:
        """Sign a PUT of so many bytes."""
        return self._signed("PUT", key, valid, {"content-length": str(size)}, {})

    def download_url(self, key: str, *, media_type: str, disposition: str, valid: timedelta) -> str | None:
        """Sign a GET."""
        answer = {"response-content-type": media_type, "response-content-disposition": disposition}
        return self._signed("GET", key, valid, {}, answer)

    def _signed(
        self, method: str, key: str, valid: timedelta, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> str:
        """Sign as https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html says."""
        now: datetime = self._clock.now()
        moment, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
        scope = f"{day}/{self._bucket.region}/s3/aws4_request"
        signed = dict(sorted({**headers, "host": self._public.netloc}.items()))
        asked = {
            **query,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self._bucket.access_key}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(int(valid.total_seconds())),
            "X-Amz-SignedHeaders": ";".join(signed),
        }
        path = quote(f"/{self._bucket.name}/{checked(key)}")
        sorted_query = urlencode(sorted(asked.items()), quote_via=quote, safe="-_.~")
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = "\n".join((method, path, sorted_query, lines, ";".join(signed), "UNSIGNED-PAYLOAD"))
        to_sign = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        secret = f"AWS4{self._bucket.secret_key}".encode()
        for part in (day, self._bucket.region, "s3", "aws4_request"):
            secret = _mac(secret, part)
        signature = _mac(secret, to_sign).hex()
        return f"{self._public.scheme}://{self._public.netloc}{path}?{sorted_query}&X-Amz-Signature={signature}"


def _mac(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, text.encode(), "sha256")
