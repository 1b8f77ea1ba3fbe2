"""What a caller hands in: a recording in one of its forms, and what is to become of it; nothing is done here."""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path

from domain.clip import ClipMedia
from domain.fetching import MediaUrl
from domain.options import TranscriptionOptions
from domain.task import BatchId, OwnerId, Task
from domain.upload import UploadId
from domain.webhook import WebhookEndpoint

NamedMedia = Path | UploadId | ClipMedia | MediaUrl
"""What can be told before it is read."""
Media = AsyncIterable[bytes] | NamedMedia
"""Bytes as they come, a finished file on our own disk, which is moved, an upload that was sent before, or a clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Who asks for what; `filename` is only ever shown, never used as a path.

    `key` is the caller's own name for the request, under which it may be sent again without being done again. With
    `reuse` an earlier task of the same recording and options will do. `title`, `tags` and `batch` are the task's.
    `webhook` is told of the task, which gets a copy of its own; `webhook_digest` tells it from others, whose stored
    form never says the same twice.
    """

    owner: OwnerId
    options: TranscriptionOptions
    filename: str
    priority: int = 0
    key: str | None = None
    title: str = ""
    tags: tuple[str, ...] = ()
    batch: BatchId | None = None
    reuse: bool = False
    webhook: WebhookEndpoint | None = None
    webhook_digest: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The task that answers a submission, and whether it was there before."""

    task: Task
    reused: bool = False
