"""Completes the OpenAPI description: what Litestar cannot see in a signature, and an example for every JSON body.

It changes what is said, not what is done.
"""

from collections.abc import Iterator
from typing import Any

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.serialization import decode_json, encode_json

from entrypoints.http.description_streams import stream_example
from entrypoints.http.description_webhooks import described_webhooks
from entrypoints.http.problem_types import PROBLEM_JSON
from entrypoints.http.reference_schemas import Schemas

Json = dict[str, Any]
_JSON = ("application/json", PROBLEM_JSON, "multipart/form-data", "application/x-www-form-urlencoded")
_NOTHING = ("204", "304")
_PLATFORM = ("/compat/platform/", "/api/v1/speaker/")


def complete(spec: Json) -> Json:
    """Return the description with webhooks, closed request bodies, answers without a body, and examples."""
    done: Json = decode_json(encode_json(spec))
    done["webhooks"] = described_webhooks()
    _answer_by_preference(done["paths"])
    schemas = Schemas(done)
    for path, operation in _operations(done["paths"]):
        if path.startswith(_PLATFORM):
            _answer_as_the_platform(operation["responses"])
        for status, response in operation["responses"].items():
            if status in _NOTHING:
                response.pop("content", None)
        content = operation.get("requestBody", {}).get("content", {})
        for body in content.values():
            _close(done, body["schema"])
        for contents in (content, *(each.get("content", {}) for each in operation["responses"].values())):
            _show(schemas, path, contents)
    return done


class DescriptionJson(JsonRenderPlugin):
    """Serves the completed description."""

    def __init__(self) -> None:
        super().__init__()
        self._completed: Json | None = None

    def completed(self, spec: Json) -> Json:
        """Return it, made once."""
        if self._completed is None:
            self._completed = complete(spec)
        return self._completed

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        """Write it as JSON."""
        return super().render(request, self.completed(openapi_schema))


def _operations(paths: Json) -> Iterator[tuple[str, Json]]:
    for path, item in paths.items():
        for operation in item.values():
            yield path, operation


def _answer_by_preference(paths: Json) -> None:
    """Say what handing in a recording is answered with: its task, or the transcript where that was waited for."""
    formats = paths["/api/v1/result/{task_id}"]["get"]["responses"]["200"]["content"]
    for path in ("/api/v1/transcribe", "/transcribe"):
        responses = paths[path]["post"]["responses"]
        responses["202"]["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}}
        responses["200"]["content"] = formats


def _answer_as_the_platform(responses: Json) -> None:
    """Say that failures have that platform's shape, but for a path that leads nowhere, which is nobody's."""
    own = {"application/json": {"schema": {"$ref": "#/components/schemas/PlatformError"}}}
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {**own, **(response.get("content", {}) if status == "404" else {})}
    if "404" in responses:
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        responses["404"]["content"].setdefault(PROBLEM_JSON, problem)


def _close(spec: Json, schema: Json) -> None:
    """Say that fields which are not named are refused, in the body and in the objects inside it."""
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" in schema and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
        for part in schema["properties"].values():
            _close(spec, part)
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        _close(spec, part)


def _show(schemas: Schemas, path: str, contents: Json) -> None:
    for media_type, content in contents.items():
        for example in content.get("examples", {}).values():
            schemas.restore_nulls(content["schema"], example["value"])
        if content.get("examples"):
            continue
        if media_type in _JSON:
            content["examples"] = {"example": {"value": schemas.example(content["schema"])}}
        elif text := stream_example(path, media_type):
            content["examples"] = {"example": {"value": text}}
