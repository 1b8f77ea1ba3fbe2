"""What a reader wants to know of a JSON Schema: the values it allows in a few words, and an example."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


class Schemas:
    """The schemas of one OpenAPI description."""

    def __init__(self, spec: Json) -> None:
        self._spec = spec

    def kind(self, schema: Json) -> str:
        """Say in a few words what values a schema allows."""
        schema = self.resolved(schema)
        if choices := schema.get("enum"):
            return " | ".join(map(str, choices))
        if parts := schema.get("oneOf") or schema.get("anyOf"):
            return " or ".join(self.kind(part) for part in parts)
        if schema.get("type") == "array":
            return f"list of {self.kind(schema['items'])}"
        given = schema.get("format") or schema.get("type", "object")
        kind = " or ".join(given) if isinstance(given, list) else str(given)
        low, high = schema.get("minimum"), schema.get("maximum")
        return f"{kind} {low:g} to {high:g}" if low is not None and high is not None else kind

    def example(self, schema: Json) -> object:
        """Make up a value by the schema's own examples."""
        schema = self.resolved(schema)
        if examples := schema.get("examples"):
            return examples[0]
        for part in schema.get("oneOf", []):
            return None if part.get("type") == "null" else self.example(part)
        if "properties" in schema:
            return {name: self.example(part) for name, part in schema["properties"].items()}
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        return "2026-01-31T09:30:00Z" if schema.get("format") == "date-time" else None

    def resolved(self, schema: Json) -> Json:
        """Follow the schema's reference, if it is one."""
        found: Json = schema
        for step in schema["$ref"].removeprefix("#/").split("/") if "$ref" in schema else ():
            found = self._spec[step] if found is schema else found[step]
        return found
