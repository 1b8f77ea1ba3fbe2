"""Webhooks over HTTP: what may be set, who sees what, and what is never shown."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.system import Uuid7Factory
from application.manage_webhooks import MAX_ENDPOINTS, secret_text
from domain.errors import NotConfigured
from tests.webhook_house import House

URL = "https://127.0.0.1/hook?token=hush"
SECRET = secret_text(b"0123456789abcdef0123456789abcdef")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.built(tmp_path) as built:
        yield built


async def made(house: House, **fields: Any) -> dict[str, Any]:
    answer = await house.client.post("/api/v1/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/webhooks/{answer.json()['id']}"
    body: dict[str, Any] = answer.json()
    return body


def paths(webhook: str, delivery: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Every request on one webhook."""
    at = f"/api/v1/webhooks/{webhook}"
    return [
        ("GET", at, None),
        ("PATCH", at, {"description": "x"}),
        ("POST", f"{at}/rotate", None),
        ("POST", f"{at}/test", None),
        ("GET", f"{at}/deliveries", None),
        ("POST", f"{at}/deliveries/{delivery}/replay", None),
        ("POST", f"{at}/replay?since=2026-01-01T00:00:00Z", None),
        ("DELETE", at, None),
    ]


async def test_a05_somebody_elses_webhook_is_no_webhook(house: House) -> None:
    webhook = await made(house)
    delivery = (await house.client.post(f"/api/v1/webhooks/{webhook['id']}/test")).json()
    nobodys, stranger = str(Uuid7Factory().new()), await house.api.issue_key("stranger")
    before = dict(house.api.database.rows.webhooks), dict(house.api.database.rows.deliveries)
    foreign, none = paths(webhook["id"], delivery["id"]), paths(nobodys, delivery["id"])
    for (method, path, body), (_, nowhere, _) in zip(foreign, none, strict=True):
        answers = []
        for asked in (path, nowhere):
            answer = await house.client.request(
                method, asked, json=body, headers=stranger | {"x-request-id": "one-and-the-same"}
            )
            answers.append((answer.status_code, answer.text.replace(webhook["id"], "ID").replace(nobodys, "ID")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404, path
        assert (dict(house.api.database.rows.webhooks), dict(house.api.database.rows.deliveries)) == before
    assert (await house.client.get("/api/v1/webhooks", headers=stranger)).json() == {"webhooks": []}
    other = await made(house)
    strayed = f"/api/v1/webhooks/{other['id']}/deliveries/{delivery['id']}/replay"
    assert (await house.client.post(strayed)).status_code == 404, "a delivery of another webhook"
    for method, path, body in foreign:
        assert (await house.client.request(method, path, json=body)).status_code in {200, 202, 204}, path


async def test_a03_secrets_are_shown_once_and_stored_sealed(house: House) -> None:
    webhook = await made(house)
    at = f"/api/v1/webhooks/{webhook['id']}"
    rotated = (await house.client.post(f"{at}/rotate")).json()
    assert rotated["secret"] != webhook["secret"]
    assert rotated["old_secret_signs_until"]
    shown = [(await house.client.get(path)).text for path in (at, "/api/v1/webhooks", f"{at}/deliveries")]
    shown.append((await house.client.patch(at, json={"description": "x"})).text)
    stored = b"".join([*house.api.database.rows.webhooks.values(), *house.api.database.rows.deliveries.values()])
    for secret in (webhook["secret"], rotated["secret"]):
        bare = secret.removeprefix("whsec_")
        assert all(bare not in text for text in shown)
        assert bare.encode() not in stored
        assert base64.b64decode(bare) not in stored
        assert base64.b64encode(bare.encode()) not in stored
    assert all("hush" not in text for text in shown)
    assert b"hush" not in stored
    assert webhook["url"] == "https://127.0.0.1/hook?token=***"


async def test_what_was_sealed_under_another_secret_is_told_and_nothing_is_sent(house: House) -> None:
    webhook = await made(house)
    house.api.cipher._key = lambda: b"another" * 4 + b"key!"
    vars(house.api.cipher).pop("_aead")
    await house.client.post(f"/api/v1/webhooks/{webhook['id']}/test")
    assert await house.attempt()
    (delivery,) = await house.deliveries()
    assert "INSTALLATION_SECRET" in delivery.attempts[0].error


async def test_without_an_installation_secret_there_are_no_webhooks(house: House) -> None:
    def missing() -> bytes:
        raise NotConfigured("INSTALLATION_SECRET must be set")

    house.api.cipher._key = missing
    answer = await house.client.post("/api/v1/webhooks", json={"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")


@pytest.mark.parametrize(
    ("change", "field"), [({"enabled": 0}, "enabled"), ({"enabled": "true"}, "enabled"), ({"events": [1]}, "events[0]")]
)
async def test_json_is_taken_as_it_is_typed(house: House, change: dict[str, Any], field: str) -> None:
    webhook = await made(house)
    refused = await house.client.patch(f"/api/v1/webhooks/{webhook['id']}", json=change)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"#/{field}"]


async def test_it_is_changed_piece_by_piece(house: House) -> None:
    webhook = await made(house, events=["transcription.completed"], description="one\ttwo")
    at = f"/api/v1/webhooks/{webhook['id']}"
    assert webhook["description"] == "one two"
    for change, expected in (
        ({"events": []}, {"events": []}),
        ({"url": "https://127.0.0.1/other"}, {"url": "https://127.0.0.1/other"}),
        ({"enabled": False}, {"enabled": False, "disabled_reason": "by its owner"}),
        ({"enabled": True}, {"enabled": True, "disabled_reason": None}),
        ({}, {"description": "one two"}),
    ):
        answer = await house.client.patch(at, json=change)
        assert answer.status_code == 200, answer.text
        assert expected.items() <= answer.json().items()
    assert (await house.client.get(at)).json() == answer.json()


NO_WEBHOOKS: list[Any] = [
    {}, {"url": ""}, {"url": 5}, {"url": "https://127.0.0.1/", "events": ["no.such"]}, {"url": "x" * 5000},
    {"url": "https://127.0.0.1/", "owner": "me"}, {"url": "https://127.0.0.1/\u0000"}, {"url": "https://1.2.3/"},
    {"url": "https://127.0.0.1/", "description": "x" * 201}, {"url": "https://127.0.0.1/", "secret": SECRET}, [],
]  # fmt: skip


async def test_a13_what_is_no_webhook(house: House) -> None:
    for body in NO_WEBHOOKS:
        answer = await house.client.post("/api/v1/webhooks", json=body)
        assert answer.status_code in {400, 422}, answer.text
        assert answer.json()["code"] in {"invalid_options", "malformed_request", "url_not_allowed"}


async def test_a13_odd_cursors(house: House) -> None:
    webhook = await made(house)
    for cursor in ("AA", "____", "é", "A" * 32, "A" * 64, "-" * 32, "_" * 32):
        answer = await house.client.get(f"/api/v1/webhooks/{webhook['id']}/deliveries", params={"cursor": cursor})
        assert answer.status_code in {200, 422}, answer.text


async def test_there_is_an_end_to_webhooks(house: House) -> None:
    for _ in range(MAX_ENDPOINTS):
        await house.webhooks.add(house.owner, URL)
    answer = await house.client.post("/api/v1/webhooks", json={"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")


async def hand_in(house: House, **fields: str) -> httpx.Response:
    return await house.client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, data=fields)


async def test_a_tasks_own_webhook(house: House) -> None:
    answer = await hand_in(house, webhook_url=URL, webhook_secret=SECRET)
    assert answer.status_code == 202, answer.text
    task = answer.json()["task_id"]
    (shown,) = (await house.client.get("/api/v1/webhooks", params={"task": task})).json()["webhooks"]
    assert shown["url"] == "https://127.0.0.1/hook?token=***"
    assert shown["task_id"] == task
    log = (await house.client.get(f"/api/v1/webhooks/{shown['id']}/deliveries")).json()["deliveries"]
    assert [each["type"] for each in log] == ["transcription.queued"]
    assert (await house.client.get("/api/v1/webhooks")).json() == {"webhooks": []}
    assert SECRET.removeprefix("whsec_").encode() not in b"".join(house.api.database.rows.tasks.values())


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"webhook_url": URL}, "invalid_options"),
    ({"webhook_secret": SECRET}, "invalid_options"),
    ({"webhook_url": URL, "webhook_secret": "whsec_short"}, "invalid_options"),
    ({"webhook_url": URL, "webhook_secret": SECRET, "reuse": "true"}, "invalid_options"),
    ({"webhook_url": "https://10.0.0.1/", "webhook_secret": SECRET}, "url_not_allowed"),
]


async def test_a_tasks_own_webhook_is_judged_before_there_is_a_task(house: House) -> None:
    for fields, code in REFUSED:
        answer = await hand_in(house, **fields)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert SECRET not in answer.text
    assert house.api.database.rows.tasks == {}
    assert house.api.spooled() == []
