"""The two operations whose bodies Litestar cannot see in a signature: the upload form and the formats of a result."""

from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.openapi.spec import Example, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec import OpenAPIMediaType as MediaTypeObject
from litestar.openapi.spec.enums import OpenAPIType

from application.rendering.registry import FORMATS
from entrypoints.http.form import FILE, TranscribeFields
from entrypoints.http.sample import sample_transcript


@dataclass
class TranscribeOperation(Operation):
    """The upload: its handler reads the body itself, so the form is described here, by the struct that reads it."""

    def __post_init__(self) -> None:
        """Add the form."""
        components = msgspec.json.schema(TranscribeFields)["$defs"]
        fields = components["TranscribeFields"]["properties"]
        fields["format"]["enum"] = list(FORMATS)
        for name, field in fields.items():
            choices = components[field.pop("$ref").rpartition("/")[2]] if "$ref" in field else {}
            fields[name] = {**choices, **field}
        recording = {"type": "string", "format": "binary", "description": "The recording: any audio or video."}
        form = {"type": "object", "properties": {FILE: recording, **fields}, "required": [FILE]}
        # Litestar writes plain mappings out as they are.
        content = {"multipart/form-data": MediaTypeObject(schema=cast("Schema", form))}
        self.request_body = RequestBody(content=content, required=True)


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
