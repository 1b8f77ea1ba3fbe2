"""What the description of the API says of OpenAI's paths, whose bodies no signature shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec import OpenAPIMediaType as MediaTypeObject
from litestar.openapi.spec.enums import OpenAPIType

from application.rendering import openai as rendering
from application.rendering.registry import FORMATS
from domain.known_speakers import MAX_KNOWN_SPEAKERS
from domain.options import Goal
from entrypoints.http.form_fields import FILE
from entrypoints.http.openai.errors import ErrorEnvelope, envelope
from entrypoints.http.openai.form import AudioFields
from entrypoints.http.openai.voices import NAMES, REFERENCES
from entrypoints.http.problem_types import KINDS
from entrypoints.http.sample import sample_transcript

_CODES = (
    "malformed_request", "invalid_options", "unauthorized", "model_not_found", "request_timeout", "too_large",
    "unsupported_media", "unsupported_language", "empty_file", "not_media", "queue_full", "internal_error",
    "model_unavailable", "storage_full",
)  # fmt: skip


def failures(*codes: str) -> Mapping[int, ResponseSpec]:
    """Describe the failures of a route, in OpenAI's envelope."""
    specs: dict[int, ResponseSpec] = {}
    for code in codes or _CODES:
        status, body = envelope(code, KINDS[code].title)
        spec = specs.setdefault(status, ResponseSpec(ErrorEnvelope, generate_examples=False, examples=[]))
        examples = cast("list[Example]", spec.examples)
        examples.append(Example(summary=code, value=msgspec.to_builtins(body)))
        spec.description = ", ".join(f"`{example.summary}`" for example in examples)
    return specs


@dataclass
class AudioOperation(Operation):
    """The form, which the handler reads itself, and the formats of the answer."""

    def __post_init__(self) -> None:
        """Add them."""
        fields = msgspec.json.schema(AudioFields)["$defs"]["AudioFields"]
        recording = {"type": "string", "format": "binary", "description": "The recording: any audio or video."}
        samples = {
            "type": "array",
            "items": {"type": "string", "description": "A data URL in base64, such as `data:audio/wav;base64,…`."},
            "maxItems": MAX_KNOWN_SPEAKERS,
            "description": f"Samples of the voices of `{NAMES}`, in their order: 1 to 30 seconds of each alone.",
        }
        form = {
            "type": "object",
            "properties": {FILE: recording, **fields["properties"], REFERENCES: samples},
            "required": [FILE, *fields["required"]],
        }
        # Litestar writes plain mappings out as they are.
        content = {"multipart/form-data": MediaTypeObject(schema=cast("Schema", form))}
        self.request_body = RequestBody(content=content, required=True)
        responses = cast("dict[str, OpenAPIResponse]", self.responses)
        responses["200"] = OpenAPIResponse(description="The text.", content=_answers())
        responses["202"] = OpenAPIResponse(description="It takes longer: `Location` tells how it goes.")


def _answers() -> dict[str, MediaTypeObject]:
    sample = sample_transcript()
    shapes = {
        "json": rendering.brief(sample),
        "verbose_json": rendering.verbose(sample, goal=Goal.TRANSCRIBE, words=True, segments=True),
        "diarized_json": rendering.diarized(sample, goal=Goal.TRANSCRIBE),
    }
    text = Schema(type=OpenAPIType.STRING)
    return {
        "application/json": MediaTypeObject(
            schema=Schema(type=OpenAPIType.OBJECT),
            examples={name: Example(value=msgspec.json.decode(body)) for name, body in shapes.items()},
        ),
        "text/event-stream": MediaTypeObject(schema=text),
        "text/plain": MediaTypeObject(schema=text, examples={"text": Example(value=rendering.flowing(sample))}),
        **{
            FORMATS[name].media_type.partition(";")[0]: MediaTypeObject(
                schema=text, examples={name: Example(value=FORMATS[name].render(sample).decode())}
            )
            for name in ("srt", "vtt")
        },
    }
