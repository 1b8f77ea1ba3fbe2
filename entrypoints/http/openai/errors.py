"""Failures in OpenAI's envelope, from which alone its client reads what is wrong."""

from typing import Any

from litestar import Request, Response
from msgspec import Struct

from entrypoints.http.calls import JobFailed
from entrypoints.http.errors import explained, headers_of
from entrypoints.http.problem_types import KINDS

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What is wrong: `param` names the field, where it is one's."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(Struct, frozen=True, kw_only=True):
    """OpenAI's answer to every failure."""

    error: ErrorBody


def envelope(code: str, message: str, param: str | None = None) -> tuple[int, ErrorEnvelope]:
    """Return the status and the body for a code of the table; options that are wrong are a 400 at OpenAI."""
    status = 400 if code == "invalid_options" else KINDS[code].status
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")  # noqa: PLR2004 - HTTP's
    return status, ErrorEnvelope(error=ErrorBody(message=message, type=kind, param=param, code=code))


def answer(_: Request[Any, Any, Any], error: Exception) -> Response[ErrorEnvelope]:
    """Answer any failure of a request."""
    code, detail, fields = explained(error)
    status, body = envelope(code, detail, next(iter(fields), None))
    headers = headers_of(error, code)
    if isinstance(error, JobFailed):
        headers["x-should-retry"] = "false"
    return Response(body, status_code=status, headers=headers)
