"""U-08: what is larger than it was announced, or replaced after it was looked at, is never transcribed."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.storage.s3 import S3BlobStore
from adapters.storage.s3_client import Bucket
from tests.contracts.blob_store import chunked, keys_of
from tests.e2e.service import Service
from tests.servers.s3 import S3Server

RECORDING = Path(__file__).parents[1] / "data" / "conversation.flac"
CONTENT = RECORDING.read_bytes()
QUICK = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}
LIMIT = 8_000_000


def s3_settings(bucket: Bucket) -> dict[str, str]:
    return {
        "BLOB_URL": f"s3://{bucket.name}", "S3_ENDPOINT": bucket.endpoint, "S3_ACCESS_KEY": bucket.access_key,
        "S3_SECRET_KEY": bucket.secret_key, "S3_SECURE": "false",
    }  # fmt: skip


@dataclass
class Place:
    """A running service and the way into its store, behind its back."""

    service: Service
    bucket: Bucket | None

    def announce(self, **fields: Any) -> httpx.Response:
        with self.service.client() as client:
            return client.post("/api/v1/uploads", json={"filename": "talk.flac", "size": len(CONTENT)} | fields)

    def send(self, offer: Mapping[str, Any], content: bytes) -> int:
        if offer["url"].startswith("/"):
            with self.service.client() as client:
                return client.put(offer["url"], content=content).status_code
        return httpx.put(offer["url"], content=content, trust_env=False).status_code

    def submit(self, upload_id: str, **fields: str) -> httpx.Response:
        with self.service.client() as client:
            form = {name: (None, value) for name, value in {"upload_id": upload_id, **fields}.items()}
            return client.post("/api/v1/transcribe", files=form)

    def keys(self, prefix: str = "") -> list[str]:
        if self.bucket:
            return asyncio.run(keys_of(S3BlobStore(self.bucket), prefix))
        blobs = self.service.data / "blobs"
        found = (path.relative_to(blobs).as_posix() for path in blobs.rglob("*") if path.is_file())
        return sorted(key for key in found if key.startswith(prefix) and not key.startswith("."))

    def replace(self, key: str, content: bytes) -> None:
        """Put something else there as a stranger would who has the store's keys."""
        if self.bucket:
            asyncio.run(S3BlobStore(self.bucket).put(key, chunked(content)))
        else:
            (self.service.data / "blobs" / key).write_bytes(content)


@pytest.fixture(scope="module", params=["folder", "s3", "s3 that clients reach"])
def place(request: pytest.FixtureRequest, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    bucket = s3.bucket() if request.param != "folder" else None
    settings = {**QUICK, "MAX_FILE_SIZE": str(LIMIT)} | (s3_settings(bucket) if bucket else {})
    if bucket and request.param != "s3":
        settings["S3_PUBLIC_URL"] = f"http://{bucket.endpoint}"
    with Service(tmp_path_factory.mktemp("u08") / "data", **settings) as service:
        yield Place(service, bucket)


pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_u08_an_upload_becomes_a_task_once(place: Place) -> None:
    answer = place.announce(sha256=hashlib.sha256(CONTENT).hexdigest())
    assert answer.status_code == 201, answer.text
    offer = answer.json()
    assert place.submit(offer["upload_id"]).json()["code"] == "upload_incomplete"
    assert place.send(offer, CONTENT) in {200, 204}
    accepted = place.submit(offer["upload_id"])
    assert accepted.status_code == 202, accepted.text
    task = accepted.json()["task_id"]
    status = place.service.wait(task)
    assert (status["status"], status["filename"]) == ("done", "talk.flac")
    assert place.keys("incoming/") == []
    again = place.submit(offer["upload_id"])
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    with place.service.client() as client:
        media = client.get(f"/api/v1/tasks/{task}/media", params={"redirect": True}, follow_redirects=True)
    assert media.content == CONTENT
    assert media.headers["content-type"] == "audio/flac"


def test_u08_more_than_is_allowed_or_announced_is_413(place: Place) -> None:
    assert place.announce(size=LIMIT + 1).status_code == 413
    before = place.keys("media/")
    offer = place.announce(size=100).json()
    refused = place.send(offer, CONTENT)
    if place.bucket:
        assert refused in {403, 413}, "the store holds clients to the announced length"
        place.replace(f"incoming/{offer['upload_id']}", CONTENT)  # one that does not
        answer = place.submit(offer["upload_id"])
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    else:
        assert refused == 413
    assert place.keys("media/") == before


def test_u08_less_than_was_announced_is_not_complete(place: Place) -> None:
    offer = place.announce(size=len(CONTENT) + 1).json()
    if place.bucket:
        place.replace(f"incoming/{offer['upload_id']}", CONTENT)
    else:
        assert place.send(offer, CONTENT) == 409
    answer = place.submit(offer["upload_id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")


def test_u08_what_is_sent_after_the_task_was_made_changes_nothing(place: Place) -> None:
    offer = place.announce().json()
    assert place.send(offer, CONTENT) in {200, 204}
    task = place.submit(offer["upload_id"]).json()["task_id"]
    place.send(offer, bytes(len(CONTENT)))
    assert place.service.wait(task)["status"] == "done"
    with place.service.client() as client:
        assert client.get(f"/api/v1/tasks/{task}/media").content == CONTENT


@pytest.mark.parametrize("store", ["folder", "s3"])
def test_u08_a_recording_replaced_behind_our_back_is_input_changed(store: str, s3: S3Server, tmp_path: Path) -> None:
    """The bytes under the tasks' own keys, while they wait behind another one."""
    bucket = s3.bucket() if store == "s3" else None
    settings = QUICK | {"MAX_WORKERS": "1", "ASR_SCRIPT": "sleep:3"} | (s3_settings(bucket) if bucket else {})
    with Service(tmp_path / "data", **settings) as service:
        place = Place(service, bucket)
        first = service.submit(RECORDING)
        tasks = {
            "sent through us": handed_in(place),
            "its digest announced": handed_in(place, around=True, sha256=hashlib.sha256(CONTENT).hexdigest()),
            "never read by us": handed_in(place, around=True),
            "shorter": handed_in(place, around=True),
        }
        for why, task in tasks.items():
            place.replace(f"media/{task}", CONTENT[:-9] + (b"" if why == "shorter" else bytes(9)))
        assert service.status(tasks["sent through us"])["status"] == "queued"
        assert service.wait(first)["status"] == "done"
        for why, task in tasks.items():
            status = service.wait(task)
            assert (status["status"], (status["error"] or {}).get("code")) == ("error", "input_changed"), why


def handed_in(place: Place, *, around: bool = False, **announced: Any) -> str:
    """Announce, send and submit; `around` puts the bytes into the store without us, as a URL of its own would."""
    offer = place.announce(**announced).json()
    if around and place.bucket:
        place.replace(f"incoming/{offer['upload_id']}", CONTENT)
    else:
        assert place.send(offer, CONTENT) == 204
    return str(place.submit(offer["upload_id"]).json()["task_id"])
