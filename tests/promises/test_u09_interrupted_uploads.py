"""U-09: a resumable upload that is cut again and again, also by a killed service, arrives byte for byte."""

import hashlib
import io
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests.e2e.service import Service
from tests.entrypoints.http_service import served
from tests.servers.fault_proxy import FaultProxy
from tests.servers.ports import free_port
from tests.servers.s3 import S3Server

INTERRUPTIONS = int(os.environ.get("COLLOQUY_TEST_INTERRUPTIONS", "20"))  # noqa: TID251 - a longer run for a release
MEGABYTE = 1_000_000
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}
BROKEN = (TusCommunicationError, TusUploadFailed)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings: dict[str, Any] = {
        "ASR_ENGINE": "scripted",
        "DIARIZATION_ENGINE": "scripted",
        "API_PORT": str(free_port()),
    }
    with Service(tmp_path_factory.mktemp("u09") / "data", **settings) as started:
        yield started


def port_of(service: Service) -> int:
    return int(service.settings["API_PORT"])


def uploader(service: Service, port: int, content: bytes) -> Any:
    headers = {"Authorization": f"Bearer {service.key}"}
    client = TusClient(f"http://127.0.0.1:{port}/api/v1/tus", headers=headers)
    return client.uploader(file_stream=io.BytesIO(content), metadata={"filename": "long.wav"})


def kept(service: Service, url: str) -> bytes:
    """The upload's bytes, once it has become a clip."""
    with service.client() as client:
        answer = client.post("/api/v1/audio", json={"upload_id": url.rpartition("/")[2]})
        assert answer.status_code == 201, answer.text
        content = client.get(f"/api/v1/audio/{answer.json()['clip_id']}/media").content
        assert answer.json()["sha256"] == hashlib.sha256(content).hexdigest()
        client.delete(f"/api/v1/audio/{answer.json()['clip_id']}")
        return content


def begun(client: httpx.Client, length: int) -> str:
    answer = client.post("/api/v1/tus", headers=TUS | {"Upload-Length": str(length)})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def offset_of(client: httpx.Client, url: str) -> int:
    return int(client.head(url, headers=TUS).headers["upload-offset"])


def send(client: httpx.Client, url: str, offset: int, piece: bytes) -> httpx.Response:
    return client.patch(url, content=piece, headers=PIECE | {"Upload-Offset": str(offset)})


@pytest.mark.slow
@pytest.mark.timeout(60 + 5 * INTERRUPTIONS)
def test_u09_the_bytes_survive_every_interruption(service: Service) -> None:
    chance = random.Random(9)
    content = chance.randbytes(INTERRUPTIONS * MEGABYTE)
    with FaultProxy(port_of(service)) as proxy:
        up = uploader(service, proxy.port, content)
        up.set_url(up.create_url())
        cuts = 0
        while up.offset < len(content):
            # Pieces without a checksum keep what came of them; those with one are small, and kept whole or not at all.
            up.upload_checksum = chance.random() < 0.3
            up.chunk_size = MEGABYTE if up.upload_checksum else len(content)
            before = up.offset
            if cuts < INTERRUPTIONS:
                proxy.cut_after(chance.randrange(1, 2 * MEGABYTE))
            try:
                up.upload_chunk()
            except BROKEN:
                cuts += 1
                proxy.heal()
                if cuts == INTERRUPTIONS // 2:
                    service.kill()
                    service.start()
                    up.client.set_headers({"Authorization": f"Bearer {service.key}"})
                up.offset = up.get_offset()
                assert before <= up.offset <= len(content)
                assert not up.upload_checksum or up.offset in {before, min(before + MEGABYTE, len(content))}
            else:
                proxy.heal()
        assert cuts >= min(INTERRUPTIONS, 20), "there were as many as are promised"
        assert kept(service, up.url) == content


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_u09_what_had_arrived_survives_a_killed_service(service: Service) -> None:
    content = random.Random(5).randbytes(3 * MEGABYTE)
    with service.client() as client:
        url = begun(client, len(content))
        assert send(client, url, 0, content[:MEGABYTE]).status_code == 204
        with half_sent(service, url, MEGABYTE, content[MEGABYTE : 2 * MEGABYTE], rest=MEGABYTE):
            time.sleep(0.5)
            service.kill()
    service.start()
    with service.client() as client:
        offset = offset_of(client, url)
        assert MEGABYTE <= offset <= 2 * MEGABYTE, "what was acknowledged is there, and nothing that was not sent"
        assert send(client, url, offset, content[offset:]).headers["upload-offset"] == str(len(content))
    assert kept(service, url) == content


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_u09_an_object_store_gets_the_whole(tmp_path: Path, s3: S3Server) -> None:
    bucket, content = s3.bucket(), random.Random(8).randbytes(MEGABYTE)
    stores: dict[str, Any] = {
        "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "BLOB_URL": f"s3://{bucket.name}",
        "S3_ENDPOINT": bucket.endpoint, "S3_ACCESS_KEY": bucket.access_key, "S3_SECRET_KEY": bucket.secret_key,
        "S3_SECURE": "false",
    }  # fmt: skip
    with Service(tmp_path / "data", **stores) as service, service.client() as client:
        url = begun(client, len(content))
        for start in range(0, len(content), 400_000):
            assert send(client, url, start, content[start : start + 400_000]).status_code == 204
        assert kept(service, url) == content
        assert list((tmp_path / "data" / "blobs" / ".resumable").iterdir()) == []


