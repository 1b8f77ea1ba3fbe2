"""What tus 1.0.0 says in headers: read and written here, so that nothing else of the API knows of it."""

import base64
import binascii
import re
from email.utils import format_datetime
from typing import Any

from litestar import Request
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import HttpMethod, ScopeType
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from application.resume_upload import Standing
from domain.resumable import ALGORITHMS, Checksum
from entrypoints.http.errors import BadRequest
from entrypoints.http.filenames import shown_name

PATH = "/api/v1/tus"
VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination"
PIECE = "application/offset+octet-stream"
_PRECONDITION_FAILED = 412
_NUMBER = re.compile(r"\d{1,15}")
_PAIR = re.compile(r"([\x21-\x2b\x2d-\x7e]+)(?: ([A-Za-z0-9+/=]*))?")
_METHODS = {"DELETE", "HEAD", "PATCH"}


class TusProtocol:
    """Wraps the application: every answer below the path names the version, errors too.

    It tells what there is to whoever asks, for browsers ask before they show a key; and it lets methods be overridden,
    since some networks let no others through than GET and POST.
    """

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._offer = {
            "Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(largest),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != ScopeType.HTTP or not f"{scope['path']}/".startswith(f"{PATH}/"):
            await self._app(scope, receive, send)
            return
        wanted = Headers.from_scope(scope).get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and wanted in _METHODS:
            scope["method"] = HttpMethod(wanted).value

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                headers["tus-resumable"] = VERSION
                if message["status"] == _PRECONDITION_FAILED:
                    headers["tus-version"] = VERSION
            await send(message)

        if scope["method"] == "OPTIONS":
            await ASGIResponse(status_code=204, headers=self._offer)(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)


def require_version(request: Request[Any, Any, Any]) -> None:
    """Refuse other versions of the protocol.

    Raises:
        BadRequest: `tus_version`.
    """
    if request.headers.get("tus-resumable") != VERSION:
        raise BadRequest(f"send Tus-Resumable: {VERSION}", code="tus_version")


def number(request: Request[Any, Any, Any], name: str) -> int | None:
    """Return what a header counts, None where it is missing.

    Raises:
        BadRequest: it is no number.
    """
    text = request.headers.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise BadRequest(f"{name}: a whole number of bytes")
    return int(text)


def offset(request: Request[Any, Any, Any]) -> int:
    """Return where a piece begins.

    Raises:
        BadRequest: it is not told.
    """
    found = number(request, "Upload-Offset")
    if found is None:
        raise BadRequest("send Upload-Offset")
    return found


def declared_length(request: Request[Any, Any, Any]) -> int | None:
    """Return the length of a new upload, None where it comes later.

    Raises:
        BadRequest: it is neither told nor put off, or both.
    """
    length, later = number(request, "Upload-Length"), request.headers.get("upload-defer-length")
    if later not in {None, "1"} or (length is None) == (later is None):
        raise BadRequest("send Upload-Length, or Upload-Defer-Length: 1")
    if "upload-concat" in request.headers:
        raise BadRequest("Upload-Concat is not supported")
    return length


def metadata(request: Request[Any, Any, Any]) -> tuple[str, str]:
    """Return the upload's metadata as it is written, and the file name in it.

    Raises:
        BadRequest: it cannot be read.
    """
    raw = request.headers.get("upload-metadata", "").strip()
    name = ""
    for pair in raw.split(",") if raw else ():
        found = _PAIR.fullmatch(pair.strip())
        if not found:
            raise BadRequest("Upload-Metadata: write `name BASE64, …`")
        text = _decoded("Upload-Metadata", found[2] or "")
        if found[1] == "filename":
            name = text.decode(errors="replace")
    return raw, shown_name(name)


def checksum(request: Request[Any, Any, Any]) -> Checksum | None:
    """Return what the piece's digest must be, None where nothing is said.

    Raises:
        BadRequest: it cannot be read, or the algorithm is not supported.
    """
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, digest = text.partition(" ")
    if algorithm not in ALGORITHMS:
        raise BadRequest(f"Upload-Checksum: the algorithm is one of {', '.join(ALGORITHMS)}")
    return Checksum(algorithm, _decoded("Upload-Checksum", digest.strip()))


def require_piece(request: Request[Any, Any, Any]) -> None:
    """Refuse bodies of another kind.

    Raises:
        BadRequest: `unsupported_media`.
    """
    if request.content_type[0] != PIECE:
        raise BadRequest(f"send Content-Type: {PIECE}", code="unsupported_media")


def standing_headers(standing: Standing) -> dict[str, str]:
    """Say how far an upload is, and until when it can be gone on with."""
    expires = format_datetime(standing.upload.expires_at, usegmt=True)
    return {"Upload-Offset": str(standing.offset), "Upload-Expires": expires}


def upload_headers(standing: Standing) -> dict[str, str]:
    """Say what is known of an upload."""
    upload = standing.upload
    length = {"Upload-Defer-Length": "1"} if upload.length is None else {"Upload-Length": str(upload.length)}
    told = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
    return {**standing_headers(standing), **length, **told}


def _decoded(header: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadRequest(f"{header}: its value is not base64") from error
