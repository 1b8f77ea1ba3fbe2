"""Letting callers in: by their key, by a session's token, by one that was lent, or as the local owner."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from application.manage_api_keys import LOCAL_OWNER
from application.ports.credentials import TokenSigner
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.system import Clock
from application.read_together import ReadTogether
from domain.access import ApiKey, Caller, KeyId, Scope, SessionId, digest
from domain.errors import CallerRefused
from domain.token import Grantor, Token, TokenKind

_USE_RESOLUTION = timedelta(minutes=1)
"""How exactly a key's last use is kept: a write for each request would cost more than it tells."""
LOCAL_SCOPES = frozenset({Scope.READ, Scope.WRITE})
"""What needs no credential where `anonymous` lets callers in: keys are for somebody who shows one."""


class AdmitCaller:
    """Turns a credential into the owner behind it; every refusal looks the same from outside.

    Whatever is shown, one row is read for it, each time: what was revoked a moment ago lets nobody in, and how long a
    refusal takes tells nothing. `look` gives cheaper units of work, which are good for one read.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        clock: Clock,
        tokens: TokenSigner | None = None,
        anonymous: bool = False,
        look: NewUnitOfWork | None = None,
    ) -> None:
        self._new_uow = new_uow
        self._look = look or new_uow
        self._clock = clock
        self._tokens = tokens
        self._anonymous = anonymous
        self._key = ReadTogether(self._read_keys)

    async def __call__(self, credential: str | None, *, lent_only: bool = False) -> Caller:
        """Return the caller. `lent_only` is for where a credential may be seen by others, as in a URL.

        Raises:
            CallerRefused: no credential, a malformed, unknown, revoked or expired one, or one that may not be here.
        """
        if credential is None and self._anonymous:
            return Caller(owner=LOCAL_OWNER, scopes=LOCAL_SCOPES)
        text = credential or ""
        token = self._tokens.read(text) if self._tokens and text.count(".") == 2 else None  # noqa: PLR2004 - a JWT's
        caller = await self._by_key(text) if token is None else await self._by_token(token)
        if caller is None or (lent_only and not caller.lent):
            raise CallerRefused("a valid API key or token is required")
        return caller

    async def _read_keys(self, digests: Collection[str]) -> Mapping[str, ApiKey]:
        async with self._look() as uow:
            return await uow.api_keys.by_digests(digests)

    async def _by_key(self, secret: str) -> Caller | None:
        key, now = await self._key(digest(secret)), self._clock.now()
        if key is None or not key.opens(secret) or not key.live(now):
            return None
        if key.last_used_at is None or now - key.last_used_at > _USE_RESOLUTION:
            async with self._new_uow() as uow:
                await uow.api_keys.used(key.id, at=now)
                await uow.commit()
        return Caller(owner=key.owner, key=key.id, priority=key.priority, scopes=key.scopes)

    async def _by_token(self, token: Token) -> Caller | None:
        async with self._look() as uow:
            grantor = await self._grantor(uow, token)
        if grantor is None or not token.live(self._clock.now()):
            return None
        lent = token.kind is TokenKind.LENT
        if not lent and token.grantor is not Grantor.SESSION:
            return None
        return Caller(
            owner=grantor.owner, key=grantor.key, user=grantor.user, priority=grantor.priority,
            scopes=grantor.scopes & token.scopes, lent=lent, task=token.task, session=grantor.session,
        )  # fmt: skip

    async def _grantor(self, uow: UnitOfWork, token: Token) -> Caller | None:
        """Return the one on whose behalf the token speaks, as far as that is still in force."""
        now = self._clock.now()
        if token.grantor is Grantor.KEY:
            key = await uow.api_keys.get(KeyId(token.grantor_id))
            if key is None or not key.live(now):
                return None
            return Caller(owner=key.owner, key=key.id, priority=key.priority, scopes=key.scopes)
        session = await uow.sessions.get(SessionId(token.grantor_id))
        if token.grantor is Grantor.LOCAL:
            return Caller(owner=LOCAL_OWNER, scopes=LOCAL_SCOPES) if self._anonymous else None
        if session is None or not session.live(now):
            return None
        return Caller(owner=session.owner, user=session.user_id, scopes=session.scopes, session=session.id)
