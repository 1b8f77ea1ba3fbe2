"""A-11: a real Caddy, configured as shipped, before the real service: what it keeps out, and what it lets pass."""

import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from websockets.sync.client import connect

from entrypoints.http.rates import Zone, zone_of
from tests.e2e.service import Service
from tests.entrypoints.http_routes import WEBSOCKET, every_route
from tests.entrypoints.http_service import Api
from tests.servers.caddy import NAME, CaddyServer
from tests.servers.ports import free_port, wait_until

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
LARGEST = 1_000_000
HEALTH = 4
PATIENCE = 1
HSTS = "max-age=31536000"
SETTINGS = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ASR_SCRIPT": "sleep:0.6", "ENGINE_WINDOW_SECONDS": "3",
    "API_TRUSTED_PROXIES": "127.0.0.1", "MAX_FILE_SIZE": str(LARGEST), "LIMIT_HEALTH": str(HEALTH),
}  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


class Place(NamedTuple):
    """The service and what stands before it."""

    service: Service
    edge: CaddyServer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    port = free_port()
    service = Service(tmp_path_factory.mktemp("edge") / "data", API_PORT=str(port), **SETTINGS)
    edge = CaddyServer(port, MAX_FILE_SIZE=str(LARGEST), EDGE_PATIENCE=f"{PATIENCE}s")
    with service, edge:
        yield Place(service, edge)


@pytest.fixture
def caller(place: Place) -> Iterator[httpx.Client]:
    with place.edge.client(place.service.key) as client:
        yield client


