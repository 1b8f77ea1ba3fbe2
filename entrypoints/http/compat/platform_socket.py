"""The dialect `platform`, live: a WebSocket with its token in its path tells of all the caller's unfinished jobs."""

import asyncio
from contextlib import suppress
from typing import Any, cast

import msgspec
from litestar import WebSocket, websocket
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard
from structlog.contextvars import bind_contextvars

from application.admit_caller import AdmitCaller
from application.follow_task import FollowTask
from application.ports.notify import TaskEvent
from application.query_tasks import QueryTasks
from domain.access import Caller, Scope
from domain.errors import CallerRefused, ScopeLacking, TaskNotFound
from domain.task import OwnerId, TaskId
from entrypoints.http.compat.platform import status_name
from entrypoints.http.leaving import ADMIT_AGAIN, Leaving
from entrypoints.http.rates import Zone
from entrypoints.http.sockets import farewell

MOST_JOBS = 50
"""The newest that one connection is told of at a time."""
_LOOK_SECONDS = 1.0
_encoder = msgspec.json.Encoder()


def require_token_in_path(admit: AdmitCaller) -> Guard:
    """Make the guard of routes whose path ends in a token; a key, which lasts, does not belong in an address."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        async def admitted() -> Caller:
            caller = await admit(str(connection.path_params["token"]))
            if caller.user is None and not caller.lent:
                raise CallerRefused("a token is wanted here, from /auth/token or /tokens")
            if Scope.READ not in caller.scopes or caller.task is not None:
                raise ScopeLacking("this needs a token that may read every task")
            bind_contextvars(caller=caller.name)
            return caller

        connection.scope["user"] = await admitted()
        connection.state[ADMIT_AGAIN] = admitted

    return guard


class FollowedJobs:
    """One connection."""

    def __init__(self, socket: WebSocket[Any, Any, Any], owner: OwnerId, tasks: QueryTasks, follow: FollowTask) -> None:
        self._socket = socket
        self._owner = owner
        self._tasks = tasks
        self._follow = follow
        self._telling: dict[TaskId, asyncio.Task[None]] = {}
        self._told: set[TaskId] | None = None
        self._turn = asyncio.Lock()

    async def run(self, leaving: Leaving) -> None:
        """Tell of jobs until the client leaves, or must."""
        talking = [asyncio.ensure_future(each) for each in (self._left(), self._look(), leaving.wait())]
        try:
            await asyncio.wait(talking, return_when=asyncio.FIRST_COMPLETED)
            if talking[-1].done():
                with suppress(WebSocketException, OSError):
                    await self._socket.close(*farewell(leaving))
        finally:
            ending = [*talking, *self._telling.values()]
            for each in ending:
                each.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _left(self) -> None:
        while cast("dict[str, Any]", await self._socket.receive())["type"] != "websocket.disconnect":
            pass

    async def _look(self) -> None:
        while True:
            page = await self._tasks.page(self._owner, before=None, limit=MOST_JOBS)
            if self._told is None:
                self._told = {task.id for task in page if task.status.final}
            self._told &= {task.id for task in page}
            # A job may come and end between two looks: that it did is told too.
            for task in page:
                if task.id not in self._told and task.id not in self._telling:
                    self._telling[task.id] = asyncio.create_task(self._tell(task.id, self._told))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self, task_id: TaskId, told: set[TaskId]) -> None:
        with suppress(TaskNotFound):  # it was deleted meanwhile
            async for event in self._follow(self._owner, task_id):
                async with self._turn:
                    await self._socket.send_data(_encoder.encode(_message(event)).decode())
        told.add(task_id)
        self._telling.pop(task_id, None)


@websocket("/ws/{token:str}", opt={"zone": Zone.WEBSOCKETS})
async def follow_jobs(
    socket: WebSocket[Caller, Any, Any],
    tasks: NamedDependency[QueryTasks],
    follow: NamedDependency[FollowTask],
    leaving: NamedDependency[Leaving],
) -> None:
    """Be told of every job of one's own that has not ended, whenever something changes."""
    await socket.accept()
    await FollowedJobs(socket, socket.user.owner, tasks, follow).run(leaving)


def _message(event: TaskEvent) -> dict[str, Any]:
    details: dict[str, Any] = {"step": event.phase}
    if event.eta_ms is not None:
        details["time_remaining"] = f"{-(-event.eta_ms // 1000)}s"
    if event.error:
        details["error"] = event.error.detail
    return {
        "job_id": event.task_id,
        "status": status_name(event.status),
        # Rounded down, so that 100 is said of a finished job alone.
        "progress": int(event.progress * 100),
        "details": details,
    }