@contextmanager
def half_sent(service: Service, url: str, offset: int, piece: bytes, *, rest: int) -> Iterator[socket.socket]:
    """A connection that has sent `piece` of a body, and holds back `rest` bytes."""
    with socket.create_connection(("127.0.0.1", port_of(service)), timeout=15) as wire:
        lines = [
            f"PATCH {url} HTTP/1.1", "Host: x", f"Authorization: Bearer {service.key}", "Tus-Resumable: 1.0.0",
            "Content-Type: application/offset+octet-stream", f"Upload-Offset: {offset}",
            f"Content-Length: {len(piece) + rest}",
        ]  # fmt: skip
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + piece)
        yield wire


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_u09_a_new_request_takes_over_from_a_dead_connection(service: Service) -> None:
    content = random.Random(6).randbytes(2 * MEGABYTE)
    with service.client() as client:
        url = begun(client, len(content))
        with half_sent(service, url, 0, content[:MEGABYTE], rest=MEGABYTE) as dead:
            time.sleep(0.3)
            began = time.monotonic()
            assert offset_of(client, url) == MEGABYTE, "what it had sent is kept"
            answer = send(client, url, MEGABYTE, content[MEGABYTE:])
            assert answer.status_code == 204
            assert time.monotonic() - began < 10
            with suppress(ConnectionError):
                assert dead.recv(4096).startswith(b"HTTP/1.1 423 ")
    assert kept(service, url) == content


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_u09_a_second_writer_is_refused_while_the_first_is_alive(service: Service) -> None:
    content = random.Random(7).randbytes(MEGABYTE)
    done = threading.Event()
    with service.client() as client:
        url = begun(client, len(content))
        with half_sent(service, url, 0, content[:-1000], rest=1000) as wire:

            def drip() -> None:
                for place in range(1000, 1, -1):
                    if done.wait(0.1):
                        wire.sendall(content[-place:])
                        return
                    wire.sendall(content[-place : 1 - place])

            first = threading.Thread(target=drip)
            first.start()
            for answer in (send(client, url, 0, content), client.delete(url, headers=TUS)):
                assert (answer.status_code, answer.json()["code"]) == (423, "upload_locked")
                assert answer.headers["tus-resumable"] == "1.0.0"
            done.set()
            first.join()
            assert b" 204 " in wire.recv(4096).split(b"\r\n")[0]
    assert kept(service, url) == content


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_u09_a_slow_sender_is_cut_off_and_what_it_sent_is_kept(tmp_path: Path) -> None:
    with (
        served(tmp_path, grace_seconds=1.0) as server,
        httpx.Client(base_url=server.base, headers=server.headers[0], trust_env=False) as client,
    ):
        url = begun(client, 200_000)

        def stalling() -> Iterator[bytes]:
            yield b"x" * 100_000
            time.sleep(3)
            yield b"y" * 100_000

        headers = PIECE | {"Upload-Offset": "0", "Content-Length": "200000"}
        with suppress(httpx.TransportError):
            assert client.patch(url, content=stalling(), headers=headers).status_code == 408
        assert offset_of(client, url) == 100_000
        assert send(client, url, 100_000, b"y" * 100_000).headers["upload-offset"] == "200000"
