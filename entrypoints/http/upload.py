"""Receiving a recording with its form fields straight from the socket to the spool.

Litestar's own form parsing is not used: it holds text fields in memory, whatever their size. Here a request costs a
bounded amount of memory, and nothing of it is left behind unless it was received whole.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from litestar import Request
from litestar.types import HTTPReceiveMessage
from multipart import (
    MultipartError,
    ParserLimitReached,
    PushMultipartParser,
)

from entrypoints.http import limits
from entrypoints.http.errors import BadRequest
from entrypoints.http.limits import HttpLimits
from entrypoints.http.upload_form import Check, Upload, UploadForm, too_large


class UploadReceiver:
    """Receives uploads into the spool."""

    def __init__(self, allowed: HttpLimits) -> None:
        self._allowed = allowed

    @asynccontextmanager
    async def receive(self, request: Request[Any, Any, Any], check: Check) -> AsyncIterator[Upload]:
        """Receive one form; `check` sees the options before the recording is taken, and again when all are known.

        Raises:
            BadRequest: not a form, broken off, or too much text.
            InvalidOptions: a field is wrong, or `check` said so.
            MediaRejected: the recording is larger than allowed, or empty.
            StorageFull: there is no room.
        """
        form = UploadForm(self._allowed, check)
        try:
            await self._read(request, form)
            yield form.upload()
        finally:
            await form.discard()

    async def _read(self, request: Request[Any, Any, Any], form: UploadForm) -> None:
        kind, parameters = request.content_type
        if kind != "multipart/form-data" or not parameters.get("boundary"):
            raise BadRequest("send multipart/form-data with a part named 'file'", code="unsupported_media")
        left = self._allowed.max_upload_bytes + limits.MAX_FRAMING_BYTES
        if (request.content_length or 0) > left:
            raise too_large(self._allowed)
        try:
            parser = PushMultipartParser(
                parameters["boundary"],
                max_header_size=limits.MAX_PART_HEADER_BYTES,
                max_header_count=limits.MAX_PART_HEADERS,
                max_segment_count=limits.MAX_PARTS,
            )
            async for chunk in _body(request):
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


async def _body(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    while True:
        message = cast("HTTPReceiveMessage", await request.receive())
        if message["type"] == "http.disconnect":
            raise BadRequest("the connection closed before the form was complete")
        if message["body"]:
            yield message["body"]
        if not message["more_body"]:
            return
