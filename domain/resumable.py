"""An upload that comes in pieces and survives broken lines: what was agreed on; its bytes are counted, not noted."""

from dataclasses import dataclass
from datetime import datetime

from domain.task import OwnerId
from domain.upload import UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumableUpload:
    """A resumable upload: `length` in bytes, None until it is declared; `metadata` as the client wrote it.

    How much is here is the size of the file that grows. With `completed_at` all of it came, and waits for its task
    under the same id.
    """

    id: UploadId
    owner: OwnerId
    filename: str
    length: int | None
    metadata: str
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece's digest must be; the algorithm is one of `ALGORITHMS`."""

    algorithm: str
    digest: bytes


ALGORITHMS = ("sha1", "sha256")
