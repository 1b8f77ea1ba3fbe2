"""A recording that is kept on its own: handed in once, transcribed as often as its owner likes, deleted by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from domain.task import MediaSource, OwnerId, TaskId, media_key

ClipId = NewType("ClipId", UUID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A kept recording: size in bytes, SHA-256 in hexadecimal; without `expires_at` it is kept for ever.

    Its tasks share its bytes: they go when the clip and the last of those tasks have let go of them. `uses` counts the
    tasks that were made of it.
    """

    id: ClipId
    owner: OwnerId
    filename: str
    size: int
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    uses: int = 0

    @property
    def key(self) -> str:
        """The blob's name."""
        return clip_key(self.id)

    @property
    def source(self) -> MediaSource:
        """The clip as the recording of a task."""
        return MediaSource(key=self.key, filename=self.filename, size=self.size, sha256=self.sha256)

    def kept_at(self, now: datetime) -> bool:
        """Whether its time has not come yet."""
        return self.expires_at is None or self.expires_at > now


@dataclass(frozen=True, slots=True)
class ClipMedia:
    """Names a clip where a recording is asked for."""

    id: ClipId


def clip_key(clip: ClipId) -> str:
    """Name the blob that holds a clip: beside those of tasks, for it may become theirs."""
    return media_key(TaskId(clip))
