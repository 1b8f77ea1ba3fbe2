"""Following many tasks over one WebSocket: clients say which, and are told of each until it ends."""

import asyncio
from contextlib import suppress
from typing import Any, cast

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketException
from msgspec import UNSET, Struct, UnsetType

from application.follow_task import FollowTask
from application.ports.notify import TaskEvent
from domain.access import Caller
from domain.errors import TaskNotFound
from domain.task import OwnerId, TaskError, TaskId, TaskStatus
from entrypoints.http.event_stream import PING_SECONDS
from entrypoints.http.leaving import Leaving
from entrypoints.http.live import failure_fields, kind_of, state_fields
from entrypoints.http.problem_types import job_problem
from entrypoints.http.rates import Zone

MAX_SUBSCRIPTIONS = 100
"""Tasks that one connection follows at a time; one that has ended counts no more."""
MAX_MISTAKES = 20
"""Frames in a row that nobody can understand; whoever sends more is no client."""
RESTARTING, REFUSED = 1012, 1008
"""Close codes of RFC 6455 and its registry: come back in a moment, and do not."""
_encoder = msgspec.json.Encoder()


class _Frame(Struct, forbid_unknown_fields=True):
    """What a client may say, all in one or one by one."""

    subscribe: list[str] = []
    unsubscribe: list[str] = []
    type: str | UnsetType = UNSET


class FollowedTasks:
    """One connection. What it is told waits in one place for each task, where a later state replaces an earlier one."""

    def __init__(self, socket: WebSocket[Any, Any, Any], owner: OwnerId, follow: FollowTask) -> None:
        self._socket = socket
        self._owner = owner
        self._follow = follow
        self._following: dict[TaskId, asyncio.Task[None]] = {}
        self._waiting: dict[TaskId, TaskEvent] = {}
        self._filled = asyncio.Event()
        self._turn = asyncio.Lock()

    async def run(self, leaving: Leaving) -> None:
        """Talk until the client leaves, or must."""
        talking = [asyncio.ensure_future(each) for each in (self._listen(), self._tell(), leaving.wait())]
        try:
            await asyncio.wait(talking, return_when=asyncio.FIRST_COMPLETED)
            if talking[-1].done():
                await self._close(*farewell(leaving))
        finally:
            ending = [*talking, *self._following.values()]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _listen(self) -> None:
        mistakes = 0
        while mistakes <= MAX_MISTAKES:
            message = cast("dict[str, Any]", await self._socket.receive())
            if message["type"] == "websocket.disconnect":
                return
            try:
                frame = msgspec.json.decode(message.get("text") or message.get("bytes") or b"", type=_Frame)
            except (msgspec.MsgspecError, UnicodeError):
                frame = _Frame()
            if known := frame.subscribe or frame.unsubscribe or frame.type == "ping":
                await self._heed(frame)
            else:
                detail = 'expected {"subscribe": [ids]}, {"unsubscribe": [ids]} or {"type": "ping"}'
                await self._refuse(TaskError("malformed_request", detail))
            mistakes = 0 if known else mistakes + 1
        await self._close(REFUSED, "too many frames that make no sense")

    async def _heed(self, frame: _Frame) -> None:
        for text in frame.unsubscribe:
            if (task_id := _id(text)) and (following := self._following.pop(task_id, None)):
                following.cancel()
                self._waiting.pop(task_id, None)
        for text in dict.fromkeys(frame.subscribe):
            task_id = _id(text)
            if task_id is None:
                await self._refuse(TaskError("not_found", f"there is no task {text[:64]}"), text[:64])
            elif task_id not in self._following and len(self._following) >= MAX_SUBSCRIPTIONS:
                most = f"one connection follows at most {MAX_SUBSCRIPTIONS} tasks at a time"
                await self._refuse(TaskError("too_many_subscriptions", most), text)
            elif task_id not in self._following:
                self._following[task_id] = asyncio.create_task(self._hear(task_id))
        if frame.subscribe or frame.unsubscribe:
            await self._send("subscriptions", {"task_ids": list(self._following)})
        if frame.type == "ping":
            await self._send("pong", {})

    async def _hear(self, task_id: TaskId) -> None:
        try:
            async for event in self._follow(self._owner, task_id):
                self._waiting[task_id] = event
                self._filled.set()
        except TaskNotFound:
            await self._refuse(TaskError("not_found", f"there is no task {task_id}"), str(task_id))
        except Exception as error:  # noqa: BLE001 - the others go on; this one may be asked for again
            await self._send("refused", failure_fields(error, task_id))
        self._following.pop(task_id, None)

    async def _tell(self) -> None:
        before: dict[TaskId, TaskStatus] = {}
        while True:
            try:
                await asyncio.wait_for(self._filled.wait(), PING_SECONDS)
            except TimeoutError:
                await self._send("heartbeat", {})
            self._filled.clear()
            while self._waiting:
                task_id = next(iter(self._waiting))
                event = self._waiting.pop(task_id)
                await self._send(kind_of(event, before.get(task_id)), state_fields(event))
                before[task_id] = event.status
                before = {each: status for each, status in before.items() if each in self._following}

    async def _refuse(self, error: TaskError, task_id: str | None = None) -> None:
        await self._send("refused", {"task_id": task_id, "error": job_problem(error)})

    async def _send(self, kind: str, fields: dict[str, Any]) -> None:
        async with self._turn:
            await self._socket.send_data(_encoder.encode({"type": kind, **fields}).decode())

    async def _close(self, code: int, reason: str) -> None:
        with suppress(WebSocketException, OSError):
            await self._socket.close(code=code, reason=reason)


def farewell(leaving: Leaving) -> tuple[int, str]:
    """Return the close code and the reason for a client that must leave."""
    if leaving.restarting:
        return RESTARTING, "the service restarts: connect again"
    return REFUSED, "the credential is not good any more"


@websocket("/ws", opt={"zone": Zone.WEBSOCKETS})
async def follow_tasks(
    socket: WebSocket[Caller, Any, Any], follow: NamedDependency[FollowTask], leaving: NamedDependency[Leaving]
) -> None:
    """Follow many tasks of one's own: the client names them, and is told of each state until the last."""
    await socket.accept()
    await FollowedTasks(socket, socket.user.owner, follow).run(leaving)


def _id(text: str) -> TaskId | None:
    try:
        return msgspec.convert(text, type=TaskId)
    except msgspec.ValidationError:
        return None
