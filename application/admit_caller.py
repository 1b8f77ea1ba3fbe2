"""Letting callers in by their key."""

from dataclasses import replace
from datetime import timedelta

from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock
from domain.access import Caller, digest, well_formed
from domain.errors import CallerRefused

_USE_RESOLUTION = timedelta(minutes=1)
"""How exactly a key's last use is kept: a write for each request would cost more than it tells."""


class AdmitCaller:
    """Turns a bearer token into the owner behind it; every refusal looks the same from outside."""

    def __init__(self, *, new_uow: NewUnitOfWork, clock: Clock) -> None:
        self._new_uow = new_uow
        self._clock = clock

    async def __call__(self, token: str | None) -> Caller:
        """Return the caller.

        Raises:
            CallerRefused: no token, a malformed, unknown or revoked one.
        """
        if token is None or not well_formed(token):
            raise CallerRefused("a valid API key is required")
        now = self._clock.now()
        async with self._new_uow() as uow:
            key = await uow.api_keys.by_digest(digest(token))
            if key is None or not key.opens(token):
                raise CallerRefused("a valid API key is required")
            if key.last_used_at is None or now - key.last_used_at > _USE_RESOLUTION:
                await uow.api_keys.add(replace(key, last_used_at=now))
                await uow.commit()
        return Caller(owner=key.owner, key=key.id)
