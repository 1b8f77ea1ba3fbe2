"""What became of tasks as PostgreSQL itself saw it: a trigger writes down each change of a status, whoever made it."""

from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import psycopg

_TRIGGER = """
CREATE TABLE seen (
    number bigserial, task text, before text, after text, worker text, attempt int,
    due timestamptz, at timestamptz DEFAULT clock_timestamp()
);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO seen (task, before, after, worker, attempt, due)
    VALUES (NEW.id, OLD.status, NEW.status, coalesce(NEW.lease_worker, OLD.lease_worker), NEW.attempt, NEW.run_after);
    RETURN NULL;
END $$;
CREATE TRIGGER see AFTER UPDATE ON tasks FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION see();
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A task's status changed from `before` to `after`; `worker` holds it then, or held it until then.

    From `due` on it may run.
    """

    task: str
    before: str
    after: str
    worker: str
    attempt: int
    due: datetime
    at: datetime


class History:
    """The changes since the context was entered, over a connection of its own; the tables must be there by then."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+psycopg", "")

    def __enter__(self) -> Self:
        self._connection = psycopg.connect(self._url, autocommit=True)
        self._connection.execute(_TRIGGER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database anything."""
        return self._connection.execute(statement, values).fetchall()

    def now(self) -> datetime:
        """The database's clock, which the changes are told by."""
        now: datetime = self.rows("SELECT clock_timestamp()")[0][0]
        return now

    def changes(self, task: str | None = None) -> list[Change]:
        """Return the changes of a task, or of all, in their order."""
        rows = self.rows("SELECT task, before, after, worker, attempt, due, at FROM seen ORDER BY number")
        return [Change(*row) for row in rows if task in {None, row[0]}]

    def held(self) -> dict[str, int]:
        """Return which task is held by which process."""
        return {
            task: int(worker.split(":")[1])
            for task, worker in self.rows("SELECT id::text, lease_worker FROM tasks WHERE lease_worker IS NOT NULL")
        }

    def holder(self, task: str) -> int | None:
        """Return the process that holds the task."""
        return self.held().get(task)
