"""Requests written byte by byte, as no well-behaved client library would."""

import contextlib
import socket
import time
from collections.abc import Iterable

from tests.entrypoints.http_service import Server

FIELD = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
END = b"\r\n--b--\r\n"
BLOCK = bytes(1024 * 1024)


def upload_head(server: Server, *framing: str, target: str = "/transcribe") -> bytes:
    """The head of a form; `framing` are the header lines that say how long it is."""
    lines = (
        f"POST {target} HTTP/1.1",
        "Host: test",
        f"Authorization: {server.headers[0]['Authorization']}",
        "Content-Type: multipart/form-data; boundary=b",
        *framing,
    )
    return "\r\n".join((*lines, "", "")).encode()


def zeros(size: int) -> Iterable[bytes]:
    """So many bytes in blocks."""
    yield from (BLOCK for _ in range(size // len(BLOCK)))
    yield BLOCK[: size % len(BLOCK)]


def chunked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Frame pieces for `Transfer-Encoding: chunked`."""
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


class Exchange:
    """One request on a connection of its own. `sent` counts the bytes that got away, `answer` is all that came back."""

    def __init__(self, server: Server, pieces: Iterable[bytes]) -> None:
        self.sent = 0
        self.answer = b""
        began = time.monotonic()
        with server.connect() as wire:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    wire.sendall(piece)
                    self.sent += len(piece)
            self._read(wire)
        self.seconds = time.monotonic() - began

    @property
    def status(self) -> int:
        return int(self.answer.split(b" ", 2)[1])

    def _read(self, wire: socket.socket) -> None:
        """Read to the end of the answer, and on to the end of the connection if it is said to be closed."""
        with contextlib.suppress(ConnectionResetError):
            while chunk := wire.recv(65536):
                self.answer += chunk
                head, _, body = self.answer.partition(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                complete = bool(lengths) and len(body) >= int(lengths[0].split(b":")[1])
                if complete and b"connection: close" not in head.lower():
                    return
        self.closed = True

    closed = False
