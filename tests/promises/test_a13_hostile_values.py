"""A-13: odd values in any field or parameter are refused in time with a problem, or taken; never a server error."""

import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from entrypoints.http.form_fields import TranscribeFields
from tests.entrypoints.http_service import Api, Server, served

HOSTILE = {
    "nul": b"a\x00b",
    "lone surrogate": b"\xed\xa0\x80",
    "invalid utf-8": b"\xff\xfe\xfd",
    "overlong": b"\xc0\xaf",
    "bom": b"\xef\xbb\xbfauto",
    "huge integer": b"1" + b"0" * 400,
    "not a number": b"NaN",
    "infinity": b"1e999",
    "negative": b"-1",
    "deep json": b"[" * 8000,
    "duplicate keys": b'{"a":1,"a":2}',
    "rtl": "\u202egpj.exe".encode(),
    "emoji": "😀".encode(),
    "line breaks": b"a\r\nb: c",
    "traversal": b"../../etc/passwd",
    "option": b"-rf",
    "markup": b"<script>alert(1)</script>",
    "format": b"%s%n{0}${x}",
    "escape": b"\x1b[31m",
    "four kilobytes": b"x" * 4096,
    "too long": b"x" * 20_000,
    "blank": b" \t ",
}
FIELDS = [field.name for field in msgspec.structs.fields(TranscribeFields)]
FAST = 0.1
"""Seconds for the usual answer; a single one may take longer, since other work shares this machine while tests run."""
BEARABLE = 2.0


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        await made.get("/api/v1/tasks")
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("a13")) as started:
        yield started


TIMES: list[float] = []


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    TIMES.clear()
    yield
    assert statistics.median(TIMES) < FAST
    assert max(TIMES) < BEARABLE


def form(name: bytes, value: bytes, *, filename: bytes = b"a.wav") -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)
        + b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\naudio\r\n--b--\r\n' % filename
    )


async def send(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
    began = time.perf_counter()
    answer = await client.post("/transcribe", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    TIMES.append(time.perf_counter() - began)
    return answer


def harmless(answer: httpx.Response, *, taken: bool = False) -> None:
    if answer.status_code < 300:
        assert taken, answer.text
        return
    assert 400 <= answer.status_code < 500 or answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] != "internal_error"


NOTHING = {
    "model",
    "languages",
    "title",
    "tags",
    "known_speaker_names",
    "known_speaker_clips",
    "webhook_url",
    "webhook_secret",
}
"""Fields that say, when they are blank, that there is none, or the configured one."""


@pytest.mark.parametrize("field", FIELDS)
async def test_a13_form_fields(api: Api, client: httpx.AsyncClient, field: str) -> None:
    free = {"initial_prompt", "hotwords", "title", "tags"}  # any readable text is a prompt, or a name
    for kind, value in HOSTILE.items():
        answer = await send(client, form(field.encode(), value))
        unreadable = kind in {"nul", "lone surrogate", "invalid utf-8", "overlong", "escape", "too long"}
        blank = kind == "blank" and field in NOTHING
        harmless(answer, taken=(field in free and not unreadable) or blank)
        assert api.spooled() == [], kind


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a13_field_names_and_file_names(api: Api, client: httpx.AsyncClient, kind: str) -> None:
    value = HOSTILE[kind].replace(b"\r\n", b"%0D%0A").replace(b'"', b"%22")
    harmless(await send(client, form(value, b"x")))
    answer = await send(client, form(b"lang", b"auto", filename=value))
    harmless(answer, taken=True)
    if answer.status_code == 202:
        shown = (await client.get(answer.headers["location"])).json()["filename"]
        assert len(shown) <= 255
        assert not set(shown) & set("/\\\x00\r\n\x1b\u202e")
    assert api.spooled() == []


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a13_bodies_and_boundaries(client: httpx.AsyncClient, kind: str) -> None:
    harmless(await send(client, HOSTILE[kind]))
    boundary = HOSTILE[kind].replace(b"\r\n", b"").replace(b"\x00", b"")[:300]
    answer = await client.post(
        "/transcribe", content=b"--x--", headers={b"content-type": b"multipart/form-data; boundary=" + boundary}
    )
    harmless(answer)


def test_a13_query_and_path_over_the_wire(server: Server) -> None:
    headers = server.headers[0]
    with httpx.Client(base_url=server.base, headers=headers) as client:
        task_id = client.post("/transcribe", files={"file": ("a.wav", b"audio")}).json()["task_id"]
        for kind, value in HOSTILE.items():
            encoded = "".join(f"%{byte:02X}" for byte in value[:4096])
            for target in (
                f"/api/v1/tasks?limit={encoded}",
                f"/api/v1/tasks?cursor={encoded}",
                f"/result/{task_id}?format={encoded}",
                f"/status/{encoded}",
                f"/api/v1/tasks/{encoded}",
                f"/{encoded}",
                f"/docs/{encoded}",
                f"/problems/{encoded}",
            ):
                began = time.perf_counter()
                answer = client.get(target)
                TIMES.append(time.perf_counter() - began)
                assert answer.status_code in {200, 302, 400, 404, 422}, (kind, target[:60], answer.text)
                if answer.status_code == 200:  # an empty cursor is none
                    assert target.startswith("/api/v1/tasks?cursor="), (kind, target[:60])


def test_a13_json_where_no_body_is_read(server: Server) -> None:
    target = "/api/v1/tasks/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e/cancel"
    with httpx.Client(base_url=server.base, headers=server.headers[0]) as client:
        for value in (b"[" * 10_000, b'{"a":1,"a":2}', b"NaN", b"1" + b"0" * 400, b"\xef\xbb\xbf{}", b"\xed\xa0\x80"):
            began = time.perf_counter()
            answer = client.post(target, content=value, headers={"content-type": "application/json"})
            TIMES.append(time.perf_counter() - began)
            assert answer.json()["code"] == "not_found"


def test_a13_raw_bytes_in_the_request_line(server: Server) -> None:
    for line in (b"GET /\xff\xfe HTTP/1.1", b"GET /a\x00b HTTP/1.1", b"GET\x00 / HTTP/1.1", b"\x16\x03\x01\x02"):
        began = time.perf_counter()
        with server.connect() as wire:
            wire.sendall(line + b"\r\nHost: x\r\n\r\n")
            answer = wire.recv(65536)
        TIMES.append(time.perf_counter() - began)
        assert not answer or answer.startswith(b"HTTP/1.1 4"), (line, answer)
    assert httpx.get(f"{server.base}/health").status_code == 200
