"""D-09: who did what can be asked for each action, holds no content, and outlives what it is about."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from application.audit import Asking, Notes, asked_by, note
from application.manage_quotas import ManageQuotas
from application.ports.audit import AuditFilter
from application.query_audit import PruneAudit
from domain.audit import OPERATOR, Action, Thing, network_of
from domain.errors import DatabaseUnavailable
from domain.quota import UNLIMITED
from domain.task import OwnerId, TaskError, TaskId
from tests.contracts.audit import a_fact
from tests.entrypoints.http_service import Api, a_transcript
from tests.promises.sql_api import SqlApi, database

CANARY = "zyzzogeton"
PASSWORD = f"{CANARY} {CANARY}"
EVERYTHING = AuditFilter()


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with database(request, tmp_path) as made:
        yield made


class Life:
    """Every action once, by a caller whose every word is the canary."""

    def __init__(self, api: SqlApi, client: httpx.AsyncClient) -> None:
        self.api = api
        self.client = client

    async def ask(self, method: str, url: str, expected: int, **more: Any) -> Any:
        answer = await self.client.request(method, f"/api/v1{url}", **more)
        assert answer.status_code == expected, (method, url, answer.text)
        return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else answer

    async def lived(self) -> dict[tuple[Action, Thing], str | None]:
        """Return what must be told: of what, by the id of the object."""
        file = {"files": {"file": (f"{CANARY}.wav", CANARY.encode())}}
        task = (await self.ask("POST", "/transcribe", 202, **file, data={"title": CANARY}))["task_id"]
        await self.ask("PATCH", f"/tasks/{task}", 200, json={"title": f"{CANARY} 2", "tags": [CANARY]})
        await self.api.finish(TaskId(UUID(task)), a_transcript(TaskId(UUID(task))))
        await self.ask("GET", f"/status/{task}", 200)
        await self.ask("GET", f"/result/{task}", 200)
        await self.ask("GET", f"/result/{task}?format=srt", 200)
        await self.ask("GET", f"/tasks/{task}/media", 200)
        await self.ask("PATCH", f"/tasks/{task}/speakers/spk_1", 200, json={"name": CANARY})
        await self.ask("POST", f"/tasks/{task}/revisions", 202, json={"num_speakers": 2})
        failed = (await self.ask("POST", "/transcribe", 202, **file, data={"initial_prompt": CANARY}))["task_id"]
        await self.api.fail(TaskId(UUID(failed)), TaskError("not_media", CANARY))
        retried = (await self.ask("POST", f"/tasks/{failed}/retry", 202))["task_id"]
        await self.ask("POST", f"/tasks/{retried}/cancel", 200)
        clip = (await self.ask("POST", "/audio", 201, **file))["clip_id"]
        await self.ask("GET", f"/audio/{clip}/media", 200)
        await self.ask("DELETE", f"/audio/{clip}", 204)
        await self.ask("DELETE", f"/tasks/{task}", 204)
        key = (await self.ask("POST", "/keys", 201, json={"name": CANARY, "scopes": ["read"]}))["id"]
        await self.ask("PATCH", f"/keys/{key}", 200, json={"name": f"{CANARY} 2"})
        successor = (await self.ask("POST", f"/keys/{key}/rotate", 201, json={}))["id"]
        await self.ask("DELETE", f"/keys/{successor}", 204)
        hook = (await self.ask("POST", "/webhooks", 201, json={"url": f"http://127.0.0.1:65000/{CANARY}"}))["id"]
        await self.ask("PATCH", f"/webhooks/{hook}", 200, json={"description": CANARY})
        await self.ask("POST", f"/webhooks/{hook}/rotate", 200)
        await self.ask("DELETE", f"/webhooks/{hook}", 204)
        return {
            (Action.CREATED, Thing.TASK): task, (Action.CHANGED, Thing.TASK): task,
            (Action.READ, Thing.TRANSCRIPT): task, (Action.EXPORTED, Thing.TRANSCRIPT): task,
            (Action.READ, Thing.RECORDING): task, (Action.EDITED, Thing.TRANSCRIPT): task,
            (Action.REVISED, Thing.TASK): task, (Action.RETRIED, Thing.TASK): failed,
            (Action.CANCELLED, Thing.TASK): retried, (Action.CREATED, Thing.CLIP): clip,
            (Action.READ, Thing.CLIP): clip, (Action.DELETED, Thing.CLIP): clip, (Action.DELETED, Thing.TASK): task,
            (Action.CREATED, Thing.KEY): key, (Action.CHANGED, Thing.KEY): key, (Action.REPLACED, Thing.KEY): key,
            (Action.REVOKED, Thing.KEY): successor, (Action.CREATED, Thing.WEBHOOK): hook,
            (Action.CHANGED, Thing.WEBHOOK): hook, (Action.REPLACED, Thing.WEBHOOK): hook,
            (Action.DELETED, Thing.WEBHOOK): hook,
        }  # fmt: skip


@pytest.mark.timeout(60)
async def test_d09_every_action_can_be_asked_for(engine: AsyncEngine, tmp_path: Path) -> None:
    api = SqlApi(tmp_path, engine)
    caller = await api.issue_key("caller")
    async with api.client(caller) as client:
        expected = await Life(api, client).lived()
        await api.notes.flush()
        now = api.clock.now()
        entries = (await client.get("/api/v1/audit", params={"limit": 500})).json()["entries"]
        told = {(Action(each["action"]), Thing(each["object_kind"])): each for each in entries[::-1]}
        actors = {each["actor"] for each in entries}
        (actor,) = [each for each in actors if each.startswith("key:")]
        assert actors == {actor, "system"}, "the test issued the key itself"
        for (action, thing), about in expected.items():
            asked = {"action": action.value, "object_id": str(about), "actor": actor}
            found = (await client.get("/api/v1/audit", params=asked)).json()["entries"]
            assert thing in {each["object_kind"] for each in found}, asked
            assert all(each["request_id"] and each["address"] == "127.0.0.0/24" for each in found)
            assert all(abs(now - datetime.fromisoformat(each["at"])) < timedelta(minutes=2) for each in found)
        assert told[Action.EXPORTED, Thing.TRANSCRIPT]["detail"] == "srt"
        assert told[Action.DELETED, Thing.TASK]["detail"] == "caller"
        polls = [each for each in entries if each["object_kind"] == "task" and each["action"] == "read"]
        assert polls == [], "nobody's polls are of interest"

        later = now + timedelta(hours=1)
        assert (await client.get("/api/v1/audit", params={"since": later.isoformat()})).json()["entries"] == []
        lines = (await client.get("/api/v1/audit/export")).text.splitlines()
        rows = list(csv.DictReader(io.StringIO((await client.get("/api/v1/audit/export?format=csv")).text)))
        assert {each["id"] for each in entries} <= {json.loads(line)["id"] for line in lines} & {
            row["id"] for row in rows
        }
        first = (await client.get("/api/v1/audit", params={"limit": 2})).json()
        second = (await client.get("/api/v1/audit", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert len({each["id"] for page in (first, second) for each in page["entries"]}) == 4
    await api.notes.close()
    async with engine.connect() as connection:
        dump = repr((await connection.execute(text("SELECT * FROM audit_log"))).fetchall())
    assert CANARY not in dump
    assert not re.search(r"cq_\w|whsec_|\.wav|http", dump)


async def test_d09_logins_and_strangers(tmp_path: Path) -> None:
    api = Api(tmp_path)
    owner, stranger = await api.issue_key("owner"), await api.issue_key("stranger")
    who = {"email": f"{CANARY}@example.org", "password": PASSWORD}
    async with api.client() as client:
        user = (await client.post("/api/v1/auth/register", json=who)).json()
        shown = {"username": who["email"], "password": PASSWORD}
        session = (await client.post("/api/v1/auth/token", json=shown)).json()
        await client.post("/api/v1/auth/token", json=shown | {"password": f"{PASSWORD}!"})
        await client.post("/api/v1/auth/token", json=shown | {"username": "nobody@example.org"})
        headers = {"Authorization": f"Bearer {session['access_token']}"}
        await client.post("/api/v1/auth/logout", headers=headers)
        upload = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers=owner)
        task = upload.json()["task_id"]
        for url in (f"/status/{task}", f"/result/{task}", f"/tasks/{task}/media"):
            assert (await client.get(f"/api/v1{url}", headers=stranger)).status_code == 404
        await api.notes.flush()
        for headers, seen in ((owner, False), (stranger, True)):
            found = (await client.get("/api/v1/audit", params={"object_id": task}, headers=headers)).json()["entries"]
            assert ("refused" in {each["action"] for each in found}) is seen, "told to who asked, and to the operator"
        reader = await api.keys.issue("reader", scopes=[])
        for url in ("/audit", "/audit/export"):
            refused = await client.get(f"/api/v1{url}", headers={"Authorization": f"Bearer {reader[1]}"})
            assert refused.status_code == 403
    async with api.new_uow() as uow:
        entries = await uow.audit.page(EVERYTHING, before=None, limit=99)
    logins = [(each.fact.action, each.fact.object) for each in entries[::-1] if each.fact.thing is Thing.USER]
    known, nobody = user["id"], str(UUID(int=0))
    assert logins == [
        (Action.CREATED, known), (Action.LOGGED_IN, known), (Action.LOGIN_FAILED, known),
        (Action.LOGIN_FAILED, nobody), (Action.LOGGED_OUT, known),
    ]  # fmt: skip
    assert CANARY not in repr(entries)


async def test_d09_the_operator_and_chores_are_named(tmp_path: Path) -> None:
    api = Api(tmp_path)
    owner = OwnerId(UUID(int=7))
    with asked_by(Asking(actor=OPERATOR)):
        await ManageQuotas(new_uow=api.new_uow, quota=UNLIMITED).change(owner, {"tasks": 3})
    await ManageQuotas(new_uow=api.new_uow, quota=UNLIMITED).reset(owner)
    async with api.new_uow() as uow:
        told = [entry.fact for entry in await uow.audit.page(AuditFilter(owner=owner), before=None, limit=9)]
    assert [(fact.actor, fact.action, fact.object) for fact in told] == [
        ("system", Action.DELETED, str(owner)), ("operator", Action.CHANGED, str(owner)),
    ]  # fmt: skip


async def test_d09_what_did_not_happen_is_not_told(tmp_path: Path) -> None:
    api = Api(tmp_path)

    class Breaks(RuntimeError): ...

    async def breaking() -> None:
        async with api.new_uow() as uow:
            await uow.audit.add(a_fact())
            raise Breaks

    with pytest.raises(Breaks):
        await breaking()
    async with api.new_uow() as uow:
        assert list(await uow.audit.page(EVERYTHING, before=None, limit=9)) == []


async def test_d09_reads_wait_half_a_second_and_outlive_a_stop_and_an_outage(tmp_path: Path) -> None:
    api, away = Api(tmp_path), True

    class Fickle(Api):
        def new_uow(self) -> Any:
            if away:
                raise DatabaseUnavailable("the database does not answer")
            return api.new_uow()

    notes = Notes(new_uow=Fickle(tmp_path / "fickle").new_uow)
    with asked_by(Asking(actor="key:1", notes=notes)):
        for _ in range(50):
            note(Action.READ, Thing.TRANSCRIPT, UUID(int=1))
        with pytest.raises(DatabaseUnavailable):
            await notes.flush()
        away = False
        await asyncio.sleep(1.2)
        note(Action.READ, Thing.TRANSCRIPT, UUID(int=2))
    await notes.close()
    async with api.new_uow() as uow:
        told = [entry.fact.object for entry in await uow.audit.page(EVERYTHING, before=None, limit=99)]
    assert told == [str(UUID(int=2)), str(UUID(int=1))], "the same read again and again is told once"


async def test_d09_the_log_forgets_what_is_too_old(engine: AsyncEngine, tmp_path: Path) -> None:
    api = SqlApi(tmp_path, engine)
    async with api.new_uow() as uow:
        for days in (500, 399, 0):
            await uow.audit.add(replace(a_fact(days), age=timedelta(days=days, minutes=5)))
        await uow.commit()
    assert await PruneAudit(new_uow=api.new_uow, kept=None)() == 0
    assert await PruneAudit(new_uow=api.new_uow, kept=timedelta(days=400))() == 1
    assert await PruneAudit(new_uow=api.new_uow, kept=timedelta(days=1))() == 1


def test_d09_a_network_is_kept_of_an_address() -> None:
    assert network_of("10.20.30.40") == "10.20.30.0/24"
    assert network_of("2001:db8:1:2::/64") == "2001:db8:1::/48"
