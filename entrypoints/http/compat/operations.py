"""What the description of the API says of the forms that other programs send, which no signature shows."""

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType as MediaTypeObject
from litestar.openapi.spec import OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from msgspec import Struct

from entrypoints.http.compat.fields import JobFields
from entrypoints.http.form_fields import FILE
from entrypoints.http.upload_form import Part

TAG = "Other programs"
FAILURES = (
    "invalid_options", "unsupported_language", "empty_file", "not_media", "not_found", "request_timeout", "too_large",
    "form_too_large", "unsupported_media", "model_not_found", "model_unavailable", "queue_full", "too_many_queued",
    "storage_full", "wrong_state",
)  # fmt: skip
"""Of routes that take a recording."""


@dataclass
class FormOperation(Operation):
    """A recording, and the fields of `fields` beside it."""

    recording: ClassVar[Part] = Part(FILE)
    fields: ClassVar[type[Struct] | None] = JobFields

    def __post_init__(self) -> None:
        """Add the form."""
        media = {"type": "string", "format": "binary", "description": "The recording: any audio or video."}
        beside: dict[str, Any] = {}
        if self.fields is not None:
            beside = msgspec.json.schema(self.fields)["$defs"][self.fields.__name__]["properties"]
        part = self.recording.name
        form = {"type": "object", "properties": {part: media, **beside}, "required": [part]}
        # Litestar writes plain mappings out as they are.
        content = {"multipart/form-data": MediaTypeObject(schema=cast("Schema", form))}
        self.request_body = RequestBody(content=content, required=True)


@dataclass
class FileOperation(FormOperation):
    """A recording, and nothing beside it."""

    fields: ClassVar[type[Struct] | None] = None


@dataclass
class AudioFileOperation(FormOperation):
    """A recording that is called `audio_file`."""

    recording: ClassVar[Part] = Part("audio_file")


@dataclass
class DetectOperation(FileOperation):
    """Nothing but an `audio_file`."""

    recording: ClassVar[Part] = Part("audio_file")


@dataclass
class AsrOperation(DetectOperation):
    """The same, answered with bare text."""

    def __post_init__(self) -> None:
        """Add the form, and the text."""
        super().__post_init__()
        responses = cast("dict[str, OpenAPIResponse]", self.responses)
        text = MediaTypeObject(schema=Schema(type=OpenAPIType.STRING))
        responses["200"] = OpenAPIResponse(
            description="The text, in the format asked for.", content={"text/plain": text}
        )
