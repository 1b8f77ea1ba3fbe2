"""Issuing, listing, changing, replacing and revoking API keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from application.audit import note_refusal, record
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.system import Clock, IdFactory
from domain.access import ALL_SCOPES, PREFIX, ApiKey, KeyId, Scope, digest, new_secret
from domain.audit import Action, Thing
from domain.errors import InvalidOptions, KeyNotFound, ScopeLacking, WrongState
from domain.task import OwnerId

LOCAL_OWNER = OwnerId(UUID(int=0))
"""Whoever runs this installation from its own machine."""
_HINT_LENGTH = len(PREFIX) + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What becomes of a key; None leaves it as it is. `expires_in` counts from now."""

    name: str | None = None
    scopes: frozenset[Scope] | None = None
    expires_in: timedelta | None = None


class ManageApiKeys:
    """Keeps the keys of an installation; a secret is seen once, when it is issued.

    Where an `owner` is given, other owners' keys are as if they were not there. A change, a replacement or a
    revocation counts from the next request on, in every process.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, clock: Clock, ids: IdFactory) -> None:
        self._new_uow = new_uow
        self._clock = clock
        self._ids = ids

    async def issue(
        self, name: str, *, owner: OwnerId | None = None, priority: int = 0, replace_named: bool = False,
        scopes: Iterable[Scope] = ALL_SCOPES, expires_in: timedelta | None = None,
    ) -> tuple[ApiKey, str]:  # fmt: skip
        """Make a key and return it with its secret; a new owner unless one is given.

        `replace_named` revokes live keys of that name and owner, so that a restart leaves one key and not many.
        """
        now = self._clock.now()
        key, secret = self._made(
            ApiKey(
                id=KeyId(self._ids.new()), owner=owner if owner is not None else OwnerId(self._ids.new()), name=name,
                digest="", hint="", created_at=now, priority=priority, scopes=frozenset(scopes),
                expires_at=None if expires_in is None else now + expires_in,
            )
        )  # fmt: skip
        async with self._new_uow() as uow:
            for old in await uow.api_keys.all() if replace_named else ():
                if old.name == name and old.owner == key.owner and old.revoked_at is None:
                    await uow.api_keys.add(replace(old, revoked_at=key.created_at))
                    await record(uow, Action.REVOKED, Thing.KEY, old.id, owner=old.owner)
            await uow.api_keys.add(key)
            await record(uow, Action.CREATED, Thing.KEY, key.id, owner=key.owner)
            await uow.commit()
        return key, secret

    async def list(self, *, owner: OwnerId | None = None) -> Sequence[ApiKey]:
        """Return every key, or the owner's, oldest first, revoked ones too."""
        async with self._new_uow() as uow:
            return [key for key in await uow.api_keys.all() if owner in {None, key.owner}]

    async def get(self, key_id: UUID, *, owner: OwnerId) -> ApiKey:
        """Return the key.

        Raises:
            KeyNotFound: the owner has no such key.
        """
        async with self._new_uow() as uow:
            return await _held(uow, key_id, owner)

    async def change(self, key_id: UUID, change: KeyChange, *, owner: OwnerId) -> ApiKey:
        """Change a key.

        Raises:
            KeyNotFound: the owner has no such key.
        """
        async with self._new_uow() as uow:
            key = await _held(uow, key_id, owner)
            key = replace(
                key,
                name=key.name if change.name is None else change.name,
                scopes=key.scopes if change.scopes is None else change.scopes,
                expires_at=key.expires_at if change.expires_in is None else self._clock.now() + change.expires_in,
            )
            await uow.api_keys.add(key)
            await record(uow, Action.CHANGED, Thing.KEY, key.id, owner=owner)
            await uow.commit()
        return key

    async def rotate(
        self, key_id: UUID, *, grace: timedelta, owner: OwnerId | None = None, within: frozenset[Scope] = ALL_SCOPES
    ) -> tuple[ApiKey, str]:
        """Issue the key's successor, which may do the same for as long; the old one is good for `grace` more.

        Raises:
            KeyNotFound: there is no such key.
            ScopeLacking: it has scopes that are not `within` those of whoever asks, who would learn its secret.
            WrongState: it is revoked or expired, or has a successor already.
        """
        async with self._new_uow() as uow:
            old, now = await _held(uow, key_id, owner), self._clock.now()
            if not old.scopes <= within:
                raise ScopeLacking("the key has scopes that this credential lacks")
            if not old.live(now) or old.replaced_by is not None:
                raise WrongState("only a live key that has not been replaced yet can be rotated")
            key, secret = self._made(replace(old, id=KeyId(self._ids.new()), created_at=now, last_used_at=None))
            ends = now + grace if old.expires_at is None else min(old.expires_at, now + grace)
            await uow.api_keys.add(key)
            await uow.api_keys.add(replace(old, expires_at=ends, replaced_by=key.id))
            await record(uow, Action.REPLACED, Thing.KEY, old.id, owner=old.owner, detail=str(key.id))
            await uow.commit()
        return key, secret

    async def revoke(self, key_id: UUID, *, owner: OwnerId | None = None) -> ApiKey:
        """Shut a key out from the next request on; revoking twice changes nothing.

        Raises:
            KeyNotFound: there is no such key.
        """
        async with self._new_uow() as uow:
            key = await _held(uow, key_id, owner)
            if key.revoked_at is None:
                key = replace(key, revoked_at=self._clock.now())
                await uow.api_keys.add(key)
                await record(uow, Action.REVOKED, Thing.KEY, key.id, owner=key.owner)
                await uow.commit()
        return key

    @staticmethod
    def _made(key: ApiKey) -> tuple[ApiKey, str]:
        secret = new_secret()
        return replace(key, digest=digest(secret), hint=secret[:_HINT_LENGTH]), secret


def scopes_of(names: Iterable[str]) -> frozenset[Scope]:
    """Read names of scopes.

    Raises:
        InvalidOptions: one is none, or there is none at all.
    """
    try:
        scopes = frozenset(map(Scope, names))
    except ValueError as error:
        raise InvalidOptions(f"a scope is one of {', '.join(Scope)}") from error
    if not scopes:
        raise InvalidOptions("at least one scope is needed")
    return scopes


async def _held(uow: UnitOfWork, key_id: UUID, owner: OwnerId | None) -> ApiKey:
    key = await uow.api_keys.get(key_id, hold=True)
    if key is not None and owner not in {None, key.owner}:
        note_refusal(Thing.KEY, key_id)
    if key is None or owner not in {None, key.owner}:
        raise KeyNotFound(f"there is no key {key_id}")
    return key
