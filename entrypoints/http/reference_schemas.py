"""What a reader wants to know of a JSON Schema: the values it allows in a few words, and an example."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
_STRINGS = {
    "date-time": "2026-01-31T09:30:00Z",
    "uuid": "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
    "uri": "https://example.org/",
}


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
        """Make up a value by the schema's own examples and defaults, else the plainest that it allows."""
        schema = self.resolved(schema)
        for given in ("examples", "enum"):
            if schema.get(given):
                return schema[given][0]
        for given in ("example", "const", "default"):
            if schema.get(given) not in (None, "", [], 0):
                return schema[given]
        if parts := schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf"):
            part = next((part for part in parts if part.get("type") != "null"), parts[0])
            about = {name: value for name, value in schema.items() if not name.endswith("Of")}
            return self.example({**about, **self.resolved(part)})
        if "properties" in schema:
            needed = schema.get("required", ())
            fields = schema["properties"].items()
            return {name: self.example(part) for name, part in fields if name in needed or not _unshowable(part)}
        return self._plain(schema)

    def _plain(self, schema: Json) -> object:
        kinds = schema.get("type", "null")
        match kinds[0] if isinstance(kinds, list) else kinds:
            case "array":
                return [self.example(schema["items"])] if schema.get("minItems") else []
            case "object":
                return {}
            case "string":
                shortest = "x" * schema.get("minLength", 0)
                return _STRINGS.get(schema.get("format", ""), shortest)
            case "integer" | "number":
                return schema.get("minimum", 0)
            case "boolean":
                return False
        return None

    def body(self, schema: Json) -> dict[str, object]:
        """Make up a request's body: the fields that have examples, and those that it needs."""
        whole = self.resolved(schema)
        fields = whole.get("properties", {})
        told = {name: part for name, part in fields.items() if self.resolved(part).get("examples")}
        wanted = {name: fields[name] for name in whole.get("required", ()) if name in fields}
        return {name: self.example(part) for name, part in {**wanted, **told}.items() if not _unshowable(part)}

    def restore_nulls(self, schema: Json, value: object) -> None:
        """Put back, into an example, the nulls that it must have: whoever wrote it out has left them away."""
        fields = self.resolved(schema).get("properties", {})
        if isinstance(value, dict):
            for name in self.resolved(schema).get("required", ()) if fields else ():
                value.setdefault(name, None)
            for name, part in fields.items():
                self.restore_nulls(part, value.get(name))

    def resolved(self, schema: Json) -> Json:
        """Follow the schema's reference, if it is one."""
        found: Json = schema
        for step in schema["$ref"].removeprefix("#/").split("/") if "$ref" in schema else ():
            found = self._spec[step] if found is schema else found[step]
        return found


def _unshowable(schema: Json) -> bool:
    """Whether nothing can be made up for it: bytes, or a text of a certain form."""
    return schema.get("format") == "binary" or ("pattern" in schema and not schema.get("examples"))
