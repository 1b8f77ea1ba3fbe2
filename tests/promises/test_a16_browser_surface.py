"""A-16: whatever is asked, by whatever route, the answer shows a browser a closed surface; no transcript is a page."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import UUID

import httpx
import pytest

from application.rendering.registry import FORMATS
from domain.task import TaskId
from entrypoints.http.app import create_app
from entrypoints.http.client_address import TrustedProxies
from tests.entrypoints.http_routes import WEBSOCKET, every_route, refusal
from tests.entrypoints.http_service import Api, a_transcript

CLOSED = {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}
NONCE = re.compile(r'<link rel="stylesheet" href="/docs/style.css" nonce="([\w-]{16,})">')
ACTIVE = re.compile(r"html|xml|svg|javascript")
SAME = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path, max_upload=100_000)


def closed(answer: httpx.Response, *, page: bool = False) -> None:
    """Judge the headers of one answer."""
    of = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
    [policy] = answer.headers.get_list("content-security-policy")
    rules = set(policy.split("; "))
    assert rules >= CLOSED, of
    assert rules - CLOSED == {f"style-src 'nonce-{nonce}'" for nonce in NONCE.findall(answer.text) if page}, of
    for name, value in SAME.items():
        assert answer.headers.get_list(name) == [value], (of, name)
    assert "microphone=()" in answer.headers["permissions-policy"]
    assert {"no-store", "no-cache"} & set(answer.headers["cache-control"].split(", ")), of
    assert "public" not in answer.headers["cache-control"], of
    assert page or not ACTIVE.search(answer.headers.get("content-type", "")), of
    assert "strict-transport-security" not in answer.headers, of


async def test_a16_every_route_answers_everybody_so(api: Api) -> None:
    key = await api.issue_key()
    app, codes = api.app(), set[int]()
    routes = every_route(app)
    async with api.client() as client:
        for route in routes:
            if route.method == WEBSOCKET:
                continue
            page = route.path().startswith("/docs")
            for headers in ({}, key, {"Authorization": "Bearer wrong"}):
                answer = await client.request(route.method, route.path(), headers=headers)
                closed(answer, page=page)
                codes.add(answer.status_code)
            closed(await client.request("OPTIONS", route.path(), headers=key), page=page)
            closed(await client.request("BREW", route.path(), headers=key), page=page)
    assert codes >= {200, 401, 404, 422}
    for route in routes:
        if route.method == WEBSOCKET:
            status, _ = await refusal(app, route.path(), {})
            assert status == 401


async def test_a16_the_reference_loads_its_style_by_a_nonce_of_its_own(api: Api) -> None:
    async with api.client() as client:
        pages = [await client.get("/docs") for _ in range(2)]
    for page in pages:
        closed(page, page=True)
        assert not re.search(r"<script|<style|<img|<iframe| style=| on\w+=", page.text), "nothing else is in it"
    assert len({nonce for page in pages for nonce in NONCE.findall(page.text)}) == 2


async def test_a16_failures_are_no_less_closed(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        for answer in (
            await client.get("/nowhere"),
            await client.get("/%00"),
            await client.get("/api/v1/tasks", headers={"X-Long": "x" * 40_000}),
            await client.post("/api/v1/keys", content=b"{", headers={"Content-Type": "application/json"}),
            await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"x" * 200_000)}),
            await client.put("/api/v1/tasks"),
        ):
            assert answer.status_code >= 400
            closed(answer)
        api.health = lambda: {"database": "down"}
        closed(await client.get("/health/ready"))
    broken = replace(api.dependencies, tasks=None)  # type: ignore[arg-type]
    app = cast("Callable[..., Awaitable[None]]", create_app(broken, api.limits))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=await api.issue_key()) as client:
        answer = await client.get("/api/v1/tasks")
    assert answer.status_code == 500
    closed(answer)


async def test_a16_a_transcript_is_never_a_page(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        made = await client.post("/api/v1/transcribe", files={"file": ("<b>.html", b"RIFF0000WAVE", "text/html")})
        task = TaskId(UUID(made.json()["task_id"]))
        await api.finish(task, a_transcript(task))
        for name in FORMATS:
            answer = await client.get(f"/api/v1/result/{task}?format={name}", headers={"Accept": "text/html"})
            assert answer.status_code == 200, answer.text
            closed(answer)
        media = await client.get(f"/api/v1/tasks/{task}/media")
        assert media.status_code == 200
        assert media.headers["content-disposition"].startswith("attachment")
        closed(media)


async def test_a16_https_is_demanded_of_those_who_came_by_it(api: Api) -> None:
    dependencies = replace(api.dependencies, proxies=TrustedProxies(["10.0.0.0/8"]))
    app = cast("Callable[..., Awaitable[None]]", create_app(dependencies, api.limits))
    for peer, headers, encrypted in (
        (PROXY, {"x-forwarded-proto": "https"}, True),
        (PROXY, {"x-forwarded-proto": "HTTPS"}, True),
        (PROXY, {"x-forwarded-proto": "http"}, False),
        (PROXY, {}, False),
        (PROXY, {"x-forwarded-proto": "https", "host": "localhost:8443"}, False),
        (STRANGER, {"x-forwarded-proto": "https"}, False),
        (STRANGER, {"forwarded": "proto=https"}, False),
    ):
        transport = httpx.ASGITransport(app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            for path in ("/health", "/docs/style.css", "/nowhere"):
                told = (await client.get(path)).headers.get("strict-transport-security")
                assert told == ("max-age=31536000" if encrypted else None), (peer, headers, path)
