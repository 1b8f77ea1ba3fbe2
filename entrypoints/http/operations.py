"""The operations whose bodies Litestar cannot see in a signature: the upload form and the formats of a result."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from litestar.openapi.spec import Example, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec import OpenAPIMediaType as MediaTypeObject
from litestar.openapi.spec.enums import OpenAPIType

from application.rendering.registry import FORMATS
from domain.egress import MAX_URL
from entrypoints.http.form_fields import CLIP, FILE, SHA256, UPLOAD, URL, TranscribeFields
from entrypoints.http.sample import sample_transcript

_SHA256 = {
    "type": "string",
    "pattern": "^[0-9A-Fa-f]{64}$",
    "description": "Of the recording; what came is refused when it has another.",
}


_URL = {
    "type": "string",
    "format": "uri",
    "maxLength": MAX_URL,
    "description": "Of a recording on another server, or of a page with one, in its place: `http://` or `https://`, at "
    "a public address. It is fetched when its turn comes; what it may hold of secrets is never shown.",
}


def described_fields() -> dict[str, Any]:
    """Return the schemas of the fields of a transcription."""
    components = msgspec.json.schema(TranscribeFields)["$defs"]
    fields: dict[str, Any] = components["TranscribeFields"]["properties"]
    fields["format"]["enum"] = list(FORMATS)
    for name, field in fields.items():
        choices = components[field.pop("$ref").rpartition("/")[2]] if "$ref" in field else {}
        fields[name] = {**choices, **field}
    return fields


@dataclass
class TranscribeOperation(Operation):
    """The upload: its handler reads the body itself, so the form is described here, by the struct that reads it."""

    def __post_init__(self) -> None:
        """Add the form."""
        fields = described_fields()
        recording = {"type": "string", "format": "binary", "description": "The recording: any audio or video."}
        upload = {"type": "string", "format": "uuid", "description": "Of an upload that was sent before, in its place."}
        clip = {"type": "string", "format": "uuid", "description": "Of a clip that is kept here, in its place."}
        named = {UPLOAD: upload, CLIP: clip, URL: _URL, **fields}
        sent = {FILE: recording, SHA256: _SHA256, **named}
        # Litestar writes plain mappings out as they are.
        content = {
            kind: MediaTypeObject(
                schema=cast("Schema", {"type": "object", "properties": properties, "required": list[str]()})
            )
            for kind, properties in (("multipart/form-data", sent), ("application/json", named))
        }
        self.request_body = RequestBody(content=content, required=True)


@dataclass
class ClipOperation(Operation):
    """A new clip: its handler reads the body itself."""

    def __post_init__(self) -> None:
        """Add the form."""
        recording = {"type": "string", "format": "binary", "description": "The recording: any audio or video."}
        upload = {"type": "string", "format": "uuid", "description": "Of an upload that was sent before, in its place."}
        form = {"type": "object", "properties": {FILE: recording, SHA256: _SHA256, UPLOAD: upload}}
        content = {"multipart/form-data": MediaTypeObject(schema=cast("Schema", form))}
        self.request_body = RequestBody(content=content, required=True)


@dataclass
class RawUploadOperation(Operation):
    """An upload whose body is the recording itself."""

    def __post_init__(self) -> None:
        """Add the body."""
        recording = {"type": "string", "format": "binary"}
        content = {"application/octet-stream": MediaTypeObject(schema=cast("Schema", recording))}
        self.request_body = RequestBody(content=content, required=True)


@dataclass
class PieceOperation(Operation):
    """A piece of a resumable upload, or the beginning of one, which may bring the first."""

    def __post_init__(self) -> None:
        """Add the body."""
        piece = {"type": "string", "format": "binary"}
        content = {"application/offset+octet-stream": MediaTypeObject(schema=cast("Schema", piece))}
        self.request_body = RequestBody(content=content, required=False)


@dataclass
class ResultOperation(Operation):
    """The result: its media type depends on the format."""

    def __post_init__(self) -> None:
        """Add every format, shown on the same conversation."""
        content: dict[str, MediaTypeObject] = {}
        for name, chosen in FORMATS.items():
            body = chosen.render(sample_transcript())
            structured = name == "json"
            empty = MediaTypeObject(
                schema=Schema(type=OpenAPIType.OBJECT if structured else OpenAPIType.STRING), examples={}
            )
            about = content.setdefault(chosen.media_type.partition(";")[0], empty)
            value = msgspec.json.decode(body) if structured else body.decode()
            cast("dict[str, Example]", about.examples)[name] = Example(value=value)
        responses = cast("dict[str, OpenAPIResponse]", self.responses)
        responses["200"] = OpenAPIResponse(description="The transcript.", content=content)
