"""A recogniser on 127.0.0.1 that speaks OpenAI's protocol, with words that follow from what it is sent, and faults."""

import io
import json
import re
import socket
import struct
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

VERBOSE, SEGMENTS, PLAIN, TEXT = range(4)
"""What the server can write: words and segments, segments, `json`, `text`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: where to, the form's fields, the recording's PCM, the headers."""

    path: str
    fields: dict[str, list[str]]
    pcm: bytes
    headers: Message

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, [""])[0]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 32_000


Fault = Callable[["Handler"], bool]
"""Answers in place of the server, or returns False to let it answer."""


@dataclass
class Script:
    """How a server behaves. `faults` are used up one a request; `always` stands behind them."""

    able: int = VERBOSE
    key: str = ""
    model: str = "whisper-1"
    language: str = "english"
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    words: Callable[[Asked], Sequence[tuple[str, float, float]]] | None = None


def numbered(asked: Asked) -> list[tuple[str, float, float]]:
    """One word for each half second; the sentences have punctuation that the words lack."""
    return [(f"word{n}", n / 2, min(n / 2 + 0.4, asked.seconds)) for n in range(int(asked.seconds * 2) or 1)]


class Server(ThreadingHTTPServer):
    """The server, as a context; `asked` is every request that was read to its end."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Script | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script or Script()
        self.asked: list[Asked] = []
        self.under_way: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.released = threading.Event()
        """Ends what a fault waits for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        script = self.server.script
        asked = self._read()
        with self.server.lock:
            self.server.asked.append(asked)
            fault = script.faults.pop(0) if script.faults else script.always
            self.server.under_way["now"] += 1
            self.server.under_way["most"] = max(self.server.under_way["most"], self.server.under_way["now"])
        try:
            if fault is None or not fault(self):
                self._answer(asked, script)
        finally:
            with self.server.lock:
                self.server.under_way["now"] -= 1

    def _read(self) -> Asked:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        fields: dict[str, list[str]] = {}
        pcm = b""
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
            name = re.search(r'name="([^"]+)"', part["Content-Disposition"])
            assert name
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if name[1] == "file":
                with wave.open(io.BytesIO(content)) as file:
                    assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
                    pcm = file.readframes(file.getnframes())
            else:
                fields.setdefault(name[1], []).append(content.decode())
        return Asked(self.path, fields, pcm, self.headers)

    def _answer(self, asked: Asked, script: Script) -> None:
        if script.key and self.headers.get("Authorization") != f"Bearer {script.key}":
            self.refuse(401, "invalid_api_key", f"Incorrect API key provided: {self.headers.get('Authorization')}")
        elif asked["model"] != script.model:
            self.refuse(404, "model_not_found", f"The model {asked['model']} does not exist")
        elif not asked.path.startswith("/v1/audio/"):
            self.reply(404, b"Not Found", "text/plain")
        else:
            self._transcribe(asked, script)

    def _transcribe(self, asked: Asked, script: Script) -> None:
        form, granularities = asked["response_format"], asked.fields.get("timestamp_granularities[]")
        if granularities and script.able > VERBOSE:
            self.refuse(400, "unknown_parameter", "timestamp_granularities is not supported")
            return
        if form not in ("verbose_json", "verbose_json", "json", "text")[script.able :]:
            self.refuse(400, "unsupported_value", f"response_format '{form}' is not compatible with model")
            return
        words = list((script.words or numbered)(asked))
        sentence = " ".join(text for text, _, _ in words).capitalize()
        text = f" {sentence}." if words else ""
        if form == "text":
            self.reply(200, text.encode(), "text/plain; charset=utf-8")
            return
        answer: dict[str, Any] = {"text": text.strip()}
        if form == "verbose_json":
            segment = {"id": 0, "start": 0.0, "end": asked.seconds, "text": text, "avg_logprob": -0.2}
            answer |= {"task": "transcribe", "language": script.language, "duration": asked.seconds}
            answer["segments"] = [segment] if words else []
            if "word" in (granularities or ()):
                answer["words"] = [{"word": text, "start": start, "end": end} for text, start, end in words]
        self.reply(200, json.dumps(answer).encode())

    def refuse(self, status: int, code: str, message: str, param: str | None = None) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        self.reply(status, json.dumps({"error": error}).encode())

    def reply(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


# Faults


def status(number: int, **headers: str) -> Fault:
    """Answer with a status and nothing of use."""

    def fault(handler: Handler) -> bool:
        handler.reply(number, b'{"error": {"code": "some_code", "message": "no"}}', **headers)
        return True

    return fault


def body(content: bytes, kind: str = "application/json") -> Fault:
    """Answer 200 with this."""

    def fault(handler: Handler) -> bool:
        handler.reply(200, content, kind)
        return True

    return fault


def black_hole(handler: Handler) -> bool:
    """Never answer."""
    handler.server.released.wait(60)
    handler.close_connection = True
    return True


def reset(handler: Handler) -> bool:
    """Break the connection off with a TCP reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    return True


def cut_short(handler: Handler) -> bool:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"text": "hal')
    handler.close_connection = True
    return True


def dripping(handler: Handler) -> bool:
    """Send a byte now and then, for ever: no read ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.released.wait(0.05):
        handler.wfile.write(b" ")
    handler.close_connection = True
    return True


def endless(handler: Handler) -> bool:
    """Send as much as is taken."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while not handler.server.released.is_set():
        handler.wfile.write(b" " * 65_536)
    return True


def slow(seconds: float) -> Fault:
    """Answer properly, later."""

    def fault(handler: Handler) -> bool:
        time.sleep(seconds)
        return handler is None

    return fault
