"""A connection to PostgreSQL that does not wait for ever: a server may be frozen, or the way to it swallow everything.

It must not judge statements that are merely slow: the server ends those sooner, by its `statement_timeout`.
"""

from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

STATEMENT_SECONDS = 10
"""A transaction here takes milliseconds; and a task's lease, 30 s, outlasts a renewal that failed and the next one."""
_ANSWER_SECONDS = STATEMENT_SECONDS + 2.0
"""By now a server that lives has at least refused."""
_LOOK_SECONDS = 0.1
_T = TypeVar("_T")


class ImpatientConnection(AsyncConnection[Any]):
    """Fails, and is closed, when a step has no answer in time."""

    async def wait(self, gen: PQGen[_T], interval: float = _LOOK_SECONDS, timeout: float | None = None) -> _T:  # noqa: ASYNC109 - psycopg's signature
        """Wait for the step's end."""
        try:
            return await super().wait(gen, interval, timeout or _ANSWER_SECONDS)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # the answer may still come, to nobody
                self.pgconn.finish()
            raise
