"""Where a page ended, as a text that callers hand back; it is an id, and says nothing to who may not see that."""

import base64
import binascii
from uuid import UUID

from entrypoints.http.errors import InvalidFields


def encode_cursor(last: UUID) -> str:
    """Say where a page ended."""
    return base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> UUID:
    """Read where the page before ended.

    Raises:
        InvalidFields: no page ended there.
    """
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error) as error:
        raise InvalidFields({"cursor": "cursor: take it from `next_cursor`"}) from error
