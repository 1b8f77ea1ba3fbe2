"""U-10: one flipped byte on the way is noticed where the caller has said what was sent, and nothing of it is kept."""

import base64
import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.contracts.blob_store import keys_of
from tests.entrypoints.http_service import Api

ROUNDS = int(os.environ.get("COLLOQUY_TEST_FLIPPED_BYTES", "20"))  # noqa: TID251 - a longer run for a release
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
END = b"\r\n--b--\r\n"
FORM = {"content-type": "multipart/form-data; boundary=b"}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


def digest_header(body: bytes, name: str = "sha-256") -> dict[str, str]:
    found = hashlib.new(name.replace("-", ""), body).digest()
    return {"content-digest": f"{name}=:{base64.b64encode(found).decode()}:"}


def field(name: str, text: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()


def flipped(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(changed)


async def answers(client: httpx.AsyncClient, sent: bytes, came: bytes) -> list[httpx.Response]:
    """Hand `came` in on every way, each time saying that it is `sent`."""
    found = []
    for path in ("/api/v1/audio", "/api/v1/transcribe"):
        named = field("sha256", hashlib.sha256(sent).hexdigest().upper())
        found += [
            await client.post(path, content=HEAD + came + END, headers=FORM | digest_header(HEAD + sent + END, name))
            for name in ("sha-256", "sha-512")
        ]
        found += [
            await client.post(path, content=named + HEAD + came + END, headers=FORM),
            await client.post(path, content=HEAD + came + b"\r\n" + named + b"--b--\r\n", headers=FORM),
        ]
    offer = (await client.post("/api/v1/uploads", json={"size": len(sent)})).json()
    put = await client.put(offer["url"], content=came, headers=digest_header(sent))
    assert (put.status_code == 204) == (sent == came)
    left = await client.post("/api/v1/transcribe", json={"upload_id": offer["upload_id"]})
    assert left.status_code == (202 if sent == came else 409)
    return [*found, put]


async def test_u10_one_flipped_byte_is_refused_and_nothing_kept(api: Api, client: httpx.AsyncClient) -> None:
    chance = random.Random(10)
    for _ in range(ROUNDS):
        content = chance.randbytes(chance.randrange(1, 3000))
        for answer in await answers(client, content, flipped(chance, content)):
            assert (answer.status_code, answer.json()["code"]) == (400, "checksum_mismatch")
        assert await keys_of(api.blobs) == []
        assert api.spooled() == []
        async with api.database.turn:
            assert not api.database.rows.tasks
            assert not api.database.rows.clips
            api.database.rows.uploads.clear()


async def test_u10_what_is_whole_is_taken(client: httpx.AsyncClient) -> None:
    content = random.Random(11).randbytes(3000)
    assert {answer.status_code for answer in await answers(client, content, content)} == {201, 202, 204}


async def test_u10_what_cannot_be_held_against_anything_is_said(api: Api, client: httpx.AsyncClient) -> None:
    body = HEAD + b"audio" + END
    for header, status in [
        ("md5=:AAAA:", 201),  # one that is not known is not looked at, as the RFC has it
        (f"md5=:AAAA:, {digest_header(body)['content-digest']}", 201),
        (f"md5=:AAAA:, {digest_header(b'other')['content-digest']}", 400),
        ("sha-256=AAAA", 400),
        ("sha-256=:A:", 400),
        ("sha-256", 400),
        ("SHA-256=:AAAA:", 400),
    ]:
        answer = await client.post("/api/v1/audio", content=body, headers=FORM | {"content-digest": header})
        assert answer.status_code == status, header
    for text in ("", "ab", "g" * 64, "a" * 65):
        answer = await client.post("/api/v1/audio", content=field("sha256", text) + body, headers=FORM)
        assert answer.json()["errors"][0]["pointer"] == "#/sha256", text
    assert len(await keys_of(api.blobs)) == 2
