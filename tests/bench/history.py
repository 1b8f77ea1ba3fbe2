"""A history of finished tasks, as years of service leave it, put into a database by SQL alone."""

from sqlalchemy import Engine, Uuid, bindparam, insert, text

from adapters.persistence.rows import task_to_row
from adapters.persistence.tables import tasks
from domain.task import OwnerId, TaskStatus
from tests.builders import NOW, a_task

_IDS = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "gen_random_uuid()",
}


def finished(engine: Engine, count: int, owner: OwnerId) -> None:
    """Add so many finished tasks of `owner`."""
    first = task_to_row(a_task(owner=owner, status=TaskStatus.DONE, started_at=NOW, finished_at=NOW, revision=1))
    others = ", ".join(column.name for column in tasks.columns if column.name != "id")
    with engine.begin() as connection:
        connection.execute(insert(tasks).values(first))
        connection.execute(
            text(
                "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"  # noqa: S608
                f" INSERT INTO tasks (id, {others}) SELECT {_IDS[engine.dialect.name]}, {others} FROM tasks, n"
                " WHERE tasks.id = :first"
            ).bindparams(bindparam("first", first["id"], Uuid)),
            {"count": count},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE tasks" if engine.dialect.name == "postgresql" else "SELECT 1"))
