"""The parts of an upload as they arrive: text fields in memory, the recording into the spool, each within its limit."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from uuid import UUID

from multipart import MultipartSegment

from domain.clip import ClipId, ClipMedia
from domain.errors import MediaRejected
from domain.fetching import MediaUrl
from domain.upload import UploadId
from entrypoints.http.errors import BadRequest, InvalidFields
from entrypoints.http.filenames import shown_name
from entrypoints.http.form_fields import CLIP, FILE, SHA256, UPLOAD, URL
from entrypoints.http.limits import (
    MAX_FIELD_BYTES,
    MAX_FIELDS_BYTES,
    MAX_LONG_TEXT_BYTES,
    MAX_LONG_TEXTS,
    HttpLimits,
)
from entrypoints.http.spool import SpoolFile

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")

Asked = TypeVar("Asked")
Fields = Iterable[tuple[str, str]]
"""Names and texts of a form's fields."""
Read = Callable[[Fields], Asked]
"""Reads them, and refuses what cannot be done."""
Look = Callable[[Fields], object]
"""Refuses those before the recording that no later one can put right."""


@dataclass(frozen=True, slots=True)
class Upload(Generic[Asked]):
    """A recording, received whole: a file that is removed when the context ends, unless it was moved away.

    Or the id of one that was sent before, a clip, or a URL to fetch one from; and what was `asked` of it. `long` are
    the files with the texts of fields that are kept on disk, in the order in which they came; they are removed with it.
    """

    media: Path | UploadId | ClipMedia | MediaUrl
    filename: str
    asked: Asked
    long: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a form that is the recording: its name, and what goes before its bytes when they are stored.

    `long` is the list of texts that may be long.
    """

    name: str = FILE
    head: bytes = b""
    long: str = ""


RECORDING = Part()


class UploadForm(Generic[Asked]):
    """What has been received of a form so far."""

    def __init__(self, allowed: HttpLimits, read: Read[Asked], look: Look, part: Part = RECORDING) -> None:
        self._allowed = allowed
        self._part = part
        self._read = read
        self._look = look
        self._fields: list[tuple[str, str]] = []
        self._field_bytes = 0
        self._name = ""
        self._text = bytearray()
        self._spool: SpoolFile | None = None
        self._filename = ""
        self._named: dict[str, UploadId | ClipMedia | MediaUrl] = {}
        self._long: list[SpoolFile] = []
        self._sha256 = ""

    async def take(self, event: MultipartSegment | bytes | None) -> None:
        """Take the parser's next event: a part's start, a piece of it, or its end."""
        if isinstance(event, MultipartSegment):
            await self._begin(event)
        elif self._name == self._part.name and self._spool is not None:
            if event is None:
                await self._spool.flush()
            elif self._spool.size + len(event) > self._allowed.max_upload_bytes:
                raise too_large(self._allowed)
            else:
                await self._spool.append(event)
        elif self._is_long:
            await self._take_long(event)
        elif event is not None:
            self._add_text(event)
        else:
            self._end_text()

    def add(self, name: str, text: str) -> None:
        """Take a field as it was read.

        Raises:
            InvalidFields: it names no recording, though it should.
        """
        if self._part.name != FILE or name not in {UPLOAD, CLIP, URL, SHA256}:
            self._fields.append((name, text))
        elif name == SHA256:
            self._sha256 = _digest(text)
        else:
            self._named[name] = _reference(name, text)

    async def upload(self) -> Upload[Asked]:
        """Return what was received.

        Raises:
            InvalidOptions: a field is wrong or the recording is missing.
            MediaRejected: the recording is empty.
            BadRequest: `checksum_mismatch`.
        """
        asked = self._read(self._fields)
        for name, media in self._named.items():
            if self._spool is not None or len(self._named) > 1:
                raise InvalidFields({name: f"{name}: a recording was sent along as well"})
            if self._sha256:
                raise InvalidFields({SHA256: "sha256: is for a recording that is sent along"})
            return Upload(media, self._filename, asked)
        if self._spool is None:
            raise InvalidFields({self._part.name: f"{self._part.name}: the recording is missing"})
        if self._spool.size == len(self._part.head):
            raise MediaRejected("the recording has no bytes", code="empty_file")
        if self._sha256 and await self._spool.sha256() != self._sha256:
            raise BadRequest("the recording is not what its sha256 says", code="checksum_mismatch")
        return Upload(self._spool.path, self._filename, asked, tuple(file.path for file in self._long))

    async def discard(self) -> None:
        """Remove what is on disk."""
        for file in (self._spool, *self._long):
            if file is not None:
                await file.discard()

    async def _begin(self, part: MultipartSegment) -> None:
        self._name = part.name or ""
        self._text.clear()
        if self._is_long:
            if len(self._long) == MAX_LONG_TEXTS:
                raise InvalidFields({self._name: f"{self._name}: at most {MAX_LONG_TEXTS}"})
            self._long.append(SpoolFile(self._allowed.spool_dir, min_free_percent=self._allowed.min_free_percent))
        if self._name != self._part.name:
            return
        if self._spool is not None:
            raise InvalidFields({self._name: f"{self._name}: one recording at a time"})
        self._look(self._fields)
        self._filename = shown_name(part.filename or "")
        self._spool = SpoolFile(self._allowed.spool_dir, min_free_percent=self._allowed.min_free_percent)
        if self._part.head:
            await self._spool.append(self._part.head)

    @property
    def _is_long(self) -> bool:
        return bool(self._part.long) and self._name.removesuffix("[]") == self._part.long

    async def _take_long(self, event: bytes | None) -> None:
        file = self._long[-1]
        if event is None:
            await file.flush()
        elif file.size + len(event) > MAX_LONG_TEXT_BYTES:
            raise BadRequest(f"the field {self._name!r} is too long", code="form_too_large")
        else:
            await file.append(event)

    def _add_text(self, piece: bytes) -> None:
        self._text += piece
        self._field_bytes += len(piece)
        if len(self._text) > MAX_FIELD_BYTES or self._field_bytes > MAX_FIELDS_BYTES:
            raise BadRequest(f"the field {self._name[:64]!r} is too long", code="form_too_large")

    def _end_text(self) -> None:
        try:
            text = self._text.decode()
        except UnicodeDecodeError as error:
            raise InvalidFields({self._name[:64]: f"{self._name[:64]}: the text is not UTF-8"}) from error
        self.add(self._name, text)


def _reference(name: str, text: str) -> UploadId | ClipMedia | MediaUrl:
    if name == URL:
        return MediaUrl(text)
    try:
        named = UUID(text.strip())
    except ValueError as error:
        raise InvalidFields({name: f"{name}: is no id"}) from error
    return UploadId(named) if name == UPLOAD else ClipMedia(ClipId(named))


def _digest(text: str) -> str:
    if not _SHA256.fullmatch(text.strip()):
        raise InvalidFields({SHA256: "sha256: 64 hexadecimal digits"})
    return text.strip().lower()


def too_large(allowed: HttpLimits) -> MediaRejected:
    """Say that a recording exceeds the limit."""
    return MediaRejected(f"a recording may have at most {allowed.max_upload_bytes} bytes", code="too_large")
