"""How the API does beside a FastAPI twin over the same tasks: uploads (C8), status and long results (C9).

Both servers run on the machine's first core, the client on another; rounds of one and of the other alternate. Bars:
uploads 1.3 x as fast with one write to disk and at most 16 MB of growth for eight at once; status 2 x; a transcript of
eight hours 10 x, and the 99th percentile of status at most 0.5 x while four results stream. The twin needs the extra
`twin`.
"""

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import uvicorn

from domain.task import TaskId
from entrypoints.http.server import listen, loop_factory, uvicorn_config
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from tests.adapters.test_persistence import sqlite_engine
from tests.bench.figures import tell
from tests.entrypoints.http_service import a_transcript
from tests.promises.sql_api import SqlApi
from tests.servers.ports import free_port, wait_until

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
UPLOADS, UPLOAD = 8, 128 * MIB
CONNECTIONS, STREAMS = 16, 4
SEGMENTS, WORDS = 5_760, 10
"""Eight hours at two words a second."""
SERVER_CORE, CLIENT_CORE = 0, 1


@dataclass
class Side:
    """A server and how to ask it; samples by what was measured."""

    name: str
    port: int
    pid: int
    key: str
    task: str
    samples: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        self.samples.setdefault(what, []).append(value)

    def median(self, what: str) -> float:
        return statistics.median(self.samples[what])

    def get(self, path: str) -> bytes:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n\r\n"
        return head.encode()

    def figure(self, name: str, file: str = "status") -> int:
        """Return a figure of /proc/PID/`file`; those of memory in bytes."""
        for line in Path(f"/proc/{self.pid}/{file}").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * (1024 if file == "status" else 1)
        raise LookupError(name)


async def ask(side: Side, path: str, until: float, times: list[float]) -> int:
    """Ask again and again on one connection until then; return how many bytes came, and note how long each took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port, limit=4 * MIB)
    request, received = side.get(path), 0
    try:
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            size = left = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            while left:
                left -= len(await reader.read(min(left, MIB)))
            times.append(time.perf_counter() - began)
            received += size
    finally:
        writer.close()
    return received


async def poll(side: Side, seconds: float) -> None:
    """Ask for the status on sixteen connections."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*[ask(side, f"/api/v1/status/{side.task}", until, times) for _ in range(CONNECTIONS)])
    side.note("status", len(times) / seconds)


async def fetch(side: Side, seconds: float) -> None:
    """Fetch the long result on one connection."""
    times: list[float] = []
    await ask(side, f"/api/v1/result/{side.task}", time.perf_counter() + seconds, times)
    side.note("result", statistics.median(times))


async def poll_beside(side: Side, seconds: float) -> None:
    """Ask for the status, a little apart, while four others fetch the result."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def now_and_then() -> None:
        while time.perf_counter() < until:
            await ask(side, f"/api/v1/status/{side.task}", time.perf_counter() + 0.001, times)
            await asyncio.sleep(0.01)

    streams = [ask(side, f"/api/v1/result/{side.task}", until, []) for _ in range(STREAMS)]
    await asyncio.gather(*streams, *[now_and_then() for _ in range(4)])
    side.note("p99", sorted(times)[int(len(times) * 0.99)])


def upload(side: Side, size: int) -> None:
    """Send eight recordings at once; note MiB a second, growth, and bytes written for each that came."""
    Path(f"/proc/{side.pid}/clear_refs").write_text("5", encoding="ascii")
    before, written = side.figure("VmRSS"), side.figure("wchar", "io")
    failed: list[str] = []
    senders = [threading.Thread(target=_send, args=(side, size, failed)) for _ in range(UPLOADS)]
    began = time.perf_counter()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    took = time.perf_counter() - began
    assert not failed, failed[0]
    side.note("upload", UPLOADS * size / MIB / took)
    side.note("growth", (side.figure("VmHWM") - before) / MIB)
    side.note("writes", (side.figure("wchar", "io") - written) / (UPLOADS * size))


def _send(side: Side, size: int, failed: list[str]) -> None:
    boundary = "b" * 24
    begin = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
    end = f"\r\n--{boundary}--\r\n".encode()
    head = (
        f"POST /api/v1/transcribe HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {side.key}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(begin) + size + len(end)}\r\nConnection: close\r\n\r\n"
    )
    piece = os.urandom(MIB)
    with socket.create_connection(("127.0.0.1", side.port)) as connection:
        connection.sendall(head.encode() + begin)
        for _ in range(size // MIB):
            connection.sendall(piece)
        connection.sendall(end)
        answer = connection.recv(MIB)
    if b" 202 " not in answer[:20]:
        failed.append(answer[:500].decode(errors="replace"))


@contextmanager
def child(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a server on its core; it is gone when the context ends."""
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as process:
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def ours(folder: Path, undo: ExitStack) -> Side:
    """Start this project's API over SQLite and a folder."""
    process = undo.enter_context(child(["tests.bench.bench_api", "serve", str(folder)]))
    assert process.stdout is not None
    port, secret, task = process.stdout.readline().split()
    return Side("ours", int(port), process.pid, secret, task)


