"""A-15, A-18, O-11: an API and a worker at work and in trouble, with secrets everywhere; then every line is read.

Standard error of each process and the files in LOG_FOLDER; what engines' processes say is among it.
"""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.settings import PROJECT
from tests.e2e.cluster import Cluster, until
from tests.infrastructure.test_log_shipping import mapped
from tests.servers.collector import Collector
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.webhook_receiver import Receiver, Reply

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
CONVERSATION = PROJECT / "tests" / "data" / "conversation.flac"
GIVEN = "edge-given.0123456789"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
EVIL = "\x1b[31mred\u202e\u2028forged\u0085\x7f"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass
class Installation:
    """What was left of it: every line by where it stood, the secrets it knew, and what others were sent by it."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    canaries: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    spans: list[Any] = field(default_factory=list)
    instances: set[str] = field(default_factory=set)
    task: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for lines in self.lines.values() for line in lines]


def canary(kind: str, prefix: str = "") -> str:
    return f"{prefix}{kind}{secrets.token_hex(12)}"


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, redis: RedisServer
) -> Iterator[Installation]:
    tmp, seen = tmp_path_factory.mktemp("logs"), Installation()
    known = seen.canaries = {
        "the database's password": canary("db"),
        "the installation's secret": base64.b64encode(secrets.token_bytes(32)).decode(),
        "the hub's token": canary("hub", "hf_"),
        "the store's secret": canary("store"),
        "the collector's key": canary("collector"),
        "a password": canary("Pass word "),
        "a wrong key": canary("wrong", "cq_"),
        "a token in the query": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ." + canary("sig"),
        "a signature in a URL": canary("presigned"),
        "a secret in a webhook's path": canary("hook"),
        "what a receiver answers": canary("answer"),
    }
    with (
        Receiver() as receiver,
        Collector() as collector,
        postgres.database() as database,
        Cluster(
            tmp,
            database_url=database.replace("tests@", f"tests:{known[_DB]}@"),
            queue_url=redis.url(),
            INSTALLATION_SECRET=known["the installation's secret"],
            MODELS_HUB_TOKEN=known["the hub's token"],
            S3_SECRET_KEY=known["the store's secret"],
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="x-key=" + known["the collector's key"],
            ASR_SCRIPT="raise@2x1",
            EGRESS_ALLOW="127.0.0.1",
            WEBHOOKS_ALLOW_HTTP="true",
            LOG_FORMAT="json",
            LOG_FOLDER=str(tmp / "files"),
            LOG_LEVEL="debug",
        ) as cluster,
    ):  # fmt: skip
        replies = iter([Reply(500, body=known["what a receiver answers"].encode())])
        receiver.reply = lambda _: next(replies, Reply(200))
        api, worker = cluster.api(), cluster.worker()
        known["the key"] = api.key
        with api.client() as client:
            _at_work(client, receiver, seen)
            _in_trouble(client, seen)
            until(lambda: _ended(client), seconds=60, what="ends")
        api.stop()
        worker.stop()
        seen.told = {each.headers["x-request-id"] for each in receiver.of(f"/{known[_HOOK]}?token=x")}
        seen.spans = list(collector.spans)
        seen.instances = {each["service.instance.id"] for each in collector.resources}
        seen.lines = {"api": api.log.splitlines(), "worker": worker.log.splitlines()} | {
            path.name: path.read_text(encoding="utf-8").splitlines() for path in (tmp / "files").glob("*.log")
        }
        yield seen


_DB, _HOOK = "the database's password", "a secret in a webhook's path"


def _ended(client: httpx.Client) -> bool:
    return all(task["status"] in {"done", "error"} for task in client.get("/api/v1/tasks").json()["tasks"])


def _at_work(client: httpx.Client, receiver: Receiver, seen: Installation) -> None:
    """Hand in a recording by name of its request, under a webhook, and wait for the end of both."""
    made = client.post("/api/v1/webhooks", json={"url": receiver.url(f"/{seen.canaries[_HOOK]}?token=x")}).json()
    seen.canaries["what signs webhooks"] = made["secret"]
    name = f'form-data; name="file"; filename="{EVIL}.flac"'.encode()
    body = b"--edge\r\nContent-Disposition: " + name + b"\r\n\r\n" + CONVERSATION.read_bytes() + b"\r\n--edge--\r\n"
    answer = client.post(
        "/api/v1/transcribe",
        content=body,
        headers={
            "content-type": "multipart/form-data; boundary=edge",
            "x-request-id": GIVEN,
            "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
        },
    )
    assert (answer.status_code, answer.headers["x-request-id"]) == (202, GIVEN), answer.text
    seen.task = answer.json()["task_id"]
    where = f"/{seen.canaries[_HOOK]}?token=x"
    until(lambda: len(receiver.of(where)) >= 3, seconds=60, what="webhook")
    until(lambda: client.get(f"/api/v1/status/{seen.task}").json()["status"] == "done", seconds=30, what="end")


def _in_trouble(client: httpx.Client, seen: Installation) -> None:
    """Do everything wrong, with a secret in hand each time."""
    known = seen.canaries
    wrong = {"authorization": f"Bearer {known['a wrong key']}"}
    assert client.get("/api/v1/tasks", headers=wrong).status_code == 401
    assert client.get("/api/v1/tasks", params={"access_token": known["a token in the query"]}).status_code in {200, 401}
    for path in (f"/api/v1/{EVIL}", f"/api/v1/status/{known['a wrong key']}", "/%0a%1b[31m?password=" + known[_DB]):
        with suppress(httpx.InvalidURL):
            assert client.get(path, headers=wrong).status_code in {401, 404}
    assert client.post("/api/v1/keys", content=b'{"name": "' + known["the hub's token"].encode()).status_code == 400
    odd = client.post("/api/v1/keys", json={"name": "red\u202e"}, headers={"x-request-id": "evil id; \\n[31m"})
    assert "evil" not in odd.headers["x-request-id"]
    client.post("/api/v1/auth/login", json={"email": "a@example.org", "password": known["a password"]})
    address = f"http://127.0.0.1:9/call.wav?X-Amz-Signature={known['a signature in a URL']}"
    client.post("/api/v1/transcribe", data={"url": address})
    with CONVERSATION.open("rb") as media:  # whose engine fails at first
        client.post("/api/v1/transcribe", files={"file": ("b.flac", media)})


def test_a15_no_secret_stands_in_any_line(installation: Installation) -> None:
    everything = {where: "\n".join(lines) for where, lines in installation.lines.items()}
    found = [
        (what, where)
        for what, value in installation.canaries.items()
        for where, text in everything.items()
        if value in text or value.split()[-1] in text
    ]
    assert found == []
    assert "engine call failed" in everything["worker"]  # there was trouble, with traces
    assert "Traceback" in everything["worker"]


def test_a18_one_event_is_one_line_and_nothing_steers(installation: Installation) -> None:
    for where, lines in installation.lines.items():
        assert lines, where
        for line in lines:
            event = json.loads(line)
            assert {"@timestamp", "log.level", "message", "ecs.version", "service.name", "process.pid"} <= set(event)
            assert not CONTROLS.search(line), where
            assert not any(CONTROLS.search(value) for value in event.values() if isinstance(value, str)), event


def test_o11_one_id_goes_from_the_edge_to_the_webhook(installation: Installation) -> None:
    mine = [event for event in installation.events if event.get("http.request.id") == GIVEN]
    (request,) = [event for event in mine if event["event.action"] == "request" and event["process.name"] == "api"][:1]
    assert request["http.response.status_code"] == 202
    assert (request["url.path"], request["client.ip"]) == ("/api/v1/transcribe", "127.0.0.1")
    assert request["user.id"]
    assert request["http.request.body.bytes"] > CONVERSATION.stat().st_size
    by_process: dict[str, set[str]] = {}
    for event in mine:
        by_process.setdefault(event["process.name"], set()).add(event["event.action"])
    assert {"task_claimed", "task_left", "webhook_delivered"} <= by_process["worker"]
    assert "engine_call" in by_process["engine"]
    calls = {event["colloquy.call"] for event in mine if event["event.action"] == "engine_call"}
    assert {"speech", "transcribe", "diarize"} <= calls
    assert len({event["process.pid"] for event in mine}) >= 5  # an API, a worker, three engines
    assert all(event["colloquy.task_id"] == installation.task for event in mine if event["process.name"] == "engine")
    assert GIVEN in installation.told


def test_o11_files_hold_what_standard_error_does(installation: Installation) -> None:
    assert installation.lines["api.log"] == installation.lines["api"]
    assert installation.lines["worker.log"] == installation.lines["worker"]


def test_o11_every_line_is_as_elasticsearch_maps_it(installation: Installation) -> None:
    template = json.loads(
        Path(PROJECT / "infrastructure" / "observability" / "elasticsearch" / "index-template.json").read_text()
    )
    types = dict(mapped(template["template"]["mappings"]["properties"]))
    fits = {"long": int, "float": int | float, "boolean": bool}
    for event in installation.events:
        for name, value in event.items():
            assert name in types, (name, event)
            assert isinstance(value, fits.get(types[name], str)), (name, value)
            assert not (isinstance(value, bool) and types[name] != "boolean"), (name, value)


def test_a_trace_holds_what_api_and_worker_did(installation: Installation) -> None:
    mine = {span.name: span for span in installation.spans if span.trace_id.hex() == TRACE}
    assert {
        "POST /api/v1/transcribe", "submit", "store blob", "attempt", "read blob", "decode", "detect speech",
        "recognise window", "diarize", "webhook",
    } <= set(mine)  # fmt: skip
    server, attempt = mine["POST /api/v1/transcribe"], mine["attempt"]
    assert server.parent_span_id.hex() == "00f067aa0ba902b7"
    assert mine["submit"].parent_span_id == attempt.parent_span_id == server.span_id
    assert mine["decode"].parent_span_id == attempt.span_id
    assert len(installation.instances) == 2
    claimed = [event for event in installation.events if event.get("event.action") == "task_claimed"]
    assert any((event["trace.id"], event["span.id"]) == (TRACE, attempt.span_id.hex()) for event in claimed)
    words = " ".join(str(each.value) for span in installation.spans for each in span.attributes)
    assert not any(value in words for value in installation.canaries.values())
    assert "red" not in words
