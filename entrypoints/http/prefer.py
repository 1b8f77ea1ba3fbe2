"""`Prefer: wait=N` and `respond-async` (RFC 7240): waiting for a task's end for as long as the caller does."""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.params import HeaderParameter
from litestar.types import HTTPReceiveMessage

from application.follow_task import FollowTask
from domain.errors import TaskNotFound
from domain.task import OwnerId, TaskId

Prefer = Annotated[
    str | None,
    HeaderParameter(
        name="Prefer",
        description="`wait=30` waits that many seconds for the task's end; `respond-async` does not wait.",
    ),
]
PREFERENCE_APPLIED = ResponseHeader(
    name="Preference-Applied", value="wait=30", description="What of `Prefer` was heeded.", documentation_only=True
)
_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?')


@dataclass(frozen=True, slots=True)
class Preference:
    """What of a `Prefer` header is heeded: seconds to wait at most, or None; other preferences mean nothing here."""

    wait: int | None = None
    respond_async: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The header that says so."""
        applied = ["respond-async"] * self.respond_async + [f"wait={self.wait}"] * (self.wait is not None)
        return {"Preference-Applied": ", ".join(applied)} if applied else {}


def preference(header: str | None, *, most: float) -> Preference:
    """Read the header; nobody waits longer than `most` seconds.

    >>> preference("respond-async, wait=1000", most=60)
    Preference(wait=60, respond_async=True)
    """
    wait, respond_async = None, False
    for part in (header or "").split(","):
        wish = part.partition(";")[0].strip().lower()
        if wish == "respond-async":
            respond_async = True
        elif wait is None and (found := _WAIT.fullmatch(wish)):
            wait = min(int(found[1]), int(most))
    return Preference(wait, respond_async)


class AwaitEnd:
    """Waits for ends of tasks; for `most` seconds at the longest."""

    def __init__(self, follow: FollowTask, most: float) -> None:
        self._follow = follow
        self.most = most

    async def __call__(self, request: Request[Any, Any, Any], owner: OwnerId, task_id: TaskId, seconds: float) -> None:
        """Return when the task has ended or is gone, the time is over, or the caller has hung up."""
        end = asyncio.ensure_future(self._ended(owner, task_id))
        gone = asyncio.ensure_future(hung_up(request))
        try:
            await asyncio.wait({end, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                end.result()
        finally:
            end.cancel()
            gone.cancel()

    async def _ended(self, owner: OwnerId, task_id: TaskId) -> None:
        try:
            async for _ in self._follow(owner, task_id):
                pass
        except TaskNotFound:  # whoever looks next tells so
            return


async def hung_up(request: Request[Any, Any, Any]) -> None:
    """Return when the connection is gone; the body has been read."""
    while cast("HTTPReceiveMessage", await request.receive())["type"] != "http.disconnect":
        pass
