"""What one HTTP request may cost; nothing here knows what a request is for."""

from dataclasses import dataclass
from pathlib import Path

KIB = 1024
MAX_FIELD_BYTES = 16 * KIB
"""One text field of a form: eight times the longest prompt that is taken, in four-byte characters twice over."""
MAX_FIELDS_BYTES = 64 * KIB
"""All text fields of a form: they are held in memory, ten uploads at once must not notice them."""
MAX_PARTS = 50
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
    store, since a finished file is then moved and not copied.
    """

    spool_dir: Path
    max_upload_bytes: int
