"""What one HTTP request may cost; nothing here knows what a request is for."""

from dataclasses import dataclass
from pathlib import Path

KIB = 1024
MAX_FIELD_BYTES = 16 * KIB
"""One text field of a form: eight times the longest prompt that is taken, in four-byte characters twice over."""
MAX_FIELDS_BYTES = 64 * KIB
"""All text fields of a form: they are held in memory, ten uploads at once must not notice them."""
MAX_LONG_TEXT_BYTES = 4096 * KIB
"""One field that is kept on disk: base64 of 17 seconds of uncompressed stereo in CD quality."""
MAX_LONG_TEXTS = 10
MAX_PARTS = 50
MAX_BATCH_UPLOADS = 10
"""Largest recordings that one call may bring; all of them wait on disk until the last is here."""
MAX_PART_HEADER_BYTES = 8 * KIB
"""One header line of a part: room for a file name of four thousand characters."""
MAX_PART_HEADERS = 4
MAX_FRAMING_BYTES = MAX_FIELDS_BYTES + MAX_PARTS * MAX_PART_HEADER_BYTES
"""What a body may hold beside the recording itself."""
MAX_HEADER_BYTES = 32 * KIB
"""The request line and its headers together."""
SPOOL_BATCH_BYTES = 1024 * KIB
"""Written to disk at once: a thread hop for each network read would cost more than the write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What an installation allows.

    `spool_dir` is where uploads wait until they are whole: an existing private folder, best on the volume of the blob
    store, since a finished file is then moved and not copied. Whoever sends a body slower than `min_bytes_per_second`,
    `grace_seconds` of pauses apart, or a head not within `header_seconds`, is answered 408 and cut off. A call that
    waits for its result is answered after `sync_seconds` at the latest.
    """

    spool_dir: Path
    max_upload_bytes: int
    # A line of 1990 brought seven times as much; who sends less holds a connection for nothing.
    min_bytes_per_second: float = KIB
    # How long a sender may fall behind that, a phone between two cells say, before it is cut off.
    grace_seconds: float = 30.0
    # Request line and headers are one packet or two.
    header_seconds: float = 15.0
    # Of the spool's volume: below that it takes nothing in.
    min_free_percent: float = 0.0
    # OpenAI's own client gives up after 600 seconds, and would send the recording again.
    sync_seconds: float = 540.0
