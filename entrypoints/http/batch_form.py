"""A call with many recordings: files into the spool one after the other, what is here already or elsewhere by name."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from litestar import Request
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from application.submit_batch import BatchItem
from domain.batch import MAX_ITEMS
from domain.clip import ClipId, ClipMedia
from domain.errors import MediaRejected
from domain.fetching import MediaUrl
from domain.upload import UploadId
from entrypoints.http import limits
from entrypoints.http.errors import BadRequest, InvalidFields
from entrypoints.http.filenames import shown_name
from entrypoints.http.form import TranscribeRequest, parse_fields
from entrypoints.http.limits import HttpLimits
from entrypoints.http.spool import SpoolFile
from entrypoints.http.upload import body_of, json_fields
from entrypoints.http.upload_form import too_large

FILES, URLS, CLIPS, UPLOADS = "files", "urls", "clip_ids", "upload_ids"
_NAMED = (URLS, CLIPS, UPLOADS)


@dataclass(slots=True)
class _Received:
    """What has come so far."""

    files: list[tuple[str, SpoolFile]] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    named: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, text: str) -> None:
        plain = name.removesuffix("[]")
        (self.named if plain in _NAMED else self.fields).append((plain, text))

    def items(self) -> list[BatchItem]:
        """The recordings, files first, each kind in the order in which it came."""
        empty = MediaRejected("the recording has no bytes", code="empty_file")
        files = [BatchItem(file.path, name) if file.size else BatchItem(None, name, empty) for name, file in self.files]
        return [*files, *[BatchItem(_media(name, text), "") for name, text in self.named]]


class BatchReceiver:
    """Receives batches; what they brought is removed from the spool when the context ends, unless it was moved away."""

    def __init__(self, allowed: HttpLimits) -> None:
        self._allowed = allowed

    @asynccontextmanager
    async def receive(
        self, request: Request[Any, Any, Any], check: Callable[[TranscribeRequest], None]
    ) -> AsyncIterator[tuple[TranscribeRequest, list[BatchItem]]]:
        """Receive one call, as a form or as JSON; `check` refuses what cannot be done.

        Raises:
            BadRequest: neither, broken off, or too much text.
            InvalidOptions: a field is wrong, there are too many recordings, or none.
            MediaRejected: a recording, or all of them together, are larger than allowed.
            StorageFull: there is no room.
        """
        received = _Received()
        try:
            if request.content_type[0] == "application/json":
                for name, text in await json_fields(request):
                    received.add(name, text)
            else:
                await self._read(request, received)
            asked, items = parse_fields(received.fields), received.items()
            if not 0 < len(items) <= MAX_ITEMS:
                raise InvalidFields({FILES: f"{FILES}: a batch has 1 to {MAX_ITEMS} recordings"})
            if asked.reuse:
                raise InvalidFields({"reuse": "reuse: the tasks of a batch are its own"})
            check(asked)
            yield asked, items
        finally:
            for _, file in received.files:
                await file.discard()

    async def _read(self, request: Request[Any, Any, Any], received: _Received) -> None:
        kind, parameters = request.content_type
        if kind != "multipart/form-data" or not parameters.get("boundary"):
            raise BadRequest(f"send multipart/form-data with parts named '{FILES}', or JSON", code="unsupported_media")
        left = limits.MAX_BATCH_UPLOADS * self._allowed.max_upload_bytes + limits.MAX_FRAMING_BYTES
        parts = _Parts(self._allowed, received)
        try:
            parser = PushMultipartParser(
                parameters["boundary"],
                max_header_size=limits.MAX_PART_HEADER_BYTES,
                max_header_count=limits.MAX_PART_HEADERS,
                max_segment_count=limits.MAX_PARTS + MAX_ITEMS,
            )
            async for chunk in body_of(request):
                left -= len(chunk)
                if left < 0:
                    raise MediaRejected("the recordings are too large for one call", code="too_large")
                for event in parser.parse(chunk):
                    await parts.take(event)
            parser.close()
        except ParserLimitReached as error:
            raise BadRequest(f"too many or too large form parts: {error}", code="form_too_large") from error
        except MultipartError as error:
            raise BadRequest(f"the form cannot be read: {error}") from error


class _Parts:
    """The parts of a form as they arrive."""

    def __init__(self, allowed: HttpLimits, received: _Received) -> None:
        self._allowed = allowed
        self._received = received
        self._name = ""
        self._file: SpoolFile | None = None
        self._text = bytearray()
        self._text_bytes = 0

    async def take(self, event: MultipartSegment | bytes | None) -> None:
        """Take the parser's next event: a part's start, a piece of it, or its end."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            await self._end()
        elif self._file is None:
            self._text += event
            self._text_bytes += len(event)
            if len(self._text) > limits.MAX_FIELD_BYTES or self._text_bytes > limits.MAX_FIELDS_BYTES:
                raise BadRequest(f"the field {self._name[:64]!r} is too long", code="form_too_large")
        elif self._file.size + len(event) > self._allowed.max_upload_bytes:
            raise too_large(self._allowed)
        else:
            await self._file.append(event)

    def _begin(self, part: MultipartSegment) -> None:
        self._name = part.name or ""
        self._text.clear()
        if self._name.removesuffix("[]") != FILES:
            return
        if len(self._received.files) == MAX_ITEMS:
            raise InvalidFields({FILES: f"{FILES}: at most {MAX_ITEMS}"})
        self._file = SpoolFile(self._allowed.spool_dir, min_free_percent=self._allowed.min_free_percent)
        self._received.files.append((shown_name(part.filename or ""), self._file))

    async def _end(self) -> None:
        if self._file is not None:
            await self._file.flush()
            self._file = None
            return
        try:
            self._received.add(self._name, self._text.decode())
        except UnicodeDecodeError as error:
            raise InvalidFields({self._name[:64]: f"{self._name[:64]}: the text is not UTF-8"}) from error


def _media(name: str, text: str) -> UploadId | ClipMedia | MediaUrl:
    if name == URLS:
        return MediaUrl(text)
    try:
        named = UUID(text.strip())
    except ValueError as error:
        raise InvalidFields({name: f"{name}: {text[:64]!r} is no id"}) from error
    return UploadId(named) if name == UPLOADS else ClipMedia(ClipId(named))
