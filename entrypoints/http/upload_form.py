"""The parts of an upload as they arrive: text fields in memory, the recording into the spool, each within its limit."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from multipart import MultipartSegment

from domain.errors import MediaRejected
from domain.options import TranscriptionOptions
from entrypoints.http.errors import BadRequest, InvalidFields
from entrypoints.http.filenames import shown_name
from entrypoints.http.form import FILE, parse_fields
from entrypoints.http.limits import MAX_FIELD_BYTES, MAX_FIELDS_BYTES, HttpLimits
from entrypoints.http.spool import SpoolFile

Check = Callable[[TranscriptionOptions], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording, received whole: a file that is removed when the context ends, unless it was moved away."""

    path: Path
    filename: str
    options: TranscriptionOptions


class UploadForm:
    """What has been received of a form so far."""

    def __init__(self, allowed: HttpLimits, check: Check) -> None:
        self._allowed = allowed
        self._check = check
        self._fields: list[tuple[str, str]] = []
        self._field_bytes = 0
        self._name = ""
        self._text = bytearray()
        self._spool: SpoolFile | None = None
        self._filename = ""

    async def take(self, event: MultipartSegment | bytes | None) -> None:
        """Take the parser's next event: a part's start, a piece of it, or its end."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif self._name == FILE and self._spool is not None:
            if event is None:
                await self._spool.flush()
            elif self._spool.size + len(event) > self._allowed.max_upload_bytes:
                raise too_large(self._allowed)
            else:
                await self._spool.append(event)
        elif event is not None:
            self._add_text(event)
        else:
            self._end_text()

    def upload(self) -> Upload:
        """Return what was received.

        Raises:
            InvalidOptions: a field is wrong or the recording is missing.
            MediaRejected: the recording is empty.
        """
        options = self._checked()
        if self._spool is None:
            raise InvalidFields({FILE: "file: the recording is missing"})
        if not self._spool.size:
            raise MediaRejected("the recording has no bytes", code="empty_file")
        return Upload(self._spool.path, self._filename, options)

    async def discard(self) -> None:
        """Remove what is on disk."""
        if self._spool is not None:
            await self._spool.discard()

    def _begin(self, part: MultipartSegment) -> None:
        self._name = part.name or ""
        self._text.clear()
        if self._name != FILE:
            return
        if self._spool is not None:
            raise InvalidFields({FILE: "file: one recording at a time"})
        self._checked()
        self._filename = shown_name(part.filename or "")
        self._spool = SpoolFile(self._allowed.spool_dir)

    def _add_text(self, piece: bytes) -> None:
        self._text += piece
        self._field_bytes += len(piece)
        if len(self._text) > MAX_FIELD_BYTES or self._field_bytes > MAX_FIELDS_BYTES:
            raise BadRequest(f"the field {self._name[:64]!r} is too long", code="form_too_large")

    def _end_text(self) -> None:
        try:
            self._fields.append((self._name, self._text.decode()))
        except UnicodeDecodeError as error:
            raise InvalidFields({self._name[:64]: f"{self._name[:64]}: the text is not UTF-8"}) from error

    def _checked(self) -> TranscriptionOptions:
        options = parse_fields(self._fields)
        self._check(options)
        return options


def too_large(allowed: HttpLimits) -> MediaRejected:
    """Say that a recording exceeds the limit."""
    return MediaRejected(f"a recording may have at most {allowed.max_upload_bytes} bytes", code="too_large")
