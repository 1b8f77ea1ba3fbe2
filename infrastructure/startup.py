"""What must stand before a process can work: folders, tables, and nothing left over from a crash."""

import shutil

from sqlalchemy.exc import OperationalError

from domain.errors import DatabaseUnavailable
from infrastructure.database import migrate
from infrastructure.encryption import refuse_wrong_keys
from infrastructure.settings import Settings


def prepare(settings: Settings) -> None:
    """Make the folders, for this user alone, and bring the database up to date; safe at every start, in any process.

    Raises:
        DatabaseUnavailable: as `prepare_database`.
        NotConfigured: what is stored is encrypted under a key that is not given.
    """
    for folder in (settings.data, settings.blob_dir, settings.spool_dir, settings.resumable_dir, settings.work_dir):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    prepare_database(settings)
    refuse_wrong_keys(settings)


def prepare_database(settings: Settings) -> None:
    """Bring the database up to date, and touch nothing else.

    Raises:
        DatabaseUnavailable: its server does not answer, or lets nobody in.
    """
    try:
        migrate(settings.sql_url)
    except OperationalError as error:
        if settings.alone:
            raise
        raise DatabaseUnavailable(f"the database cannot be used: {error.orig}") from error


def remove_leftovers(settings: Settings) -> None:
    """Empty the spool and the working folder; only for a process that has the data folder to itself."""
    for folder in (settings.spool_dir, settings.work_dir):
        for item in folder.iterdir():
            if item.is_dir():
                shutil.rmtree(item, ignore_errors=True)
            else:
                item.unlink(missing_ok=True)
