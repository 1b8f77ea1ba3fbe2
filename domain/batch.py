"""Many recordings handed in by one call: what became of each, and the one key that names them; the tasks are tasks."""

from dataclasses import dataclass
from datetime import datetime

from domain.task import BatchId, OwnerId

MAX_ITEMS = 100
"""Recordings of one call; a client that has more makes several calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedItem:
    """A recording of a batch that no task was made of; `index` counts from 0 in the order of the call."""

    index: int
    filename: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A call that handed in `size` recordings. Its tasks name it; those that were refused stand here.

    `key` is the caller's own name for the call, `fingerprint` tells what it held.
    """

    id: BatchId
    owner: OwnerId
    created_at: datetime
    size: int
    title: str = ""
    refused: tuple[RefusedItem, ...] = ()
    key: str | None = None
    fingerprint: str = ""
