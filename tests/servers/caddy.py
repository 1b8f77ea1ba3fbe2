"""The edge as it is shipped, before an API on this machine: a real Caddy with a certificate authority of its own."""

import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from infrastructure.settings import PROJECT
from tests.servers.ports import answers, free_port, wait_until

PROGRAM = Path(sys.executable).with_name("caddy")
STOCK = PROJECT / "infrastructure" / "edge" / "Caddyfile.stock"
NAME = "colloquy.internal"


def adapted(caddyfile: Path, **settings: str) -> dict[str, Any]:
    """Return the configuration that Caddy reads out of the file.

    Raises:
        subprocess.CalledProcessError: it does not understand the file; `stderr` says why.
    """
    command = [str(PROGRAM), "adapt", "--config", str(caddyfile), "--adapter", "caddyfile"]
    run = subprocess.run(command, env=settings, capture_output=True, text=True, check=True, timeout=40)
    assert "not formatted" not in run.stderr, run.stderr
    return dict(json.loads(run.stdout))


class CaddyServer:
    """A stock Caddy on free ports, as a context."""

    def __init__(self, upstream: int, **settings: str) -> None:
        self.port, self.plain_port = free_port(), free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="colloquy-caddy-"))
        self._settings = {
            "SITE_ADDRESS": NAME, "EDGE_ADMIN": "off", "EDGE_HTTP_PORT": str(self.plain_port),
            "EDGE_HTTPS_PORT": str(self.port), "EDGE_UPSTREAMS": "listed", "API_ADDRESSES": f"127.0.0.1:{upstream}",
        } | settings  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it has its certificate."""
        folders = {name: str(self._folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        command = [str(PROGRAM), "run", "--config", str(STOCK), "--adapter", "caddyfile"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=folders | self._settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(lambda: "certificate obtained" in self.log, seconds=40, what="Caddy's certificate")
        wait_until(lambda: answers(self.port), seconds=10, what="Caddy")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its files."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """Everything that it has written."""
        return (self._folder / "log").read_text()

    def requests(self) -> dict[str, dict[str, Any]]:
        """Its log of requests, by their ids."""
        lines = [json.loads(line) for line in self.log.splitlines() if '"http.log.access"' in line]
        return {line["request_id"]: line for line in lines if "request_id" in line}

    @property
    def authority(self) -> Path:
        """The certificate by which its own is judged."""
        return self._folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def trusting(self) -> ssl.SSLContext:
        """Return what trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.authority))

    def client(self, key: str = "", *, address: str = "127.0.0.1") -> httpx.Client:
        """Return a client that calls it by its name, from an address of this machine."""
        transport = _Named(verify=self.trusting(), local_address=address)
        headers = {"Host": NAME} | ({"Authorization": f"Bearer {key}"} if key else {})
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", transport=transport, headers=headers, timeout=60)

    def connection(self) -> socket.socket:
        """Return a connection to it, not yet encrypted."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


class _Named(httpx.HTTPTransport):
    """Asks for the name of the edge, wherever it listens."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = NAME
        return super().handle_request(request)
