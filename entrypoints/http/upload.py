"""Receiving a recording with its form fields straight from the socket to the spool.

Litestar's own form parsing is not used: it holds text fields in memory, whatever their size. Here a request costs a
bounded amount of memory, and nothing of it is left behind unless it was received whole.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar import Request
from litestar.types import HTTPReceiveMessage
from multipart import (
    MultipartError,
    ParserLimitReached,
    PushMultipartParser,
)

from domain.errors import MediaRejected, UploadRefused
from entrypoints.http import limits
from entrypoints.http.content_digest import ContentDigest
from entrypoints.http.errors import BadRequest
from entrypoints.http.form_fields import CLIP, FILE
from entrypoints.http.limits import HttpLimits
from entrypoints.http.spool import SpoolFile
from entrypoints.http.upload_form import RECORDING, Asked, Look, Part, Read, Upload, UploadForm, too_large

_Scalar = str | bool | int | float
_Value = _Scalar | None


class UploadReceiver:
    """Receives uploads into the spool."""

    def __init__(self, allowed: HttpLimits) -> None:
        self._allowed = allowed

    @asynccontextmanager
    async def receive(
        self,
        request: Request[Any, Any, Any],
        read: Read[Asked],
        look: Look | None = None,
        *,
        part: Part = RECORDING,
        clip: UUID | None = None,
    ) -> AsyncIterator[Upload[Asked]]:
        """Receive one form; `look`, or `read`, sees the fields before the recording is taken, and `read` all of them.

        `part` says which part the recording is. A `clip` that the path names needs no body; and what needs none of its
        own parts may be JSON, with the same names.

        Raises:
            BadRequest: not a form, broken off, too much text, or not what its digests say.
            InvalidOptions: a field is wrong, or `read` said so.
            MediaRejected: the recording is larger than allowed, or empty.
            StorageFull: there is no room.
        """
        form = UploadForm(self._allowed, read, look or read, part)
        try:
            if clip is not None:
                form.add(CLIP, str(clip))
            kind, _ = request.content_type
            if kind == "application/json" and part.name == FILE:
                for name, text in await json_fields(request):
                    form.add(name, text)
            elif kind or clip is None:
                await self._read(request, form, part)
            yield await form.upload()
        finally:
            await form.discard()

    @asynccontextmanager
    async def receive_raw(self, request: Request[Any, Any, Any], size: int) -> AsyncIterator[Path]:
        """Receive a body of exactly `size` bytes; the file is removed when the context ends, unless it was moved away.

        Raises:
            BadRequest: the connection broke off.
            MediaRejected, UploadRefused: it is larger, smaller.
            StorageFull: there is no room.
        """
        if (request.content_length or 0) > size:
            raise _larger_than(size)
        spool = SpoolFile(self._allowed.spool_dir, min_free_percent=self._allowed.min_free_percent)
        try:
            async for chunk in body_of(request):
                if spool.size + len(chunk) > size:
                    raise _larger_than(size)
                await spool.append(chunk)
            await spool.flush()
            if spool.size < size:
                raise UploadRefused(f"{spool.size} of {size} bytes came", code="upload_incomplete")
            yield spool.path
        finally:
            await spool.discard()

    async def _read(self, request: Request[Any, Any, Any], form: UploadForm[Any], part: Part) -> None:
        kind, parameters = request.content_type
        if kind != "multipart/form-data" or not parameters.get("boundary"):
            raise BadRequest(f"send multipart/form-data with a part named '{part.name}'", code="unsupported_media")
        left = self._allowed.max_upload_bytes + limits.MAX_FRAMING_BYTES
        if part.long:
            left += limits.MAX_LONG_TEXTS * limits.MAX_LONG_TEXT_BYTES
        if (request.content_length or 0) > left:
            raise too_large(self._allowed)
        try:
            parser = PushMultipartParser(
                parameters["boundary"],
                max_header_size=limits.MAX_PART_HEADER_BYTES,
                max_header_count=limits.MAX_PART_HEADERS,
                max_segment_count=limits.MAX_PARTS,
            )
            async for chunk in body_of(request):
                left -= len(chunk)
                if left < 0:
                    raise too_large(self._allowed)
                for event in parser.parse(chunk):
                    await form.take(event)
            parser.close()
        except ParserLimitReached as error:
            raise BadRequest(f"too many or too large form parts: {error}", code="form_too_large") from error
        except MultipartError as error:
            raise BadRequest(f"the form cannot be read: {error}") from error


def _larger_than(size: int) -> MediaRejected:
    return MediaRejected(f"{size} bytes were announced, and more came", code="too_large")


async def body_of(request: Request[Any, Any, Any], *, digested: bool = True) -> AsyncIterator[bytes]:
    """Give a body as it comes, and hold it against its `Content-Digest` if that is wanted.

    Raises:
        BadRequest: the connection broke off; `checksum_mismatch`.
    """
    digest = ContentDigest(request.headers.get("content-digest", "") if digested else "")
    while True:
        message = cast("HTTPReceiveMessage", await request.receive())
        if message["type"] == "http.disconnect":
            raise BadRequest("the connection closed before the form was complete")
        if message["body"]:
            digest.update(message["body"])
            yield message["body"]
        if not message["more_body"]:
            digest.check()
            return


async def json_fields(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    """Read a body of JSON as the fields of a form; a list is a field that is repeated.

    Raises:
        BadRequest: it is too long, or no object of texts, numbers and lists of them.
    """
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > limits.MAX_FIELDS_BYTES:
            raise BadRequest("the body is too long", code="form_too_large")
    try:
        given = msgspec.json.decode(body, type=dict[str, _Value | list[_Scalar]])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadRequest("the body is no JSON object of texts, numbers and lists of them") from error
    listed = [(name, value if isinstance(value, list) else [value]) for name, value in given.items()]
    return [(name, _text(value)) for name, values in listed for value in values if value is not None]


def _text(value: _Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
