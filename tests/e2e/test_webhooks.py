"""Webhooks of the real service, at a real receiver on loopback, verified by the public library."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from application.manage_webhooks import secret_text
from tests.e2e.cluster import Cluster
from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.webhook_receiver import Receiver, Reply

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
SETTINGS: dict[str, Any] = {
    "ASR_ENGINE": "scripted",
    "DIARIZATION_ENGINE": "scripted",
    "EGRESS_ALLOW": "127.0.0.1",
    "WEBHOOKS_ALLOW_HTTP": "true",
}
pytestmark = pytest.mark.slow
LIFE = ["transcription.queued", "transcription.started", "transcription.completed"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("webhooks") / "data", **SETTINGS) as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def heard(receiver: Receiver, path: str, secret: str, count: int) -> list[dict[str, Any]]:
    """Wait for so many webhooks; return their verified bodies in the order of their events."""
    began = time.monotonic()
    while len(receiver.of(path)) < count and time.monotonic() - began < 30:
        time.sleep(0.05)
    bodies = [Webhook(secret).verify(each.body, each.headers) for each in receiver.of(path)]
    return sorted(bodies, key=lambda body: (body["timestamp"], LIFE.index(body["type"])))


def settled(client: httpx.Client, webhook: str) -> list[dict[str, Any]]:
    """Wait until nothing is pending; return the log."""
    began = time.monotonic()
    path = f"/api/v1/webhooks/{webhook}/deliveries"
    while client.get(path, params={"state": "pending"}).json()["deliveries"] and time.monotonic() - began < 20:
        time.sleep(0.05)
    log: list[dict[str, Any]] = client.get(path).json()["deliveries"]
    return log


@pytest.mark.timeout(90)
def test_a_task_is_told_of_from_its_beginning_to_its_end(service: Service, receiver: Receiver) -> None:
    own = secret_text(b"made up by the caller, 32 bytes!")
    with service.client() as client:
        made = client.post("/api/v1/webhooks", json={"url": receiver.url("/all")})
        assert made.status_code == 201, made.text
        fields = {"webhook_url": receiver.url("/one?token=hush"), "webhook_secret": own}
        with CONVERSATION.open("rb") as file:
            accepted = client.post("/api/v1/transcribe", files={"file": file}, data=fields)
        assert accepted.status_code == 202, accepted.text
        task = accepted.json()["task_id"]

        told = heard(receiver, "/all", made.json()["secret"], 3)
        assert [body["type"] for body in told] == LIFE
        assert {body["data"]["id"] for body in told} == {task}
        assert [body["type"] for body in heard(receiver, "/one?token=hush", own, 3)] == LIFE
        assert client.get(told[-1]["data"]["links"]["result"]).status_code == 200

        # The log names each delivery, and nothing that lets anybody in.
        (mine,) = client.get("/api/v1/webhooks", params={"task": task}).json()["webhooks"]
        assert mine["url"] == receiver.url("/one?token=***")
        log = settled(client, mine["id"])
        assert [each["state"] for each in log] == ["delivered"] * 3
        assert {each["task_id"] for each in log} == {task}
        assert "webhook_secret" not in client.get(f"/api/v1/tasks/{task}").text

        # What is deleted is gone from there too.
        assert client.delete(f"/api/v1/tasks/{task}").status_code == 204
        assert client.get(f"/api/v1/webhooks/{mine['id']}").status_code == 404
        left = client.get(f"/api/v1/webhooks/{made.json()['id']}/deliveries").json()["deliveries"]
        assert left == []
    for secret in (own, made.json()["secret"], "hush"):
        assert secret not in service.log
        assert secret.encode() not in b"".join(file.read_bytes() for file in service.data.glob("colloquy.sqlite3*"))


@pytest.mark.timeout(60)
def test_the_test_button(service: Service, receiver: Receiver) -> None:
    with service.client() as client:
        made = client.post("/api/v1/webhooks", json={"url": receiver.url("/try"), "events": LIFE[:1]}).json()
        assert client.post(f"/api/v1/webhooks/{made['id']}/test").status_code == 202
        began = time.monotonic()
        while not receiver.of("/try") and time.monotonic() - began < 20:
            time.sleep(0.02)
        (received,) = receiver.of("/try")
        assert Webhook(made["secret"]).verify(received.body, received.headers)["type"] == "webhook.test"
        assert json.loads(received.body)["data"]["id"] == made["id"]
        assert client.delete(f"/api/v1/webhooks/{made['id']}").status_code == 204


@pytest.mark.timeout(60)
def test_a_receiver_that_hangs_delays_no_task(service: Service) -> None:
    with Receiver(lambda _: Reply(delay=60)) as receiver, service.client() as client:
        made = client.post("/api/v1/webhooks", json={"url": receiver.url("/slow")}).json()
        for _ in range(3):
            assert service.wait(service.submit(CONVERSATION))["status"] == "done"
        assert receiver.at_once == receiver.most_at_once == 2, "two of them are waited for all the while"
        pending = client.get(f"/api/v1/webhooks/{made['id']}/deliveries?state=pending").json()["deliveries"]
        assert len(pending) == 9
        assert client.delete(f"/api/v1/webhooks/{made['id']}").status_code == 204


@pytest.mark.timeout(60)
def test_nothing_private_is_reached_by_default(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path / "data", ASR_ENGINE="scripted", DIARIZATION_ENGINE="scripted") as strict:
        with strict.client() as client:
            refused = client.post("/api/v1/webhooks", json={"url": receiver.url().replace("http:", "https:")})
        assert (refused.status_code, refused.json()["code"]) == (422, "url_not_allowed")
    assert receiver.connections == 0


@pytest.mark.timeout(240)
def test_several_workers_send_each_attempt_once(tmp_path: Path, postgres: PostgresServer, redis: RedisServer) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    with (
        Receiver() as receiver,
        postgres.database() as database,
        Cluster(
            tmp_path, database_url=database, queue_url=redis.url(), INSTALLATION_SECRET=key, **SETTINGS
        ) as cluster,
    ):  # fmt: skip
        api = cluster.api()
        workers = [cluster.worker(name) for name in ("one", "two")]
        with api.client() as client:
            made = client.post("/api/v1/webhooks", json={"url": receiver.url("/all")}).json()
            tasks = {api.submit(CONVERSATION) for _ in range(4)}
            bodies = heard(receiver, "/all", made["secret"], 12)
            log = settled(client, made["id"])
        assert {body["data"]["id"] for body in bodies} == tasks
        assert len(receiver.of("/all")) == len({each.headers["webhook-id"] for each in receiver.of("/all")}) == 12
        assert [each["state"] for each in log] == ["delivered"] * 12
        assert all(len(each["attempts"]) == 1 for each in log)
        assert sum(worker.log.count("webhook_delivered") for worker in workers) == 12
