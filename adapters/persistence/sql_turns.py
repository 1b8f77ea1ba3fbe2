"""The statements that find whose turn it is; the order itself is `domain.turns`'s.

They read queued rows only, by the partial index of them, so that the length of the history does not matter; and of
those one row for each line and the few that are asked for, so that the length of a line hardly does.
"""

from sqlalchemy import ARRAY, Integer, TextClause, Uuid, bindparam, text

from adapters.persistence.tables import UtcDateTime

_STANDING = (
    "(SELECT count(*) FROM tasks AS r WHERE r.lease_until IS NOT NULL AND r.priority = line.priority"
    " AND r.owner = line.owner) AS running,"
    " (SELECT s.served_at FROM turns AS s WHERE s.priority = line.priority AND s.owner = line.owner) AS served_at"
)

# Each step of the recursion jumps to the first row of the next line: of another owner, or of the next priority. SQLite
# would walk through the whole line if the two were one comparison of pairs.
LINES = (
    text(
        "WITH RECURSIVE line (id, priority, owner, run_after) AS ("  # noqa: S608 - all of it is constant
        "SELECT id, priority, owner, run_after FROM (SELECT id, priority, owner, run_after FROM tasks"
        " WHERE status = 'queued' ORDER BY priority, owner, run_after, id LIMIT 1) AS first"
        " UNION ALL SELECT n.id, n.priority, n.owner, n.run_after FROM line JOIN tasks AS n ON n.id = coalesce("
        "(SELECT t.id FROM tasks AS t WHERE t.status = 'queued' AND t.priority = line.priority AND t.owner > line.owner"
        " ORDER BY t.owner, t.run_after, t.id LIMIT 1),"
        " (SELECT t.id FROM tasks AS t WHERE t.status = 'queued' AND t.priority > line.priority"
        " ORDER BY t.priority, t.owner, t.run_after, t.id LIMIT 1)))"
        f" SELECT line.id, line.priority, line.owner, line.run_after, {_STANDING},"
        " (SELECT max(c.served_at) FROM turns AS c WHERE c.priority = line.priority) AS priority_served_at"
        " FROM line WHERE line.run_after <= :now"
    )
    .bindparams(bindparam("now", type_=UtcDateTime))
    .columns(
        id=Uuid, priority=Integer, owner=Uuid, run_after=UtcDateTime, running=Integer, served_at=UtcDateTime,
        priority_served_at=UtcDateTime,
    )
)  # fmt: skip

# Each step goes on to the next task of the same line, `most` steps in each.
FOLLOWERS = (
    text(
        "WITH RECURSIVE chain (id, priority, owner, run_after, place) AS ("
        "SELECT id, priority, owner, run_after, 1 FROM tasks WHERE id IN :heads"
        " UNION ALL SELECT n.id, n.priority, n.owner, n.run_after, chain.place + 1 FROM chain JOIN tasks AS n ON n.id ="
        " (SELECT t.id FROM tasks AS t WHERE t.status = 'queued'"
        " AND t.priority = chain.priority AND t.owner = chain.owner"
        " AND (t.run_after, t.id) > (chain.run_after, chain.id) AND t.run_after <= :now"
        " ORDER BY t.run_after, t.id LIMIT 1) WHERE chain.place < :most)"
        " SELECT id, priority, owner, run_after FROM chain ORDER BY place"
    )
    .bindparams(bindparam("heads", type_=Uuid, expanding=True), bindparam("now", type_=UtcDateTime))
    .columns(id=Uuid, priority=Integer, owner=Uuid, run_after=UtcDateTime)
)

LENGTHS = (
    text(
        f"SELECT line.*, {_STANDING} FROM (SELECT priority, owner,"  # noqa: S608 - as above
        " min(run_after) AS oldest, count(*) AS length FROM tasks WHERE status = 'queued' AND priority >= :priority"
        " AND run_after <= :by GROUP BY priority, owner) AS line"
    )
    .bindparams(bindparam("by", type_=UtcDateTime))
    .columns(priority=Integer, owner=Uuid, oldest=UtcDateTime, length=Integer, running=Integer, served_at=UtcDateTime)
)

BEFORE_IN_LINE = text(
    "SELECT count(*) FROM tasks WHERE status = 'queued' AND priority = :priority AND owner = :owner"
    " AND (run_after, id) < (:run_after, :id)"
).bindparams(
    bindparam("owner", type_=Uuid), bindparam("run_after", type_=UtcDateTime), bindparam("id", type_=Uuid)
)  # fmt: skip

# Locked, so that the claim cannot fail, without waiting for those who claim the ones before it.
FIRST_FREE = (
    text(
        "SELECT t.id FROM unnest(:ids) WITH ORDINALITY AS c (id, place) JOIN tasks AS t ON t.id = c.id"
        " WHERE t.status = 'queued' ORDER BY c.place LIMIT 1 FOR UPDATE OF t SKIP LOCKED"
    )
    .bindparams(bindparam("ids", type_=ARRAY(Uuid)))
    .columns(id=Uuid)
)


def _take_turn(condition: str) -> TextClause:
    return text(
        f"INSERT INTO turns (priority, owner, served_at) SELECT :priority, :owner, :at WHERE {condition}"
        " ON CONFLICT (priority, owner) DO UPDATE SET served_at = excluded.served_at"
    ).bindparams(
        bindparam("priority", type_=Integer), bindparam("owner", type_=Uuid), bindparam("at", type_=UtcDateTime)
    )  # fmt: skip


# Who finds another noting a turn of this very line leaves it at that, for the instant is the same.
TAKE_TURN = {
    "sqlite": _take_turn("true"),
    "postgresql": _take_turn("pg_try_advisory_xact_lock(hashtextextended(CAST(:owner AS text), :priority))"),
}

QUEUE_LENGTH = text(
    "SELECT count(*) AS every, count(*) FILTER (WHERE owner = :owner) AS own FROM tasks WHERE status = 'queued'"
).bindparams(bindparam("owner", type_=Uuid))

# Whoever holds the queue and is then silent, a frozen process say, gives way after five seconds.
HOLD_QUEUE = text(
    f"SELECT pg_advisory_xact_lock({0x0C011082}), set_config('idle_in_transaction_session_timeout', '5s', true)"
)
