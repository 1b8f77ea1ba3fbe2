"""Answers that say what they are by an `ETag`, so that who has them already gets nothing again."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter

Shown = TypeVar("Shown")

IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description="The `ETag` of what you have: 304 says that it is still so."),
]
ETAG = ResponseHeader(name="ETag", value='"9f2c…"', description="For `If-None-Match`.", documentation_only=True)
NOT_MODIFIED: Mapping[int, ResponseSpec] = {
    304: ResponseSpec(None, generate_examples=False, description="It is as you have it.")
}
_HEADERS = {"Cache-Control": "private, no-cache"}
_encoder = msgspec.json.Encoder()


def matches(if_none_match: str | None, *tags: str) -> bool:
    """Whether the caller has one of these already (RFC 9110, section 13.1.2); tags are without quotation marks."""
    if not if_none_match:
        return False
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in given or any(f'"{tag}"' in given for tag in tags)


def not_modified(tag: str, headers: Mapping[str, str] | None = None) -> Response[Any]:
    """Say that what the caller has is still so."""
    return Response(None, status_code=304, headers={**_HEADERS, **(headers or {}), "ETag": f'"{tag}"'})


def tagged(
    body: Shown, if_none_match: str | None, *, headers: Mapping[str, str] | None = None, status_code: int = 200
) -> Response[Shown]:
    """Answer with `body` as JSON, or that it is as the caller has it."""
    encoded = _encoder.encode(body)
    tag = hashlib.blake2b(encoded, digest_size=16).hexdigest()
    if matches(if_none_match, tag):
        return not_modified(tag, headers)
    told = {**_HEADERS, **(headers or {}), "ETag": f'"{tag}"'}
    # Litestar sends bytes as they are.
    return Response(cast("Shown", encoded), media_type="application/json", headers=told, status_code=status_code)
