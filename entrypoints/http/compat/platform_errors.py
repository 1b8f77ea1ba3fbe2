"""Failures in the body that programs of the dialect `platform` read; statuses are those of every other route."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec
from litestar import Request, Response
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from msgspec import Meta, Struct

from entrypoints.http.errors import explained, headers_of
from entrypoints.http.problem_types import KINDS

_CODES = {"invalid_options": "INVALID_INPUT", "malformed_request": "INVALID_INPUT"}


class PlatformError(Struct, frozen=True, kw_only=True):
    """What is wrong."""

    error_code: Annotated[str, Meta(examples=["INVALID_INPUT"])]
    message: str
    details: Annotated[dict[str, str], Meta(description="`field` and `error`, where a field is wrong.")]


def platform_error(code: str, message: str, fields: Mapping[str, str]) -> PlatformError:
    """Write a code of the table as that program does; of several wrong fields the first is named."""
    details = next(({"field": name, "error": text.removeprefix(f"{name}: ")} for name, text in fields.items()), {})
    return PlatformError(error_code=_CODES.get(code, code.upper()), message=message, details=details)


def answer(_: Request[Any, Any, Any], error: Exception) -> Response[PlatformError]:
    """Answer any failure of a request."""
    code, detail, fields = explained(error)
    body = platform_error(code, detail, fields)
    return Response(body, status_code=KINDS[code].status, headers=headers_of(error, code))


def failures(*codes: str) -> Mapping[int, ResponseSpec]:
    """Describe the failures of a route."""
    specs: dict[int, ResponseSpec] = {}
    for code in ("malformed_request", "unauthorized", "forbidden", "internal_error", *codes):
        kind = KINDS[code]
        spec = specs.setdefault(kind.status, ResponseSpec(PlatformError, generate_examples=False, examples=[]))
        examples = cast("list[Example]", spec.examples)
        body = platform_error(code, kind.title, {})
        examples.append(Example(summary=code, value=msgspec.to_builtins(body)))
        spec.description = ", ".join(f"`{example.summary}`" for example in examples)
    return specs
