"""`Content-Digest` (RFC 9530): what a request says its body is, held against what came."""

import base64
import binascii
import hashlib
import re

from entrypoints.http.errors import BadRequest

_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}
"""The active ones of the RFC's registry; digests by others are not looked at, as it allows."""
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):")


class ContentDigest:
    """The digests that a header names, and those of the body as it comes."""

    def __init__(self, header: str) -> None:
        """Read the header, empty for none.

        Raises:
            BadRequest: it cannot be read.
        """
        self._expected: dict[str, bytes] = {}
        for member in header.split(",") if header.strip() else ():
            found = _MEMBER.fullmatch(member.strip())
            if not found:
                raise BadRequest("Content-Digest: write sha-256=:BASE64:")
            if name := _ALGORITHMS.get(found[1]):
                self._expected[name] = _decoded(found[2])
        self._found = {name: hashlib.new(name) for name in self._expected}

    def update(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        for each in self._found.values():
            each.update(piece)

    def check(self) -> None:
        """Judge the whole body.

        Raises:
            BadRequest: `checksum_mismatch`.
        """
        if any(each.digest() != self._expected[name] for name, each in self._found.items()):
            raise BadRequest("the body is not what its Content-Digest says", code="checksum_mismatch")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadRequest("Content-Digest: its value is not base64") from error
