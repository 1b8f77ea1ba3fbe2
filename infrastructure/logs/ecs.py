"""An event as one line of JSON in Elastic Common Schema; what the schema has no name for stands under `colloquy.`.

Index templates name these fields (`infrastructure/observability/elasticsearch`): a field has one type for ever.
"""

import msgspec

from infrastructure.logs.event import Event

ECS_VERSION = "8.17.0"
FIELDS = {
    "logger": "log.logger",
    "pid": "process.pid",
    "process": "process.name",
    "request_id": "http.request.id",
    "method": "http.request.method",
    "route": "url.path",
    "url": "url.full",
    "status": "http.response.status_code",
    "received": "http.request.body.bytes",
    "sent": "http.response.body.bytes",
    "client": "client.ip",
    "owner": "user.id",
    "caller": "user.name",
    "error_type": "error.type",
    "error": "error.message",
    "code": "error.code",
    "trace": "error.stack_trace",
    "trace_id": "trace.id",
    "span_id": "span.id",
}
OWN = "colloquy."
_NANOSECONDS = 1_000_000
_encoder = msgspec.json.Encoder()


class EcsLines:
    """Writes events of the process `name` on `host` in JSON."""

    def __init__(self, *, name: str, host: str, release: str, pid: int) -> None:
        self._common = {
            "ecs.version": ECS_VERSION,
            "service.name": "colloquy",
            "service.version": release,
            "service.node.name": f"{host}/{name}",
            "process.name": name,
            "process.pid": pid,
        }

    def __call__(self, event: Event) -> str:
        """Return the line, without its end."""
        fields = dict(event)
        what = str(fields.pop("event", ""))
        line: Event = {
            "@timestamp": fields.pop("timestamp", ""),
            "log.level": fields.pop("level", "info"),
            "message": what.replace("_", " ") if "logger" not in fields else what,
        }
        if "logger" not in fields:  # a library's words are no name of an event
            line["event.action"] = what.replace(" ", "_")
        line |= self._common
        if (milliseconds := fields.pop("milliseconds", None)) is not None:
            line["event.duration"] = int(milliseconds * _NANOSECONDS)
        for name, value in fields.items():
            line[FIELDS.get(name) or OWN + name] = value
        return _encoder.encode(line).decode()
