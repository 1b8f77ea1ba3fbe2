"""tus 1.0.0 as its text has it: every header, refusal and extension, over an application without a socket."""

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NoReturn

import httpx
import pytest

from application.sweep_resumables import SweepResumables
from domain.errors import DatabaseUnavailable, StorageFull
from domain.upload import KEPT
from tests.contracts.blob_store import keys_of
from tests.entrypoints.http_service import Api
from tests.promises.test_a13_hostile_values import HOSTILE

TUS = {"tus-resumable": "1.0.0"}
AUDIO = bytes(range(256)) * 8
PIECE = {"content-type": "application/offset+octet-stream"}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path, max_upload=10_000)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        made.headers.update(TUS)
        yield made


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


async def begun(client: httpx.AsyncClient, length: int | None = len(AUDIO), **headers: str) -> str:
    told = {"upload-length": str(length)} if length is not None else {"upload-defer-length": "1"}
    answer = await client.post("/api/v1/tus", headers=told | {"upload-metadata": f"filename {b64(b'a.wav')}"} | headers)
    assert (answer.status_code, answer.content) == (201, b""), answer.text
    return answer.headers["location"]


async def send(client: httpx.AsyncClient, url: str, offset: int, piece: bytes, **headers: str) -> httpx.Response:
    return await client.patch(url, content=piece, headers=PIECE | {"upload-offset": str(offset)} | headers)


async def offset_of(client: httpx.AsyncClient, url: str) -> int:
    return int((await client.head(url)).headers["upload-offset"])


async def test_what_there_is_is_told_without_a_key(api: Api) -> None:
    async with api.client() as client:
        answer = await client.options("/api/v1/tus")
    assert answer.status_code == 204
    expected = {
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination",
        "tus-max-size": "10000",
        "tus-checksum-algorithm": "sha1,sha256",
    }
    assert {name: answer.headers[name] for name in expected} == expected


async def test_an_upload_in_pieces_is_transcribed(api: Api, client: httpx.AsyncClient) -> None:
    url = await begun(client)
    upload_id = url.rpartition("/")[2]
    early = await client.post("/api/v1/transcribe", json={"upload_id": upload_id})
    assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")
    look = await client.head(url)
    assert (look.status_code, look.headers["upload-offset"], look.headers["upload-length"]) == (200, "0", "2048")
    assert look.headers["upload-metadata"] == f"filename {b64(b'a.wav')}"
    assert (look.headers["cache-control"], look.headers["content-length"]) == ("no-store", "0")
    for start in range(0, len(AUDIO), 500):
        answer = await send(client, url, start, AUDIO[start : start + 500])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(min(start + 500, len(AUDIO))))
        left = parsedate_to_datetime(answer.headers["upload-expires"]) - api.clock.now()
        assert timedelta(hours=23) < left <= KEPT
    assert await offset_of(client, url) == len(AUDIO)
    task = (await client.post("/api/v1/transcribe", json={"upload_id": upload_id})).json()
    media = await client.get(f"/api/v1/tasks/{task['task_id']}/media")
    assert media.content == AUDIO
    assert (await client.get(f"/api/v1/tasks/{task['task_id']}")).json()["filename"] == "a.wav"
    assert await keys_of(api.blobs) == [f"media/{task['task_id']}"]
    assert await offset_of(client, url) == len(AUDIO), "it stays complete, though a task has it"


async def test_an_upload_becomes_a_clip(client: httpx.AsyncClient) -> None:
    url = await begun(client)
    await send(client, url, 0, AUDIO)
    clip = (await client.post("/api/v1/audio", json={"upload_id": url.rpartition("/")[2]})).json()
    assert (clip["filename"], clip["sha256"]) == ("a.wav", hashlib.sha256(AUDIO).hexdigest())


async def test_the_first_piece_may_come_along(client: httpx.AsyncClient) -> None:
    headers = PIECE | {"upload-length": "2048"}
    answer = await client.post("/api/v1/tus", content=AUDIO[:100], headers=headers)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "100")
    assert await offset_of(client, answer.headers["location"]) == 100
    whole = await client.post("/api/v1/tus", content=AUDIO, headers=headers)
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, "2048")
    wrong = await client.post("/api/v1/tus", content=AUDIO, headers=headers | {"content-type": "audio/wav"})
    assert wrong.status_code == 415


async def test_the_length_may_come_later(client: httpx.AsyncClient) -> None:
    url = await begun(client, None)
    look = await client.head(url)
    assert look.headers["upload-defer-length"] == "1"
    assert "upload-length" not in look.headers
    await send(client, url, 0, AUDIO[:1000])
    assert (await send(client, url, 1000, b"", **{"upload-length": "20000"})).status_code == 413
    answer = await send(client, url, 1000, AUDIO[1000:], **{"upload-length": "2048"})
    assert answer.headers["upload-offset"] == "2048"
    assert (await client.head(url)).headers["upload-length"] == "2048"
    other = await begun(client, None)
    await send(client, other, 0, AUDIO[:10], **{"upload-length": "20"})
    assert (await send(client, other, 10, b"x", **{"upload-length": "21"})).status_code == 422


