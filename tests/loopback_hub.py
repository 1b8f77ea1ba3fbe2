"""A model hub on the loopback: as much of it as a download asks for, and the ways in which it may misbehave."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from adapters.catalogue import WeightFile, Weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class LoopbackHub:
    """`files` are by repository and path; the rest is how it behaves. `asked` are the requests that came,
    `agents` who said they came from, `ranges` which parts of files were asked for."""

    url: str
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refuse: int = 0
    token: str = ""
    lie: bool = False
    cut: int = 0
    hang: float = 0.0
    pause: float = 0.0
    small_tags: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    ranges: list[str] = field(default_factory=list)

    def publish(self, repository: str, folder: Path) -> None:
        """Serve a folder's files as a repository."""
        found = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        self.files.setdefault(repository, {}).update(found)


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """Run one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = server.hub = LoopbackHub(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined] # for the handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def weights_of(folder: Path, name: str = "tiny", *, known: bool = True, **changes: object) -> Weights:
    """Make the catalogue's entry of a folder's files; without `known` nothing but their names stands in it."""
    files = tuple(
        WeightFile(
            str(path.relative_to(folder)),
            path.stat().st_size if known else None,
            sha256(path.read_bytes()).hexdigest() if known else None,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    facts: Mapping[str, object] = {
        "kind": "asr", "engine": "faster_whisper", "repository": "somebody/something",
        "revision": COMMIT if known else None, "licence": "MIT", **changes,
    }  # fmt: skip
    return Weights(name=name, files=files, **facts)  # type: ignore[arg-type] # facts of a test


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> LoopbackHub:
        return self.server.hub  # type: ignore[attr-defined, no-any-return] # set above

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        token = self.headers.get("Authorization", "")
        hub.asked.append((self.command, path, token))
        hub.agents.add(self.headers.get("User-Agent", ""))
        time.sleep(hub.hang)
        if path == "/":
            return self._send(200, b"", with_body=with_body)
        if hub.refuse or (hub.token and token != f"Bearer {hub.token}"):
            return self._send(hub.refuse or 401, b"refused", with_body=with_body, headers={"X-Error-Code": "GatedRepo"})
        repository, _, rest = path.removeprefix("/").partition("/resolve/")
        body = hub.files.get(repository, {}).get(rest.partition("/")[2])
        if body is None:
            return self._send(404, b"", with_body=with_body, headers={"X-Error-Code": "EntryNotFound"})
        tag = sha1(b"blob %d\0" % len(body) + body) if hub.small_tags else sha256(body)  # noqa: S324 - git's name of it
        headers = {"ETag": f'"{tag.hexdigest()}"', "X-Repo-Commit": COMMIT}
        if hub.lie:
            body = bytes(len(body))
        return self._send(200, body, with_body=with_body, headers=headers)

    def _send(self, status: int, body: bytes, *, with_body: bool, headers: Mapping[str, str] | None = None) -> None:
        start = 0
        if asked := self.headers.get("Range", ""):
            self.hub.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            status = 206
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if not with_body:
            return
        if self.hub.cut and len(body) > self.hub.cut:
            self.wfile.write(body[start : self.hub.cut])
            self.wfile.flush()
            time.sleep(self.hub.pause)
            self.close_connection = True
            self.connection.close()
        else:
            self.wfile.write(body[start:])
