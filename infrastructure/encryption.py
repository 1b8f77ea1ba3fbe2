"""What stands between the service and its stores when ENCRYPTION_KEYS are given, and whether they are the right ones.

No key leaves it, and no name of one but its id.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.keyring import Keyring, OperatorKey, refuse_strangers
from adapters.persistence.tables_vault import vault_keys
from adapters.storage.encrypted import EncryptedBlobStore
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from application.ports.system import IdFactory
from infrastructure.database import blocking_engine
from infrastructure.encrypt_old import EncryptOld
from infrastructure.settings import Settings


def make_vault(settings: Settings, new_uow: NewUnitOfWork, ids: IdFactory) -> Keyring | None:
    """Return the vault, None where nothing is encrypted; `new_uow` must not need one."""
    return Keyring(settings.encryption.operator_keys(), new_uow, ids) if settings.encryption.on else None


def guarded(settings: Settings, stored: BlobStore, vault: Keyring | None) -> BlobStore:
    """Return the store that encrypts into `stored`, or `stored` itself."""
    if vault is None:
        return stored
    return EncryptedBlobStore(stored, vault, accept_plain=settings.encryption.plain == "read")


def make_encrypt_old(
    stored: BlobStore, blobs: BlobStore, new_uow: NewUnitOfWork, database: AsyncEngine, vault: Keyring | None
) -> EncryptOld | None:
    """Return what encrypts what is not yet, None where nothing is to be."""
    if vault is None or not isinstance(blobs, EncryptedBlobStore):
        return None
    return EncryptOld(stored, blobs, new_uow, database, vault)


def refuse_wrong_keys(settings: Settings) -> None:
    """Compare the keys with what is stored; blocking, at every start, before anything is read or written.

    Raises:
        NotConfigured: something is encrypted under a key that is not given; its id is named.
    """
    engine = blocking_engine(settings.sql_url)
    try:
        with engine.connect() as connection:
            refuse_other_keys(settings, connection.execute(select(vault_keys.c.under).distinct()).scalars())
    finally:
        engine.dispose()


def refuse_other_keys(settings: Settings, wanted: Iterable[str]) -> None:
    """Make sure that each of these ids is of a key that is given; raises as above."""
    refuse_strangers(set(wanted), {OperatorKey(key).id for key in settings.encryption.operator_keys()})