REFUSED: list[tuple[dict[str, str], int]] = [
    ({"upload-length": "10001"}, 413),
    ({"upload-length": "0"}, 422),
    ({"upload-length": "-1"}, 400),
    ({"upload-length": "1e3"}, 400),
    ({"upload-length": "9" * 400}, 400),
    ({}, 400),
    ({"upload-length": "5", "upload-defer-length": "1"}, 400),
    ({"upload-defer-length": "2"}, 400),
    ({"upload-length": "5", "upload-metadata": "filename !"}, 400),
    ({"upload-length": "5", "upload-metadata": "filename YQ"}, 400),
    ({"upload-length": "5", "upload-concat": "partial"}, 400),
    ({"upload-length": "5", "tus-resumable": "0.2.2"}, 412),
]


async def test_what_cannot_be_begun_is_refused(client: httpx.AsyncClient) -> None:
    for headers, status in REFUSED:
        answer = await client.post("/api/v1/tus", headers=headers)
        assert answer.status_code == status, (headers, answer.text)
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert answer.headers.get("tus-version") == ("1.0.0" if status == 412 else None)


async def test_metadata_may_be_flags_and_names_only_shown(api: Api, client: httpx.AsyncClient) -> None:
    name = b64("../../etc/März.wav".encode())
    url = await begun(client, len(AUDIO), **{"upload-metadata": f"flag,filename {name},other YQ=="})
    assert (await client.head(url)).headers["upload-metadata"] == f"flag,filename {name},other YQ=="
    await send(client, url, 0, AUDIO)
    clip = (await client.post("/api/v1/audio", json={"upload_id": url.rpartition("/")[2]})).json()
    assert clip["filename"] == "März.wav"
    assert await api.growing.names() == []


async def test_a_piece_must_fit(client: httpx.AsyncClient) -> None:
    url = await begun(client)
    await send(client, url, 0, AUDIO[:100])
    for answer, status in [
        (await send(client, url, 99, b"x"), 409),
        (await send(client, url, 101, b"x"), 409),
        (await send(client, url, 100, AUDIO), 413),
        (await client.patch(url, content=b"x", headers=PIECE), 400),
        (await client.patch(url, content=b"x", headers={"upload-offset": "100", "content-type": "audio/wav"}), 415),
        (await client.patch(url, content=b"x", headers={"upload-offset": "100"}), 415),
        (await send(client, url, 100, b"x", **{"tus-resumable": "2.0.0"}), 412),
    ]:
        assert answer.status_code == status, answer.text
        assert answer.headers["tus-resumable"] == "1.0.0"
    assert await offset_of(client, url) == 100
    await send(client, url, 100, AUDIO[100:])
    assert (await send(client, url, len(AUDIO), b"more")).status_code == 413
    assert (await send(client, url, len(AUDIO), b"")).status_code == 204