def twin(folder: Path, task: str, undo: ExitStack) -> Side:
    """Start the twin."""
    port, key = free_port(), secrets.token_urlsafe()
    process = undo.enter_context(child(["tests.bench.api_twin", str(folder), str(port), task, key]))
    side = Side("twin", port, process.pid, key, task)
    wait_until(lambda: _answers(side), seconds=30, what="the twin")
    return side


def _answers(side: Side) -> bool:
    try:
        asyncio.run(ask(side, f"/api/v1/status/{side.task}", time.perf_counter() + 0.01, []))
    except OSError:
        return False
    return True


async def serve(folder: Path) -> None:
    """Be this project's API, with one finished task of eight hours."""
    configure_logging(Log())
    async with sqlite_engine(folder) as engine:
        api = SqlApi(folder, engine)
        _, secret = await api.keys.issue("bench")
        async with api.client({"Authorization": f"Bearer {secret}"}) as client:
            handed_in = await client.post("/api/v1/transcribe", files={"file": ("day.wav", b"audio")})
        task_id = TaskId(UUID(handed_in.json()["task_id"]))
        await api.finish(task_id, a_transcript(task_id, segments=SEGMENTS, words=WORDS))
        with listen("127.0.0.1", 0) as listener:
            sys.stdout.write(f"{listener.getsockname()[1]} {secret} {task_id}\n")
            sys.stdout.flush()
            await uvicorn.Server(uvicorn_config(api.app(), api.limits)).serve(sockets=[listener])


async def _body(side: Side) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port, limit=4 * MIB)
    writer.write(side.get(f"/api/v1/result/{side.task}"))
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    writer.close()
    return body


def main() -> None:
    """Measure, and tell the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--megabytes", type=int, default=UPLOAD // MIB, help="of each of the eight uploads")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as name, ExitStack() as undo:
        folders = [Path(name) / each for each in ("ours", "twin")]
        for folder in folders:
            folder.mkdir()
        mine = ours(folders[0], undo)
        body = asyncio.run(_body(mine))
        (folders[1] / f"{mine.task}.json").write_bytes(body)
        other = twin(folders[1], mine.task, undo)
        print(f"the result of eight hours: {len(body) / MIB:.1f} MiB")
        measures: list[Callable[[Side], None]] = [
            lambda side: asyncio.run(poll(side, asked.seconds)),
            lambda side: asyncio.run(fetch(side, asked.seconds)),
            lambda side: asyncio.run(poll_beside(side, asked.seconds)),
            lambda side: upload(side, asked.megabytes * MIB),
        ]
        for measure in measures:
            for number in range(asked.rounds):
                for side in (mine, other) if number % 2 else (other, mine):
                    measure(side)
                    for media in (*folders[0].glob("blobs/media/*"), *folders[1].glob("*.media")):
                        media.unlink()
    report(mine, other)


def report(mine: Side, other: Side) -> None:
    """Print each figure beside its bar."""
    for side in (mine, other):
        shown = {what: round(side.median(what), 4) for what in side.samples}
        print(f"{side.name}: {shown}")
    detail = "FastAPI twin on the same core, medians of alternating rounds"
    growth, writes = max(mine.samples["growth"]), max(mine.samples["writes"])
    tell("api_upload", mine.median("upload") / other.median("upload"), 1.3, better="more", detail=detail)
    tell("api_upload_growth", growth, 16, better="less", detail="MiB for eight uploads at once")
    tell("api_upload_writes", writes, 1.05, better="less", detail="bytes written for each that came")
    tell("api_status", mine.median("status") / other.median("status"), 2, better="more", detail=detail)
    tell("api_result", other.median("result") / mine.median("result"), 10, better="more", detail=detail)
    tell("api_p99", mine.median("p99") / other.median("p99"), 0.5, better="less", detail="status beside four results")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve(Path(sys.argv[2])))
    else:
        main()
