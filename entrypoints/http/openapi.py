"""What the API says of itself beyond its signatures: problems, the upload form, operation ids, where it is shown."""

from collections.abc import Mapping, Sequence
from typing import cast

from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    Example,
    License,
    SecurityScheme,
    Tag,
)
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from entrypoints.http.description import DescriptionJson
from entrypoints.http.problem_types import KINDS, PROBLEM_JSON, problem_type
from entrypoints.http.reference_page import ReferencePage, stylesheet
from entrypoints.http.schemas import Problem

_BEARER = "api_key"
SECURITY = [{_BEARER: list[str]()}]
_EVERYWHERE = ("malformed_request", "unauthorized", "forbidden", "rate_limited", "internal_error")
_ABOUT = """Recording in, who said what out. Hand in a recording, follow the task, fetch the transcript in any format.

Every request but the health checks carries a key: `Authorization: Bearer cq_…`. Errors are problem details
(RFC 9457) with a stable `code`; the header `X-Request-ID` of an answer finds it again in the log."""


def openapi_config(version: str) -> OpenAPIConfig:
    """Describe the API, and serve the description as a page and as JSON, neither of which needs the internet."""
    described = DescriptionJson()
    page = Router("/docs", route_handlers=[stylesheet], include_in_schema=False)
    return OpenAPIConfig(
        title="Colloquy",
        version=version,
        description=_ABOUT,
        license=License(name="MIT", identifier="MIT"),
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        components=Components(security_schemes={_BEARER: SecurityScheme(type="http", scheme="bearer")}),
        tags=[
            Tag("Transcription", "From a recording to its transcript."),
            Tag("Resumable uploads", "Large files over bad lines, by tus 1.0.0."),
            Tag("Clips", "Recordings that are kept and transcribed as often as you like."),
            Tag("Tasks", "What you have handed in."),
            Tag("Batches", "Many recordings by one call, with one status for all."),
            Tag("Speakers", "Who spoke: found anew, named, merged, corrected."),
            Tag("OpenAI", "The paths that programs written for OpenAI's audio API call."),
            Tag("Other programs", "The paths that programs written for other services call; each set has its prefix."),
            Tag("Callers", "Keys, users who log in, tokens for browsers."),
            Tag("Webhooks", "Being told, instead of asking."),
            Tag("Models", "What recognises and what tells apart."),
            Tag("Operation", "For whoever runs the service, with a key that has the scope `admin`."),
            Tag("Health", "For whoever runs the service; no key needed."),
        ],
        openapi_router=page,
        render_plugins=[ReferencePage(described.completed, path="/"), described],
    )


class _Specs(dict[int, ResponseSpec]):
    """Described once, and never changed; Litestar would copy it, examples and all, for every path of a route."""

    def __deepcopy__(self, _: object) -> "_Specs":
        return self


def problems(*codes: str) -> Mapping[int, ResponseSpec]:
    """Describe the problems that a route may answer with, beside those that every route may."""
    specs = _Specs()
    for code in (*_EVERYWHERE, *codes):
        kind = KINDS[code]
        spec = specs.setdefault(
            kind.status, ResponseSpec(Problem, generate_examples=False, media_type=PROBLEM_JSON, examples=[])
        )
        value = {"type": problem_type(code), "title": kind.title, "status": kind.status, "detail": "…", "code": code}
        examples = cast("list[Example]", spec.examples)
        examples.append(Example(summary=code, value=value))
        spec.description = ", ".join(f"`{example.summary}`" for example in examples)
    return specs


def _operation_id(handler: HTTPRouteHandler, _method: Method, path: Sequence[str | PathParameterDefinition]) -> str:
    """Name an operation after its handler; a second path of the same handler is called an alias."""
    homes = {"Health": ("health",), "OpenAI": ("v1",), "Other programs": ("compat", "asr", "detect-language")}
    home = homes.get(next(iter(handler.tags or ()), ""), ("api",))
    return handler.handler_name if path[0] in home else f"{handler.handler_name}_alias"
