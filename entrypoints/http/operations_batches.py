"""The call that hands in many recordings: its handler reads the body itself, so it is described here."""

from dataclasses import dataclass
from typing import Any, cast

from litestar.openapi.spec import OpenAPIMediaType as MediaTypeObject
from litestar.openapi.spec import Operation, RequestBody, Schema

from domain.batch import MAX_ITEMS
from entrypoints.http.batch_form import CLIPS, FILES, UPLOADS, URLS
from entrypoints.http.operations import described_fields


@dataclass
class BatchOperation(Operation):
    """A batch: files, or names of what is elsewhere, and the fields of a transcription."""

    def __post_init__(self) -> None:
        """Add the form, and the JSON that may take its place."""
        files = _list({"type": "string", "format": "binary"}, "The recordings: any audio or video.")
        named = {
            URLS: _list({"type": "string"}, "Where to fetch recordings from."),
            CLIPS: _list({"type": "string", "format": "uuid"}, "Clips that are kept here."),
            UPLOADS: _list({"type": "string", "format": "uuid"}, "Of uploads that were sent before."),
            **described_fields(),
        }
        del named["reuse"]
        content = {
            kind: MediaTypeObject(schema=cast("Schema", {"type": "object", "properties": properties}))
            for kind, properties in (("multipart/form-data", {FILES: files, **named}), ("application/json", named))
        }
        self.request_body = RequestBody(content=content, required=True)


def _list(item: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "items": item, "maxItems": MAX_ITEMS, "description": description}
