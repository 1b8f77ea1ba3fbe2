"""Passwords as Argon2id."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import Argon2Error, InvalidHashError

from application.ports.credentials import PasswordHasher

_MEMORY_KIB = 19_456
_PASSES = 2
_LANES = 1
"""The least that OWASP advises: some 20 ms and 19 MiB for each guess."""
_AT_ONCE = 4
"""What is hashed at the same time: beyond, logins wait, so that they take neither all memory nor all cores.

The threads are their own, for an allocator keeps for each thread what one hash has taken."""


class Argon2Passwords(PasswordHasher):
    """Hashes in threads, which are begun when they are first needed."""

    def __init__(self) -> None:
        self._argon2 = Argon2(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES, hash_len=32, salt_len=16, type=Type.ID
        )
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Hash a password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._argon2.hash, password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Compare; nobody's hash is of a password that nobody knows, made once."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, password, hashed)

    def _verify(self, password: str, hashed: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._argon2.hash(self._argon2.hash(""))
        try:
            self._argon2.verify(hashed or self._nobodys, password)
        except (Argon2Error, InvalidHashError):
            return False
        return hashed is not None
