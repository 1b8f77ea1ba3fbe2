"""A private PostgreSQL server; it refuses to run as root, so root lends it another user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tests.servers.ports import free_port, wait_until

_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_wal_size=256MB", "shared_buffers=32MB")
"""Speed over durability: a test that kills the server or the machine asks for `durable`."""


def binaries() -> Path | None:
    """Return the folder of the newest server's programs, or None when there is none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda program: float(program.parts[-3]), default=None)
    return newest and newest.parent


class PostgresServer:
    """A server on a free port, as a context; `durable` has it keep what it committed through `kill -9`."""

    def __init__(self, *, durable: bool = False) -> None:
        programs = binaries()
        if programs is None:
            raise RuntimeError("the tests need PostgreSQL's server: apt-get install postgresql")
        self.port = free_port()
        self._programs = programs
        self._settings = () if durable else _FAST
        self._folder = Path(tempfile.mkdtemp(prefix="colloquy-pg-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Create the cluster and start the server."""
        owner = _owner()
        if owner is not None:
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        initdb: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            self._folder / "data",
            "-U",
            "tests",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run([*initdb, "--no-sync", "--locale=C.UTF-8"], check=True, capture_output=True, **_as(owner))
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and remove its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        command: list[str | Path] = [self._programs / "postgres", "-D", self._folder / "data", "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"]
        for setting in self._settings:
            command += ["-c", setting]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **_as(_owner()))
        wait_until(self._takes_connections, seconds=20, what="PostgreSQL")

    @property
    def pid(self) -> int:
        """Of the server's first process, whose children the others are."""
        assert self._process is not None
        return self._process.pid

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts off clients cleanly, SIGQUIT as in a crash of its own."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database and give its URL; it is dropped afterwards."""
        name = f"test_{os.urandom(6).hex()}"
        self.run(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://tests@127.0.0.1:{self.port}/{name}"
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(host="127.0.0.1", port=self.port, user="tests", dbname="postgres", autocommit=True) as own:
            own.execute(statement)

    def _takes_connections(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _owner() -> pwd.struct_passwd | None:
    """Whom the server runs as: nobody else, unless this is root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": "/"}