async def test_more_than_was_declared_is_refused_while_it_comes(api: Api, client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield AUDIO

    url = await begun(client, 3000)
    answer = await client.patch(url, content=chunks(), headers=PIECE | {"upload-offset": "0"})
    assert answer.status_code == 413
    assert await offset_of(client, url) <= 3000
    later = await begun(client, None)
    assert (await client.patch(later, content=chunks(), headers=PIECE | {"upload-offset": "0"})).status_code == 413
    assert await offset_of(client, later) <= 10_000
    assert await keys_of(api.blobs) == []


async def test_a_piece_is_held_against_its_checksum(client: httpx.AsyncClient) -> None:
    for algorithm in ("sha1", "sha256"):
        await held_against_its_checksum(client, algorithm)


async def held_against_its_checksum(client: httpx.AsyncClient, algorithm: str) -> None:
    url = await begun(client)
    await send(client, url, 0, AUDIO[:100])
    digest = b64(hashlib.new(algorithm, AUDIO[100:200]).digest())
    flipped = bytearray(AUDIO[100:200])
    flipped[50] ^= 1
    answer = await send(client, url, 100, bytes(flipped), **{"upload-checksum": f"{algorithm} {digest}"})
    assert (answer.status_code, answer.json()["code"]) == (460, "piece_mismatch")
    assert await offset_of(client, url) == 100
    answer = await send(client, url, 100, AUDIO[100:200], **{"upload-checksum": f"{algorithm} {digest}"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "200")
    for wrong in ("crc32 AAAA", f"{algorithm} !", "sha1"):
        refused = await send(client, url, 200, b"x", **{"upload-checksum": wrong})
        assert refused.status_code in {400, 460}, wrong
    assert (await send(client, url, 200, b"x", **{"upload-checksum": "md5 AAAA"})).status_code == 400
    assert await offset_of(client, url) == 200


async def test_an_upload_can_be_given_up(api: Api, client: httpx.AsyncClient) -> None:
    for piece in (b"", AUDIO[:100], AUDIO):
        url = await begun(client)
        await send(client, url, 0, piece)
        answer = await client.delete(url)
        assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
        for gone in (await client.head(url), await send(client, url, 0, b"x"), await client.delete(url)):
            assert gone.status_code == 404
            assert "upload-offset" not in gone.headers
    assert await keys_of(api.blobs) == []
    assert await api.growing.names() == []


async def test_methods_may_be_overridden(client: httpx.AsyncClient) -> None:
    url = await begun(client)
    override = {"x-http-method-override": "PATCH", "upload-offset": "0"}
    answer = await client.post(url, content=AUDIO[:100], headers=PIECE | override)
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "100")
    assert (await client.post(url, headers={"x-http-method-override": "HEAD"})).headers["upload-offset"] == "100"
    assert (await client.post(url, headers={"x-http-method-override": "delete"})).status_code == 204
    assert (await client.post(url, headers={"x-http-method-override": "PUT"})).status_code == 405
    assert (await client.post("/api/v1/tasks", headers={"x-http-method-override": "DELETE"})).status_code == 405


async def test_somebody_elses_upload_is_none(api: Api, client: httpx.AsyncClient) -> None:
    url = await begun(client)
    stranger = await api.issue_key("stranger")
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = stranger | PIECE | {"upload-offset": "0"}
        answer = await client.request(method, url, headers=headers)
        assert answer.status_code == 404, method
        assert answer.headers["tus-resumable"] == "1.0.0"
    del client.headers["authorization"]
    answer = await client.head(url)
    assert (answer.status_code, answer.headers["tus-resumable"]) == (401, "1.0.0")


async def test_an_upload_expires_and_is_swept(api: Api, client: httpx.AsyncClient) -> None:
    url, young = await begun(client), await begun(client)
    for each in (url, young):
        await send(client, each, 0, AUDIO[:100])
    async with api.new_uow() as uow:
        upload_id = (await uow.resumables.expired(by=api.clock.now() + 2 * KEPT, limit=1))[0]
        upload = await uow.resumables.get(upload_id)
        assert upload is not None
        object.__setattr__(upload, "expires_at", api.clock.now())
        await uow.resumables.save(upload)
        await uow.commit()
    for answer in (await client.head(url), await send(client, url, 100, b"x"), await client.delete(url)):
        assert answer.status_code == 410
    sweep = SweepResumables(new_uow=api.new_uow, files=api.growing)
    await sweep()
    assert [str(name) for name in await api.growing.names()] == [young.rpartition("/")[2]]
    assert (await client.head(url)).status_code == 410
    assert await offset_of(client, young) == 100


async def test_a_store_in_trouble_gets_the_whole_later(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> NoReturn:
        raise StorageFull("there is no room")

    async def lost(*_: object) -> NoReturn:
        raise DatabaseUnavailable("the database does not answer")

    for breaks in ("adapters.storage.filesystem.FilesystemBlobStore.adopt",
                   "adapters.persistence.memory_resumables.MemoryResumables.save"):  # fmt: skip
        url = await begun(client)
        with monkeypatch.context() as broken:
            broken.setattr(breaks, full if "adopt" in breaks else lost)
            assert (await send(client, url, 0, AUDIO)).status_code in {503, 507}
        early = await client.post("/api/v1/transcribe", json={"upload_id": url.rpartition("/")[2]})
        assert early.json()["code"] == "upload_incomplete"
        assert await offset_of(client, url) == len(AUDIO), "whoever asks has it finished"
        assert (await client.post("/api/v1/audio", json={"upload_id": url.rpartition("/")[2]})).status_code == 201


async def test_odd_headers_are_refused(client: httpx.AsyncClient) -> None:
    url = await begun(client)
    for odd in HOSTILE.values():
        value = odd.replace(b"\r\n", b" ").replace(b"\x00", b"")
        for name in (b"upload-length", b"upload-metadata", b"upload-offset", b"upload-checksum", b"content-digest"):
            told = {b"upload-length": b"5", b"content-type": b"application/offset+octet-stream", name: value}
            for answer in (
                await client.post("/api/v1/tus", headers=told),
                await client.patch(url, content=b"x", headers={b"upload-offset": b"7", **told}),
            ):
                assert answer.status_code < 500, (name, odd, answer.text)
        answer = await client.post(
            url, headers={b"x-http-method-override": value, b"content-type": b"application/offset+octet-stream"}
        )
        assert answer.status_code < 500
    assert await offset_of(client, url) == 0


async def test_only_so_many_may_wait(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.begin_resumable.MAX_WAITING", 2)
    await begun(client)
    await begun(client)
    assert (await client.post("/api/v1/tus", headers={"upload-length": "5"})).json()["code"] == "too_many_uploads"
