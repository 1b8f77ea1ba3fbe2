"""Issuing, listing and revoking API keys."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock, IdFactory
from domain.access import PREFIX, ApiKey, KeyId, digest, new_secret
from domain.errors import InvalidOptions
from domain.task import OwnerId

LOCAL_OWNER = OwnerId(UUID(int=0))
"""Whoever runs this installation from its own machine."""
_HINT_LENGTH = len(PREFIX) + 4


class ManageApiKeys:
    """Keeps the keys of an installation; a secret is seen once, when it is issued."""

    def __init__(self, *, new_uow: NewUnitOfWork, clock: Clock, ids: IdFactory) -> None:
        self._new_uow = new_uow
        self._clock = clock
        self._ids = ids

    async def issue(
        self, name: str, *, owner: OwnerId | None = None, replace_named: bool = False
    ) -> tuple[ApiKey, str]:
        """Make a key and return it with its secret; a new owner unless one is given.

        `replace_named` revokes live keys of that name and owner, so that a restart leaves one key and not many.
        """
        secret = new_secret()
        key = ApiKey(
            id=KeyId(self._ids.new()),
            owner=owner if owner is not None else OwnerId(self._ids.new()),
            name=name,
            digest=digest(secret),
            hint=secret[:_HINT_LENGTH],
            created_at=self._clock.now(),
        )
        async with self._new_uow() as uow:
            for old in await uow.api_keys.all() if replace_named else ():
                if old.name == name and old.owner == key.owner and old.revoked_at is None:
                    await uow.api_keys.add(replace(old, revoked_at=key.created_at))
            await uow.api_keys.add(key)
            await uow.commit()
        return key, secret

    async def list(self) -> Sequence[ApiKey]:
        """Return every key, oldest first, revoked ones too."""
        async with self._new_uow() as uow:
            return await uow.api_keys.all()

    async def revoke(self, key_id: UUID) -> ApiKey:
        """Shut a key out from the next request on; revoking twice changes nothing.

        Raises:
            InvalidOptions: there is no such key.
        """
        async with self._new_uow() as uow:
            key = await uow.api_keys.get(key_id)
            if key is None:
                raise InvalidOptions(f"there is no key {key_id}")
            if key.revoked_at is None:
                key = replace(key, revoked_at=self._clock.now())
                await uow.api_keys.add(key)
                await uow.commit()
        return key
