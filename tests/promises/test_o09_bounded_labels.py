"""O-09: whatever callers send, the labels of the numbers stay few, and no id, path or name of theirs is among them.

Scans of paths that do not exist make no routes; a call that is turned away is counted by its zone and nothing else.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.observability import catalogue
from adapters.system import Uuid7Factory
from domain.access import Scope
from infrastructure.settings import PROJECT
from tests.entrypoints.http_routes import WEBSOCKET, every_route
from tests.entrypoints.http_service import Api
from tests.scrapes import Scrape

_new_id = Uuid7Factory().new
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}|cq_", re.IGNORECASE)
_MARK = "mallory"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as made:
        yield made


async def shown(client: httpx.AsyncClient, headers: dict[str, str]) -> Scrape:
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.content)


async def test_o09_labels_stay_few_and_hold_nothing_of_the_callers(api: Api, client: httpx.AsyncClient) -> None:
    _, secret = await api.keys.issue("admin")
    headers = {"Authorization": f"Bearer {secret}"}
    routes = [route for route in every_route(api.app()) if route.method != WEBSOCKET]
    seen: list[dict[tuple[str, str], set[str]]] = []
    for turn in range(2):
        for number, route in enumerate(routes):
            values = {name: str(_new_id()) if kind == "uuid" else f"{_MARK}{turn}" for name, kind in
                      route.parameters.items()}  # fmt: skip
            values |= {name: str(number) for name, kind in route.parameters.items() if kind == "int"}
            auth = headers if number % 2 else {"Authorization": f"Bearer {_MARK}-{_new_id()}"}
            await client.request(route.method, route.path(**values), headers=auth, params={"q": f"{_MARK} {_new_id()}"})
        for scan in (f"/{_MARK}/{_new_id()}", f"/wp-{turn}.php", f"/api/v1/{_MARK}{turn}", f"/api/v1/tasks/{_MARK}"):
            await client.get(scan, headers=headers)
            await client.request(f"{_MARK.upper()}{turn}", scan, headers=headers)
        form = {"file": (f"{_MARK}-{_new_id()}.wav", b"RIFF" * 20)}
        await client.post("/api/v1/transcribe", headers=headers, files=form, data={"title": f"{_MARK} {turn}"})
        seen.append((await shown(client, headers)).label_values())
    first, *_, labels = seen
    words = {word for found in labels.values() for word in found}
    assert not [word for word in words if _MARK in word.lower() or _ID.search(word)]
    name = "colloquy_http_request_duration_seconds_count"
    templates = {re.sub(r":\w+}", "}", route.template) for route in routes}
    assert labels[name, "route"] <= templates | {"unmatched"}
    assert len(labels[name, "route"]) > len(routes) / 3, "most of them were asked"
    assert labels[name, "route"] == first[name, "route"] | {"/metrics"}, "later turns brought nothing new"
    assert labels[name, "method"] <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
    assert all(re.fullmatch("[1-5][0-9]{2}", status) for status in labels[name, "status"])


async def test_o09_a_scan_of_paths_is_one_series(api: Api, client: httpx.AsyncClient) -> None:
    _, secret = await api.keys.issue("admin")
    headers = {"Authorization": f"Bearer {secret}"}
    for number in range(50):
        await client.get(f"/admin{number}/{_new_id()}")
    scrape = await shown(client, headers)
    name = "colloquy_http_request_duration_seconds_count"
    assert scrape.by(name, "route") == {"unmatched": 50.0}


async def test_o09_the_apis_numbers_need_the_scope_admin(api: Api, client: httpx.AsyncClient) -> None:
    assert (await client.get("/metrics")).status_code == 401
    for scope, status in ((Scope.READ, 403), (Scope.WRITE, 403), (Scope.ADMIN, 200)):
        _, secret = await api.keys.issue(scope, scopes=frozenset({scope}))
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == status
        assert (b"colloquy_" in answer.content) == (status == 200)


def test_o09_the_readme_lists_every_number() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(colloquy_\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    ours = {series.full: ", ".join(f"`{label}`" for label in series.labels) for series in catalogue.CATALOGUE}
    assert {name: labels.strip() for name, labels in listed.items()} == ours
