"""Making users, and changing their passwords."""

from application.audit import record
from application.ports.credentials import PasswordHasher
from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock, IdFactory
from domain.access import Caller, UserId
from domain.audit import Action, Thing
from domain.errors import CallerRefused, EmailTaken, ScopeLacking
from domain.task import OwnerId
from domain.user import User, check_password, normal_email


class RegisterUser:
    """Makes a user, who is a new owner; `open_to_all` says whether anybody may ask for that."""

    def __init__(
        self, *, new_uow: NewUnitOfWork, clock: Clock, ids: IdFactory, passwords: PasswordHasher, open_to_all: bool
    ) -> None:
        self._new_uow = new_uow
        self._clock = clock
        self._ids = ids
        self._passwords = passwords
        self._open_to_all = open_to_all

    async def __call__(
        self, *, email: str, password: str, full_name: str = "", owner: OwnerId | None = None, invited: bool = False
    ) -> User:
        """Make a user; of the owner given, if one is. `invited` is somebody whom the installation's own user adds.

        Raises:
            ScopeLacking: nobody may register unless invited.
            InvalidOptions: the address is none, or no password may have this length.
            EmailTaken: the address has a user.
        """
        if not (self._open_to_all or invited):
            raise ScopeLacking("registration is closed here; ask whoever runs this installation")
        check_password(password)
        user = User(
            id=UserId(self._ids.new()),
            owner=OwnerId(self._ids.new()) if owner is None else owner,
            email=normal_email(email),
            full_name=full_name,
            password=await self._passwords.hash(password),
            created_at=self._clock.now(),
        )
        async with self._new_uow() as uow:
            if not await uow.users.add(user):
                raise EmailTaken("somebody has registered with this address already")
            await record(uow, Action.CREATED, Thing.USER, user.id, owner=user.owner)
            await uow.commit()
        return user


class ChangePassword:
    """Replaces the password of the user who asks."""

    def __init__(self, *, new_uow: NewUnitOfWork, clock: Clock, passwords: PasswordHasher) -> None:
        self._new_uow = new_uow
        self._clock = clock
        self._passwords = passwords

    async def __call__(self, caller: Caller, *, current: str, new: str) -> None:
        """Change it, and end all sessions of the user: whoever knew the old one is out.

        Raises:
            InvalidOptions: no password may have this length.
            ScopeLacking: the caller is no user, or has only a token that was lent.
            CallerRefused: the current password is another.
        """
        check_password(current)
        check_password(new)
        if caller.user is None or caller.lent:
            raise ScopeLacking("only a user who has logged in has a password to change")
        async with self._new_uow() as uow:
            user = await uow.users.get(caller.user)
        if not await self._passwords.verify(current, None if user is None else user.password):
            raise CallerRefused("the current password is another")
        hashed = await self._passwords.hash(new)
        async with self._new_uow() as uow:
            await uow.users.set_password(caller.user, hashed)
            await uow.sessions.revoke_all(caller.user, at=self._clock.now())
            await record(uow, Action.CHANGED, Thing.USER, caller.user, owner=caller.owner)
            await uow.commit()
