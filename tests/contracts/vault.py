"""What every repository of wrapped keys, and every vault, promises."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from application.ports.vault import KeyUnknown, Vault, WrappedKey
from domain.errors import NotConfigured
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new


def a_wrapped_key(number: int) -> WrappedKey:
    return WrappedKey(id=_new_id(), number=number, under="0123456789abcdef", wrapped=bytes(range(60)))


class VaultKeyRepositoryContract(Suite):
    """Wrapped keys."""

    async def test_keys_come_back_by_number(self, new_uow: NewUnitOfWork) -> None:
        keys = [a_wrapped_key(number) for number in (2, 1, 3)]
        async with new_uow() as uow:
            assert await uow.vault_keys.all() == []
            assert [await uow.vault_keys.add(key) for key in keys] == [True] * 3
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.vault_keys.all() == sorted(keys, key=lambda key: key.number)

    async def test_a_number_is_taken_once(self, new_uow: NewUnitOfWork) -> None:
        first = a_wrapped_key(1)
        async with new_uow() as uow:
            assert await uow.vault_keys.add(first)
            assert not await uow.vault_keys.add(a_wrapped_key(1))
            assert await uow.vault_keys.all() == [first]

    async def test_a_key_is_wrapped_anew(self, new_uow: NewUnitOfWork) -> None:
        first, second = a_wrapped_key(1), a_wrapped_key(2)
        anew = replace(first, under="fedcba9876543210", wrapped=b"\0other")
        async with new_uow() as uow:
            await uow.vault_keys.add(first)
            await uow.vault_keys.add(second)
            await uow.vault_keys.rewrap(anew)
            await uow.vault_keys.rewrap(a_wrapped_key(3))
            assert await uow.vault_keys.all() == [anew, second]


class VaultContract(Suite):
    """Vaults. `vaults` makes one over the same rows, given what the operator has: 1, 2 … stand for keys."""

    async def test_everybody_finds_the_same_key(self, vaults: Callable[..., Vault]) -> None:
        key = await vaults(1).current()
        assert len(key.secret) == 32
        assert key.secret.hex() not in repr(key)
        assert await vaults(1).current() == key
        assert await vaults(2, 1).key(key.id) == key
        with pytest.raises(KeyUnknown):
            await vaults(1).key(UUID(int=0))

    async def test_without_the_operators_key_nothing_opens(self, vaults: Callable[..., Vault]) -> None:
        await vaults(1).open()
        state = await vaults(2).state()
        with pytest.raises(NotConfigured, match=state.under[0]):
            await vaults(2).open()
        with pytest.raises(NotConfigured):
            await vaults(2).rotate()

    async def test_what_is_sealed_opens_in_its_context_alone(self, vaults: Callable[..., Vault]) -> None:
        vault, other = vaults(1), vaults(1)
        await vault.open()
        await other.open()
        sealed = vault.seal(b"said in confidence", context="here")
        assert b"confidence" not in sealed
        assert sealed != vault.seal(b"said in confidence", context="here")
        assert other.unseal(sealed, context="here") == b"said in confidence"
        with pytest.raises(NotConfigured):
            other.unseal(sealed, context="there")
        with pytest.raises(NotConfigured):
            other.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), context="here")
        for plain in (b"", b'{"plain": 1}'):
            assert other.unseal(plain, context="here") == plain

    async def test_rotation_changes_what_wraps_and_not_what_is_wrapped(self, vaults: Callable[..., Vault]) -> None:
        before = await vaults(1).current()
        reader = vaults(2, 1)
        await reader.open()
        assert (await reader.state()).outdated == 1
        assert (await reader.rotate()).outdated == 0
        after = await vaults(2).current()
        assert after != before
        assert await vaults(2).key(before.id) == before
        with pytest.raises(NotConfigured):
            await vaults(1).open()
        assert await reader.key(after.id) == after, "whoever has read before looks again"
        count = len((await reader.state()).under)
        assert len((await vaults(2).rotate()).under) == count, "a second time changes nothing"

    async def test_what_others_have_sealed_since_can_be_learned(
        self, vaults: Callable[..., Vault], new_uow: NewUnitOfWork
    ) -> None:
        old, new = vaults(2, 1), vaults(2, 1)
        await vaults(1).open()
        await old.open()
        await new.rotate()
        await new.open()
        sealed = new.seal(b"new", context="x")
        with pytest.raises(KeyUnknown):
            old.unseal(sealed, context="x")
        async with new_uow() as uow:
            old.learn(await uow.vault_keys.all())
        assert old.unseal(sealed, context="x") == b"new"
