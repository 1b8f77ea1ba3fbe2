"""What every repository of users and of sessions promises, as part of its unit of work."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from domain.access import Scope, SessionId, UserId
from domain.user import SESSION_LASTS, Session, User
from tests.builders import NOW, OWNER
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new
HASH, ANOTHER = "$argon2id$…", "$argon2id$…$…"
SECOND = timedelta(seconds=1)


def a_user(email: str = "märz@example.org") -> User:
    return User(id=UserId(_new_id()), owner=OWNER, email=email, full_name="Märta Z.", password=HASH, created_at=NOW)


def a_session(user: User, *, age: timedelta = timedelta()) -> Session:
    return Session(
        id=SessionId(_new_id()), user_id=user.id, owner=user.owner, created_at=NOW - age,
        expires_at=NOW - age + SESSION_LASTS, scopes=frozenset({Scope.READ, Scope.WRITE}),
    )  # fmt: skip


class UserRepositoryContract(Suite):
    """Users."""

    async def test_what_was_added_is_found_by_address_and_by_id(self, new_uow: NewUnitOfWork) -> None:
        user, other = a_user(), a_user("other@example.org")
        async with new_uow() as uow:
            assert await uow.users.add(user)
            assert await uow.users.add(other)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.users.by_email(user.email) == user
            assert await uow.users.get(user.id) == user
            assert await uow.users.get(other.id, hold=True) == other
            assert await uow.users.by_email("nobody@example.org") is None
            assert await uow.users.get(UserId(_new_id())) is None

    async def test_an_address_has_one_user_and_the_first_stays(self, new_uow: NewUnitOfWork) -> None:
        rivals = [replace(a_user(), full_name=str(number)) for number in range(4)]

        async def register(user: User) -> bool:
            async with new_uow() as uow:
                added = await uow.users.add(user)
                await uow.commit()
            return added

        added = await asyncio.gather(*map(register, rivals))
        assert sum(added) == 1
        async with new_uow() as uow:
            assert await uow.users.by_email(rivals[0].email) == rivals[added.index(True)]

    async def test_a_password_is_replaced_for_one_user(self, new_uow: NewUnitOfWork) -> None:
        user, other = a_user(), a_user("other@example.org")
        async with new_uow() as uow:
            for each in (user, other):
                await uow.users.add(each)
            await uow.users.set_password(user.id, ANOTHER)
            await uow.users.set_password(UserId(_new_id()), "nobody's")
            assert await uow.users.get(user.id) == replace(user, password=ANOTHER)
            assert await uow.users.get(other.id) == other


class SessionRepositoryContract(Suite):
    """Sessions."""

    async def test_what_was_added_comes_back(self, new_uow: NewUnitOfWork) -> None:
        user = a_user()
        sessions = [a_session(user), replace(a_session(user), revoked_at=NOW, scopes=frozenset())]
        async with new_uow() as uow:
            await uow.users.add(user)
            for session in sessions:
                await uow.sessions.add(session)
            await uow.commit()
        async with new_uow() as uow:
            assert [await uow.sessions.get(session.id) for session in sessions] == sessions
            assert await uow.sessions.get(SessionId(_new_id())) is None

    async def test_one_is_revoked_once(self, new_uow: NewUnitOfWork) -> None:
        user = a_user()
        session, other = a_session(user), a_session(user)
        async with new_uow() as uow:
            await uow.users.add(user)
            for each in (session, other):
                await uow.sessions.add(each)
            await uow.sessions.revoke(session.id, at=NOW)
            await uow.sessions.revoke(session.id, at=NOW + SECOND)
            await uow.sessions.revoke(SessionId(_new_id()), at=NOW)
            assert await uow.sessions.get(session.id) == replace(session, revoked_at=NOW)
            assert await uow.sessions.get(other.id) == other

    async def test_all_of_a_user_are_revoked(self, new_uow: NewUnitOfWork) -> None:
        user, other = a_user(), a_user("other@example.org")
        own, revoked, foreign = a_session(user), replace(a_session(user), revoked_at=NOW - SECOND), a_session(other)
        async with new_uow() as uow:
            for each in (user, other):
                await uow.users.add(each)
            for session in (own, revoked, foreign):
                await uow.sessions.add(session)
            await uow.sessions.revoke_all(user.id, at=NOW)
            assert await uow.sessions.get(own.id) == replace(own, revoked_at=NOW)
            assert await uow.sessions.get(revoked.id) == revoked
            assert await uow.sessions.get(foreign.id) == foreign

    async def test_the_expired_are_forgotten(self, new_uow: NewUnitOfWork) -> None:
        user = a_user()
        old, last, live = (a_session(user, age=age) for age in (SESSION_LASTS * 2, SESSION_LASTS, timedelta()))
        async with new_uow() as uow:
            await uow.users.add(user)
            for session in (old, last, live):
                await uow.sessions.add(session)
            await uow.sessions.forget_expired(by=NOW)
            assert [await uow.sessions.get(session.id) for session in (old, last, live)] == [None, None, live]
