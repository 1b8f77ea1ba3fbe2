"""What Alembic runs: the migrations, on the connection that `database.migrate` hands it.

Developers name a database instead: `alembic -x url=sqlite+aiosqlite:///PATH revision --autogenerate -m "what changes"`.
"""

from typing import Literal

from alembic import context
from sqlalchemy import Connection

from adapters.persistence import sql  # noqa: F401 - it brings every table
from adapters.persistence.tables import UtcDateTime, metadata
from infrastructure.database import blocking_engine


def _frozen_types(kind: str, item: object, _: object) -> str | Literal[False]:
    # A migration must mean the same next year: it names no type of ours.
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,  # SQLite cannot alter a table in place: batch mode copies it
        render_item=_frozen_types,
        transactional_ddl=True,
    )
    context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    _run(handed)
else:
    engine = blocking_engine(context.get_x_argument(as_dictionary=True)["url"])
    with engine.begin() as own:
        _run(own)
    engine.dispose()
