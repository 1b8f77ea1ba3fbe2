"""A private RabbitMQ server: a node, a cookie, a port mapper and a password of its own, away from the machine's."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.ports import answers, free_port, wait_until

_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the one on the PATH, which becomes another user and reads the machine's own configuration."""
_START_SECONDS = 60


class RabbitMQServer:
    """A server on a free port, as a context; `settings` are of its application `rabbit`, such as `consumer_timeout`."""

    def __init__(self, **settings: int) -> None:
        if not _PROGRAM.exists():
            raise RuntimeError("the tests need RabbitMQ's server: apt-get install rabbitmq-server")
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self._settings = settings
        self._mapper_port, self._node_port = free_port(), free_port()
        self._node = f"tests-{secrets.token_hex(4)}@localhost"
        self._folder = Path(tempfile.mkdtemp(prefix="colloquy-rabbitmq-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its files."""
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, *, empty: bool = False) -> None:
        """Start the server and wait until it takes connections; `empty` has it forget what it kept."""
        self._start_mapper()
        if empty:
            shutil.rmtree(self._folder / "data", ignore_errors=True)
        config = self._folder / "rabbitmq.conf"
        config.write_text(f"default_user = tests\ndefault_pass = {self.password}\n", encoding="ascii")
        with (self._folder / "console").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_PROGRAM)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the program is a script, and the server a child of it
            )
        wait_until(self._takes_connections, seconds=_START_SECONDS, what="RabbitMQ")

    def kill(self) -> None:
        """End the server as `kill -9` does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None
            wait_until(lambda: not answers(self.port), seconds=10, what="the end of RabbitMQ")

    def url(self, *, port: int = 0) -> str:
        """Its URL; `port` puts another door before it."""
        return f"amqp://tests:{self.password}@127.0.0.1:{port or self.port}/"

    @property
    def log(self) -> str:
        """What it has written so far."""
        written = [*(self._folder / "logs").glob("*.log"), self._folder / "console"]
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in written if path.exists())

    def _takes_connections(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"RabbitMQ did not start: {self.log[-2000:]}")
        return answers(self.port)

    def _start_mapper(self) -> None:
        """Start Erlang's port mapper in the foreground; the server would leave one behind that nobody ends."""
        if self._mapper is None:
            program = shutil.which("epmd")
            assert program is not None
            self._mapper = subprocess.Popen(
                [program, "-port", str(self._mapper_port), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(lambda: answers(self._mapper_port), seconds=10, what="Erlang's port mapper")

    def _environment(self) -> dict[str, str]:
        settings = "".join(f" -rabbit {name} {value}" for name, value in self._settings.items())
        return {
            "PATH": os.environ.get("PATH", os.defpath),  # noqa: TID251 - where the programs are
            "HOME": str(self._folder),  # of the cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self._folder / "logs"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
            + settings,
            "ERL_CRASH_DUMP": os.devnull,
        }
