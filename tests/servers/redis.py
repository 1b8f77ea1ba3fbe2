"""A private Redis server with a password of its own; it keeps nothing on disk, so that `kill` loses all it was told."""

import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis

from tests.servers.ports import answers, free_port, wait_until


class RedisServer:
    """A server on a free port, as a context. Each test has a database of its own in `url`, or a server of its own."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("the tests need Redis' server: apt-get install redis-server")
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="colloquy-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its files."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, empty, and wait until it takes connections."""
        # The password is not an argument, where every user of the machine could read it.
        settings = f"requirepass {self.password}\nsave ''\nappendonly no\nbind 127.0.0.1\nport {self.port}\n"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-", "--dir", str(self._folder)], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        assert self._process.stdin is not None
        with self._process.stdin as given:
            given.write(settings.encode())
        wait_until(lambda: answers(self.port), seconds=10, what="Redis")

    def kill(self) -> None:
        """End the server as `kill -9` does; what it was told is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def url(self, *, port: int = 0, database: int = 0) -> str:
        """Its URL; `port` puts another door before it."""
        return f"redis://:{self.password}@127.0.0.1:{port or self.port}/{database}"

    def client(self) -> Redis:
        """Return a connection that sees what the tests' subjects have left there."""
        return Redis.from_url(self.url(), socket_timeout=5)

    def flush(self) -> None:
        """Forget everything, as FLUSHALL does."""
        with self.client() as client:
            client.flushall()
