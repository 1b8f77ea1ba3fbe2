"""Logging in with a password, and ending what that began."""

from dataclasses import dataclass
from uuid import UUID

from application.audit import record
from application.ports.credentials import PasswordHasher, TokenSigner
from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock, IdFactory
from domain.access import ALL_SCOPES, Caller, Scope, SessionId
from domain.audit import Action, Thing
from domain.errors import CallerRefused, InvalidOptions, ScopeLacking
from domain.token import Grantor, Token, TokenKind
from domain.user import SESSION_LASTS, Session, User, check_password, normal_email

_NOBODY = UUID(int=0)
"""Whoever an unknown address would have been; it is not kept, for people write passwords there."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session, and the token that shows it."""

    session: Session
    token: str


class LogIn:
    """Begins a session for whoever knows a user's password."""

    def __init__(
        self, *, new_uow: NewUnitOfWork, clock: Clock, ids: IdFactory, passwords: PasswordHasher, tokens: TokenSigner
    ) -> None:
        self._new_uow = new_uow
        self._clock = clock
        self._ids = ids
        self._passwords = passwords
        self._tokens = tokens

    async def __call__(self, *, email: str, password: str, scopes: frozenset[Scope] = ALL_SCOPES) -> LoggedIn:
        """Begin a session. Whether the address or the password is wrong is not told, neither by what is said nor when.

        Raises:
            InvalidOptions: no password has this length.
            CallerRefused: one of the two is wrong.
            NotConfigured: the installation cannot sign tokens.
        """
        check_password(password)
        user = await self._find(email)
        # No transaction stays open while the hash takes its time.
        right = await self._passwords.verify(password, None if user is None else user.password)
        if user is None or not right:
            async with self._new_uow() as uow:
                of = (_NOBODY, None) if user is None else (user.id, user.owner)
                await record(uow, Action.LOGIN_FAILED, Thing.USER, of[0], owner=of[1])
                await uow.commit()
            raise CallerRefused("the address or the password is wrong")
        now = self._clock.now()
        session = Session(
            id=SessionId(self._ids.new()), user_id=user.id, owner=user.owner, created_at=now,
            expires_at=now + SESSION_LASTS, scopes=scopes,
        )  # fmt: skip
        token = self._tokens.sign(
            Token(
                id=self._ids.new(), kind=TokenKind.SESSION, grantor=Grantor.SESSION, grantor_id=session.id,
                issued_at=now, expires_at=session.expires_at, scopes=scopes,
            )
        )  # fmt: skip
        async with self._new_uow() as uow:
            again = await uow.users.get(user.id, hold=True)
            if again is None or again.password != user.password:
                raise CallerRefused("the address or the password is wrong")
            await uow.sessions.forget_expired(by=now)
            await uow.sessions.add(session)
            await record(uow, Action.LOGGED_IN, Thing.USER, user.id, owner=user.owner)
            await uow.commit()
        return LoggedIn(session, token)

    async def _find(self, email: str) -> User | None:
        try:
            address = normal_email(email)
        except InvalidOptions:
            return None
        async with self._new_uow() as uow:
            return await uow.users.by_email(address)


class LogOut:
    """Ends the caller's session, and with it the tokens that it has lent."""

    def __init__(self, *, new_uow: NewUnitOfWork, clock: Clock) -> None:
        self._new_uow = new_uow
        self._clock = clock

    async def __call__(self, caller: Caller) -> None:
        """End it, in every process from the next request on.

        Raises:
            ScopeLacking: the caller has none, or only a token that was lent.
        """
        if caller.session is None or caller.lent:
            raise ScopeLacking("only the token of a session can end it")
        async with self._new_uow() as uow:
            await uow.sessions.revoke(caller.session, at=self._clock.now())
            await record(uow, Action.LOGGED_OUT, Thing.USER, caller.user or _NOBODY, owner=caller.owner)
            await uow.commit()
