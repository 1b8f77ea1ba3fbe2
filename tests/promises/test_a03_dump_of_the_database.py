"""A-03: who gets hold of the database, or of a backup, gets in nowhere with what stands there."""

import base64
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.backup_rows import dump_rows
from tests.promises.sql_api import SqlApi, database

EMAIL = "ann@example.org"


async def issued(api: SqlApi, client: httpx.AsyncClient) -> dict[str, str]:
    """Have every kind of secret made that a caller can be given, and use each; return them by what they are."""
    passwords = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
    _, first = await api.keys.issue("first")
    head = {"Authorization": f"Bearer {first}"}
    made = (await client.post("/api/v1/keys", json={"name": "second", "scopes": ["read"]}, headers=head)).json()
    turned = (await client.post(f"/api/v1/keys/{made['id']}/rotate", json={}, headers=head)).json()
    user = {"email": EMAIL, "password": passwords[0]}
    assert (await client.post("/api/v1/auth/register", json=user)).status_code == 201
    form = {"username": EMAIL, "password": passwords[0]}
    session = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    change = {"current_password": passwords[0], "new_password": passwords[1]}
    changed = await client.post("/api/v1/auth/password", json=change, headers={"Authorization": f"Bearer {session}"})
    assert changed.status_code == 204
    again = (await client.post("/api/v1/auth/token", data=form | {"password": passwords[1]})).json()["access_token"]
    lent = (await client.post("/api/v1/tokens", json={"scopes": ["read"]}, headers=head)).json()["token"]
    for good in (first, turned["secret"], again, lent):
        assert (await client.get("/api/v1/tasks", headers={"Authorization": f"Bearer {good}"})).status_code == 200
    return {
        "key": first, "key made over HTTP": made["secret"], "successor": turned["secret"], "password": passwords[1],
        "earlier password": passwords[0], "ended session": session, "session": again, "lent token": lent,
        "signing key": base64.b64encode(api.signing_key).decode(),
    }  # fmt: skip


def disguises(secret: str) -> set[bytes]:
    """A secret as it is, and in what it may be dressed; of a token also its signature."""
    plain = secret.encode()
    parts = {plain, plain.rpartition(b".")[2], plain.removeprefix(b"cq_")}
    return parts | {
        dressed
        for part in parts
        for dressed in (part.hex().encode(), base64.b64encode(part).rstrip(b"="), quote(part).encode(), part[::-1])
    }


async def dumped(engine: AsyncEngine, folder: Path) -> bytes:
    """All that the database holds: its rows, a backup, and the files, where it is a file."""
    url = engine.url.render_as_string(hide_password=False)
    (folder / "backup").mkdir()
    dump_rows(url, folder / "backup")
    async with engine.connect() as connection:
        listing = "sqlite_master" if engine.dialect.name == "sqlite" else "pg_tables"
        column, where = (
            ("name", "type = 'table'") if listing == "sqlite_master" else ("tablename", "schemaname = 'public'")
        )
        tables = (await connection.execute(text(f"SELECT {column} FROM {listing} WHERE {where}"))).scalars().all()  # noqa: S608
        assert {"users", "sessions", "api_keys", "tasks"} <= set(tables)
        rows: list[Any] = []
        for table in tables:
            rows += (await connection.execute(text(f'SELECT * FROM "{table}"'))).all()  # noqa: S608 - its own name
    files = [*(folder / "backup").iterdir(), *folder.glob("test.sqlite3*")]
    return b"".join([repr(rows).encode(), *(path.read_bytes() for path in files)])


@pytest.fixture(params=["sqlite", "postgres"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    async with database(request, tmp_path) as opened:
        yield opened


async def test_a03_a_dump_holds_no_secret(engine: AsyncEngine, tmp_path: Path) -> None:
    api = SqlApi(tmp_path, engine)
    async with api.client() as client:
        made = await issued(api, client)
    held = await dumped(engine, tmp_path)
    assert EMAIL.encode() in held, "the dump is one"
    for what, secret in made.items():
        assert not [each for each in disguises(secret) if each in held], what
