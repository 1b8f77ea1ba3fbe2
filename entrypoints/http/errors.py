"""The answer to every failure: a problem from the table; no trace, path or query leaves here."""

from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from domain.errors import ColloquyError, InvalidOptions, TaskNotReady
from domain.task import TaskError
from entrypoints.http.problem_types import KINDS, PROBLEM_JSON, job_problem, problem_type
from entrypoints.http.schemas import FieldProblem, Problem

_log = structlog.get_logger()


_HEADERS = {
    "unauthorized": {"WWW-Authenticate": "Bearer"},
    "not_ready": {"Retry-After": "1"},
    "too_large": {"Connection": "close"},
    "form_too_large": {"Connection": "close"},
    "headers_too_large": {"Connection": "close"},
    "database_unavailable": {"Retry-After": "5"},
    "storage_unavailable": {"Retry-After": "5"},
    "model_unavailable": {"Retry-After": "60"},
    "storage_full": {"Retry-After": "60"},
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
    """There is no result; `error` says why there never will be, if so."""

    def __init__(self, detail: str, error: TaskError | None) -> None:
        super().__init__(detail)
        self.error = error


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer any failure of a request with a problem; what nobody foresaw is logged, once."""
    code, detail, fields = _explain(error)
    if code == "internal_error":
        _log.error("request_failed", exc_info=error)
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
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    headers |= _HEADERS.get(code, {})
    return Response(problem, status_code=kind.status, media_type=PROBLEM_JSON, headers=headers)


def _pointer(name: str) -> str:
    return "#/" + name.replace("~", "~0").replace("/", "~1")


def _explain(error: Exception) -> tuple[str, str, Mapping[str, str]]:
    """Return the code, the sentence, and the sentences for each field."""
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
