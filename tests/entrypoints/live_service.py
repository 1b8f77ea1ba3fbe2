"""The API over memory, served by uvicorn in this process, so that a test can change tasks while clients follow them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import websockets

from domain.task import Phase, TaskError, TaskId
from entrypoints.http.app import create_app
from entrypoints.http.ending import Ending, EndingServer
from entrypoints.http.server import listen, uvicorn_config
from tests.entrypoints.http_service import Api


@dataclass
class Live:
    """A server, and the means to do what a worker would."""

    api: Api
    server: EndingServer
    ending: Ending
    port: int
    owner: dict[str, str]
    stranger: dict[str, str]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.base, headers=headers or self.owner, timeout=15, trust_env=False)

    def socket(self, headers: dict[str, str] | None = None, query: str = "", **given: Any) -> websockets.connect:
        return websockets.connect(
            f"ws://127.0.0.1:{self.port}/api/v1/ws{query}",
            additional_headers=self.owner if headers is None else headers, proxy=None, **given,
        )  # fmt: skip

    async def submit(self) -> TaskId:
        async with self.client() as client:
            answer = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")})
        assert answer.status_code == 202, answer.text
        return TaskId(UUID(answer.json()["task_id"]))

    async def advance(self, task_id: TaskId, progress: float, *, stalled: bool = False) -> None:
        async with self.api.new_uow() as uow:
            task = await uow.tasks.get(task_id)
            assert task is not None
            task.advance(
                token=task.token, phase=Phase.TRANSCRIBING, fraction=progress, progress=progress, eta_ms=5_000,
                now=await uow.tasks.now(), stalled=stalled,
            )  # fmt: skip
            await uow.tasks.save(task)
            await uow.commit()

    async def fail(self, task_id: TaskId) -> None:
        await self.api.fail(task_id, TaskError("engine_failed", "it broke"))


@asynccontextmanager
async def live_service(folder: Path) -> AsyncIterator[Live]:
    """Serve until the context ends, unless the test has ended it before."""
    api, ending = Api(folder), Ending()
    with listen("127.0.0.1", 0) as listener:
        app = create_app(api.dependencies, api.limits, ending)
        server = EndingServer(uvicorn_config(app, api.limits), ending, 0.0)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this flag alone
            await asyncio.sleep(0.01)
        owner, stranger = await api.issue_key("owner"), await api.issue_key("stranger")
        try:
            yield Live(api, server, ending, listener.getsockname()[1], owner, stranger)
        finally:
            server.should_exit = True
            await serving


@dataclass(frozen=True)
class ServerSent:
    """One event as a browser would have it."""

    name: str
    id: str
    data: Any


async def server_sent(lines: AsyncIterator[str], comments: list[str] | None = None) -> AsyncIterator[ServerSent]:
    """Read a stream as the HTML standard says; `retry` is an event of its own here, and comments go to their list."""
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            (comments if comments is not None else []).append(line)
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            if "retry" in fields:
                yield ServerSent("retry", "", int(fields["retry"]))
            else:
                yield ServerSent(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}
