"""Writes an OpenAPI description as one page of HTML; it knows the description and nothing of the API behind it."""

import re
from collections.abc import Iterator, Sequence
from html import escape

import msgspec

from entrypoints.http.reference_markup import badge, inline, problem_table, prose
from entrypoints.http.reference_schemas import Json, Schemas

_PLACE = re.compile(r"{(\w+)}")


def render_reference(spec: Json, *, base: str, nonce: str) -> bytes:
    """Return the page for the description `spec` of a server at `base`; what it loads shows the `nonce`."""
    return "\n".join(_Page(spec, base, nonce).lines()).encode()


class _Page:
    def __init__(self, spec: Json, base: str, nonce: str) -> None:
        self._spec = spec
        self._schemas = Schemas(spec)
        self._base = base
        self._nonce = nonce
        self._operations = [
            (method.upper(), path, operation)
            for path, item in spec["paths"].items()
            for method, operation in item.items()
        ]

    def lines(self) -> Iterator[str]:
        info = self._spec["info"]
        title = f"{escape(info['title'])} API"
        yield '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>' + title + "</title>"
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f'<link rel="stylesheet" href="/docs/style.css" nonce="{self._nonce}"></head><body>'
        yield f'<nav><a class="brand" href="#top">{title}<small>{escape(info["version"])}</small></a>'
        for tag, operations in self._groups():
            yield f"<h2>{escape(tag['name'])}</h2>"
            for method, _, operation in operations:
                yield f'<a href="#{operation["operationId"]}">{badge(method)}{escape(operation["summary"])}</a>'
        yield '<h2>Reference</h2><a href="#events">What webhooks send</a><a href="#problems">Errors</a>'
        yield f'<a href="/docs/openapi.json">OpenAPI {escape(self._spec["openapi"])}</a></nav>'
        yield f'<main id="top"><h1>{title}</h1>{prose(info["description"])}'
        for tag, operations in self._groups():
            yield f'<h2>{escape(tag["name"])}</h2><p class="lead">{escape(tag["description"])}</p>'
            for method, path, operation in operations:
                yield from self._operation(method, path, operation)
        yield from self._webhooks()
        yield from problem_table()
        yield "</main></body></html>"

    def _groups(self) -> Iterator[tuple[Json, list[tuple[str, str, Json]]]]:
        for tag in self._spec["tags"]:
            own = [entry for entry in self._operations if tag["name"] in entry[2]["tags"]]
            yield tag, [entry for entry in own if not entry[2]["operationId"].endswith("_alias")]

    def _webhooks(self) -> Iterator[str]:
        yield '<h2 id="events">What webhooks send</h2><p class="lead">Each is a POST to your address, shaped and '
        yield "signed by Standard Webhooks.</p>"
        for event, item in self._spec.get("webhooks", {}).items():
            operation = item["post"]
            yield f'<article id="{operation["operationId"]}"><h3>{escape(operation["summary"])}</h3>'
            yield f'<p class="route">{badge("POST")}<code>{escape(event)}</code></p>{prose(operation["description"])}'
            headers = [(each["name"], {**each["schema"], **each}, False) for each in operation["parameters"]]
            yield from self._fields("Headers", headers)
            for content in operation["requestBody"]["content"].values():
                for example in content["examples"].values():
                    text = msgspec.json.format(msgspec.json.encode(example["value"])).decode()
                    yield f"<h4>Body</h4><pre>{escape(text)}</pre>"
            yield "</article>"

    def _operation(self, method: str, path: str, operation: Json) -> Iterator[str]:
        name = operation["operationId"]
        yield f'<article id="{name}"><h3><a href="#{name}">{escape(operation["summary"])}</a></h3>'
        aliases = [other for _, other, entry in self._operations if entry["operationId"] == f"{name}_alias"]
        also = "".join(f"<span>also <code>{escape(other)}</code></span>" for other in aliases)
        yield f'<p class="route">{badge(method)}<code>{escape(path)}</code>{also}</p>'
        yield prose(operation["description"])
        yield f"<pre>{escape(self._curl(method, path, operation))}</pre>"
        fields = [
            (parameter["name"], {**parameter["schema"], **parameter}, parameter.get("required", False))
            for parameter in operation.get("parameters", [])
        ]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            form = self._schemas.resolved(content["schema"])
            required = form.get("required", ())
            fields += [(field, schema, field in required) for field, schema in form.get("properties", {}).items()]
        yield from self._fields("Parameters", fields)
        yield "<h4>Responses</h4>"
        for status, response in sorted(operation["responses"].items()):
            yield from self._response(status, response)
        yield "</article>"

    def _curl(self, method: str, path: str, operation: Json) -> str:
        line = "curl" if method in {"GET", "POST"} else f"curl -X {method}"
        if operation.get("security"):
            line += ' -H "Authorization: Bearer $KEY"'
        bodies = operation.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in bodies:
            line += " -F file=@meeting.mp3"
        elif json := bodies.get("application/json"):
            line += f" --json '{msgspec.json.encode(self._schemas.body(json['schema'])).decode()}'"
        elif bodies:
            line += " --data-binary @meeting.mp3"
        elif method == "POST":
            line += " -X POST"
        return f"{line} \\\n  {self._base}{_PLACE.sub(lambda found: f'${found[1].upper()}', path)}"

    def _fields(self, title: str, fields: Sequence[tuple[str, Json, bool]]) -> Iterator[str]:
        if fields:
            yield f"<h4>{title}</h4><dl>{''.join(self._field(*field) for field in fields)}</dl>"

    def _field(self, name: str, schema: Json, required: bool) -> str:  # noqa: FBT001 - private
        facts = [self._schemas.kind(schema), "required" if required else ""]
        if schema.get("default") not in (None, "", []):
            facts.append(f"default {msgspec.json.encode(schema['default']).decode()}")
        said = escape(", ".join(filter(None, facts)))
        about = inline(schema.get("description", ""))
        return f"<dt><code>{escape(name)}</code><small>{said}</small></dt><dd>{about}</dd>"

    def _response(self, status: str, response: Json) -> Iterator[str]:
        good = status < "400"
        yield f"<details {'class=good open' if good else 'class=bad'}>"
        yield f"<summary><b>{status}</b> {inline(response['description'])}</summary>"
        for header, about in response.get("headers", {}).items():
            yield f"<p><code>{escape(header)}</code> {inline(about.get('description', ''))}</p>"
        for media_type, content in response.get("content", {}).items():
            shown = content.get("examples") or {"": {"value": self._schemas.example(content["schema"])}}
            for name, example in shown.items():
                value = example["value"]
                text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
                title = example.get("summary", name)
                yield f'<p class="media">{escape(media_type)} <b>{escape(title)}</b></p><pre>{escape(text)}</pre>'
            schema = self._schemas.resolved(content["schema"])
            if good and "properties" in schema:
                said = [(name, part, False) for name, part in schema["properties"].items() if "description" in part]
                yield from self._fields("Fields", said)
        yield "</details>"
