"""The answer to every failure: a problem from the table; no trace, path or query leaves here."""

from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from domain.errors import ColloquyError, InvalidOptions, QuotaExceeded, TaskNotReady
from domain.task import TaskError
from entrypoints.http.problem_types import KINDS, PROBLEM_JSON, job_problem, problem_type
from entrypoints.http.schemas import FieldProblem, Problem

_log = structlog.get_logger()


_HEADERS = {
    "unauthorized": {"WWW-Authenticate": "Bearer"},
    "not_ready": {"Retry-After": "1"},
    "request_timeout": {"Connection": "close"},
    "too_large": {"Connection": "close"},
    "form_too_large": {"Connection": "close"},
    "headers_too_large": {"Connection": "close"},
    "database_unavailable": {"Retry-After": "5"},
    "storage_unavailable": {"Retry-After": "5"},
    "model_unavailable": {"Retry-After": "60"},
    "storage_full": {"Retry-After": "60"},
    "queue_full": {"Retry-After": "30"},  # a place comes free when a task is begun
    "too_many_queued": {"Retry-After": "30"},
}
_CODE_OF_STATUS = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed", 413: "form_too_large"}


class BadRequest(ColloquyError):
    """The request cannot be read or is not of a kind that is served."""

    code = "malformed_request"


class InvalidFields(InvalidOptions):
    """Named fields are wrong; each with its own sentence."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(fields.values()))
        self.fields = fields


class ResultNotReady(TaskNotReady):
    """There is no result; `error` says why there never will be, if so, and `retry_after` when to ask again, if ever."""

    def __init__(self, detail: str, error: TaskError | None, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.error = error
        self.retry_after = retry_after


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer any failure of a request with a problem."""
    code, detail, fields = explained(error)
    kind = KINDS[code]
    cause = error.error if isinstance(error, ResultNotReady) else None
    problem = Problem(
        type=problem_type(code),
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=code,
        instance=request.scope["path"],
        request_id=request.scope["state"].get("request_id", ""),
        errors=[FieldProblem(detail=text, pointer=_pointer(name)) for name, text in fields.items()],
        error=job_problem(cause) if cause else None,
    )
    return Response(problem, status_code=kind.status, media_type=PROBLEM_JSON, headers=headers_of(error, code))


def explained(error: Exception) -> tuple[str, str, Mapping[str, str]]:
    """Return the code, the sentence, and the sentences for each field; what nobody foresaw is logged, once."""
    code, detail, fields = _explain(error)
    if code == "internal_error":
        _log.error("request_failed", exc_info=error)
    return code, detail, fields


def headers_of(error: Exception, code: str) -> dict[str, str]:
    """Return what the answer's headers must say of a failure."""
    if isinstance(error, ResultNotReady):
        return {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    own = {"Retry-After": str(error.retry_after)} if isinstance(error, QuotaExceeded) else {}
    return {**((isinstance(error, HTTPException) and error.headers) or {}), **_HEADERS.get(code, {}), **own}


def _pointer(name: str) -> str:
    return "#/" + name.replace("~", "~0").replace("/", "~1")


def _explain(error: Exception) -> tuple[str, str, Mapping[str, str]]:
    match error:
        case InvalidFields():
            return error.reason, error.detail, error.fields
        case ColloquyError() if error.reason in KINDS:
            return error.reason, error.detail, {}
        case ValidationException():
            extra: Any = error.extra if isinstance(error.extra, list) else []
            fields = {str(item.get("key", "")): f"{item.get('key')}: {item.get('message')}" for item in extra}
            return "invalid_options", "; ".join(fields.values()) or "a parameter is not valid", fields
        case HTTPException() if code := _CODE_OF_STATUS.get(error.status_code):
            return code, KINDS[code].title, {}
        case _:
            return "internal_error", "the request failed; the log knows it by its request_id", {}