def problem(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    told = dict(answer.json())
    assert told["status"] == answer.status_code
    assert told["request_id"] == answer.headers["x-request-id"]
    return told


def submitted(client: httpx.Client) -> str:
    with CONVERSATION.open("rb") as media:
        answer = client.post("/api/v1/transcribe", files={"file": ("a.flac", media)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_a11_each_answer_is_encrypted_and_closed_and_says_so_once(place: Place, caller: httpx.Client) -> None:
    with httpx.Client(trust_env=False) as plain:
        moved = plain.get(f"http://127.0.0.1:{place.edge.plain_port}/docs?a=b", headers={"Host": NAME})
        assert (moved.status_code, moved.headers["location"]) == (308, f"https://{NAME}/docs?a=b")
    own, passed = caller.get("/metrics"), caller.get("/api/v1/tasks")
    assert (own.status_code, passed.status_code) == (404, 200)
    for answer in (own, passed, caller.get("/api/v1/tasks?limit=0"), caller.get("/docs")):
        names = [name.lower() for name, _ in answer.headers.raw]
        assert len(set(names)) == len(names), "and not once by each"
        assert answer.headers["strict-transport-security"] == HSTS
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["alt-svc"].startswith(f'h3=":{place.edge.port}"')
        assert not {"server", "via"} & set(names)
    packed = caller.get("/docs/openapi.json", headers={"Accept-Encoding": "zstd, gzip"})
    assert packed.headers["content-encoding"] in {"zstd", "gzip"}
    assert "content-encoding" not in passed.headers, "what is private has no length to compare"
    assert f"https://{NAME}/api/v1/" in caller.get("/docs").text, "the reference knows how it is reached"


def test_a11_who_can_speaks_http2(place: Place) -> None:
    curl = shutil.which("curl")
    assert curl is not None, "the tests need curl: apt-get install curl"
    command = [
        curl, "-sS", "--http2", "--cacert", str(place.edge.authority), "-o", "/dev/null", "-w", "%{http_version}",
        "--resolve", f"{NAME}:{place.edge.port}:127.0.0.1", f"https://{NAME}:{place.edge.port}/health/live",
    ]  # fmt: skip
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout == "2"


def test_a11_the_numbers_of_the_service_are_nobodys(place: Place, caller: httpx.Client) -> None:
    for path in ("/metrics", "/metrics/", "/metrics?x=1", "/%6detrics", "/%2fmetrics", "/METRICS", "/metrics/x"):
        assert problem(caller.get(path))["code"] == "not_found", path
    assert place.service.log.count('"route": "/metrics"') == 0, "none of these got through"


def test_a11_what_is_too_large_is_a_problem_by_whichever_layer(caller: httpx.Client) -> None:
    over, far_over = b"x" * (LARGEST + 1), b"x" * (2 * LARGEST)
    answers = [
        caller.post("/api/v1/transcribe", files={"file": ("a.wav", over)}),  # within a form's room: the application's
        caller.post("/api/v1/transcribe", files={"file": ("a.wav", far_over)}),  # declared: the edge's
        caller.post("/api/v1/transcribe/", files={"file": ("a.wav", far_over)}),
        caller.post("/api/v1/transcribe", content=(far_over[:200_000] for _ in range(10)),
                    headers={"Content-Type": "multipart/form-data; boundary=x"}),
        caller.post("/api/v1/auth/token", content=far_over),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers[:3]] == [413] * 3
    assert [problem(answer)["code"] for answer in answers[:3]] == ["too_large"] * 3
    assert answers[0].json()["instance"]
    assert "instance" not in answers[1].json(), "the service never saw it"
    assert {answer.status_code for answer in answers[3:]} <= {413, 422}
    assert problem(caller.post("/api/v1/batches", files={"files": ("a.wav", far_over)}))["status"] != 404


def test_a11_what_is_told_as_it_happens_is_not_kept_back(place: Place, caller: httpx.Client) -> None:
    task = submitted(caller)
    with ThreadPoolExecutor() as pool:
        lines = pool.submit(first_segment, place, f"/api/v1/tasks/{task}/stream", '{"type":"segment"')
        assert first_segment(place, f"/api/v1/tasks/{task}/events?segments=true", "event: segment") != "done"
        assert lines.result() != "done"


def first_segment(place: Place, path: str, beginning: str) -> str:
    """Return how the task is when the first of its words comes out of the stream."""
    with place.edge.client(place.service.key) as client, client.stream("GET", path) as answer:
        assert answer.status_code == 200, answer.read()
        assert any(line.startswith(beginning) for line in answer.iter_lines())
        return str(place.service.status(path.split("/")[4])["status"])


def test_a11_a_websocket_passes(place: Place, caller: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {place.service.key}"}
    address = f"wss://{NAME}:{place.edge.port}/api/v1/ws"
    with connect(
        address, sock=place.edge.connection(), ssl=place.edge.trusting(), additional_headers=headers, open_timeout=40
    ) as ws:
        task = submitted(caller)
        ws.send(json.dumps({"subscribe": [task]}))
        told = [json.loads(ws.recv(30)), json.loads(ws.recv(30))]
        assert told[0] == {"type": "subscriptions", "task_ids": [task]}
        assert told[1]["task_id"] == task
        assert place.service.status(task)["status"] != "done", "and at once"
        while told[-1]["type"] != "done":
            told.append(json.loads(ws.recv(30)))


def test_a11_the_application_counts_the_client_and_not_who_it_says_it_is(place: Place) -> None:
    seen = []
    with place.edge.client(address="127.0.0.7") as client:
        for number in range(HEALTH + 1):
            spoofed = dict.fromkeys(("X-Forwarded-For", "X-Real-IP"), f"198.51.100.{number}")
            seen.append(client.get("/health", headers=spoofed | {"Forwarded": f"for=198.51.100.{number}"}))
    assert [answer.status_code for answer in seen] == [200] * HEALTH + [429]
    assert problem(seen[-1])["instance"] == "/health", "the application's own"
    with place.edge.client(address="127.0.0.8") as client:
        assert client.get("/health").status_code == 200


def test_a11_a_request_has_one_id_all_the_way(place: Place, caller: httpx.Client) -> None:
    given, made = f"trace-{secrets.token_hex(8)}", ""
    assert caller.get("/api/v1/tasks", headers={"X-Request-Id": given}).headers["x-request-id"] == given
    for hostile in ("short", "a" * 129, 'quote"quote"', "two words"):
        made = caller.get("/api/v1/tasks", headers={"X-Request-Id": hostile}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f-]{36}", made)
    twice = caller.get("/api/v1/tasks", headers=[("X-Request-Id", given), ("X-Request-Id", "other-one")])
    assert re.fullmatch(r"[0-9a-f-]{36}", twice.headers["x-request-id"])
    for one in (given, made):
        wait_until(lambda one=one: one in place.edge.requests(), seconds=20, what="the edge's line")  # type: ignore[misc]
        assert one in place.service.log


def test_a11_no_secret_is_in_the_edges_log(place: Place, caller: httpx.Client) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    given = f"last-{canary[6:]}"
    caller.get(f"/api/v1/tasks?access_token={canary}&q={canary}")
    caller.get(f"/ws/{canary}", headers={"Cookie": canary, "Referer": f"https://a/?{canary}"})
    caller.post("/api/v1/tus", headers={"Upload-Metadata": f"filename {canary}", "Upload-Length": "1"})
    caller.get(f"/metrics?token={canary}", headers={"Authorization": f"Bearer {canary}"})
    caller.post("/api/v1/auth/token", headers={"X-Api-Key": canary}, content=b"x" * 11_000_000)
    caller.get("/api/v1/tasks", headers={"X-Request-Id": given})
    wait_until(lambda: given in place.edge.requests(), seconds=20, what="the edge's last line")
    assert canary not in place.edge.log
    assert place.service.key not in place.edge.log
    line = place.edge.requests()[given]
    assert line["request"]["client_ip"] == "127.0.0.1"
    assert (line["request"]["uri"], line["status"], line["zone"]) == ("/api/v1/tasks", 200, "general")


def test_a11_each_route_counts_in_the_zone_in_which_the_application_counts_it(place: Place, tmp_path: Path) -> None:
    expected: dict[str, str] = {}
    with place.edge.client(place.service.key, address="127.0.0.9") as client:
        for route in every_route(Api(tmp_path).app()):
            one = f"route-{len(expected):04}"
            guarded = any(getattr(guard, "admits_callers", False) for guard in route.handler.resolve_guards())
            scope = {"type": "websocket" if route.method == WEBSOCKET else "http", "method": route.method}
            zone = zone_of(scope, route.handler, Zone.GENERAL if guarded else Zone.STRANGERS)  # type: ignore[arg-type]
            expected[one] = f"{route} {zone}"
            headers = {"X-Request-Id": one} | ({} if guarded else {"Authorization": ""})
            method, path = route.method, route.path()
            if route.method == WEBSOCKET:
                method, path = "GET", path if "{" in route.template else f"{path}?access_token=wrong"
                headers |= {"Connection": "Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13",
                            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Authorization": "none"}  # fmt: skip
            client.request(method, path, headers=headers)
    wait_until(lambda: set(expected) <= set(place.edge.requests()), seconds=20, what="the edge's lines")
    lines = place.edge.requests()
    counted = {one: f"{said.rpartition(' ')[0]} {lines[one]['zone']}" for one, said in expected.items()}
    assert counted == expected
    assert len(expected) > 90


def test_a11_an_api_is_found_by_its_name_wherever_dns_says_it_is(place: Place) -> None:
    port = place.service.settings["API_PORT"]
    with CaddyServer(0, EDGE_UPSTREAMS="by_name", API_HOST="localhost", API_PORT=port) as edge, edge.client() as client:
        assert {client.get("/health/live").status_code for _ in range(5)} == {200}


def test_a11_while_the_service_restarts_everybody_is_told_to_come_back(place: Place, caller: httpx.Client) -> None:
    with ThreadPoolExecutor() as pool, CONVERSATION.open("rb") as media:
        waiting = pool.submit(
            caller.post, "/v1/audio/transcriptions", files={"file": ("a.flac", media)}, data={"model": "whisper-1"}
        )
        wait_until(lambda: "multipart" in place.service.log or working(place), seconds=20, what="a task")
        place.service.kill()
        broken = waiting.result()
    assert (broken.status_code, problem(broken)["code"]) == (502, "broken_off"), "nobody knows what became of it"
    begun = time.monotonic()
    away = caller.post("/api/v1/tasks", content=b"{}")
    assert (away.status_code, problem(away)["code"]) == (503, "restarting")
    assert int(away.headers["retry-after"]) >= 1
    assert time.monotonic() - begun >= PATIENCE, "it was worth waiting for"
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(place.service.start)
        answers = list[httpx.Response]()
        while not answers or answers[-1].status_code != 200:
            answers.append(caller.get("/health/live"))
            assert time.monotonic() - begun < 60
        starting.result()
    assert {answer.status_code for answer in answers} <= {200, 503}


def working(place: Place) -> bool:
    with place.service.client() as client:
        return bool(client.get("/api/v1/tasks?status=processing").json()["tasks"])
