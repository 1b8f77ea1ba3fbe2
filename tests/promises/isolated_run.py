"""Runs whole services where every packet is seen: in a network of its own whose only way out leads back to itself.

`test_o06_no_strangers.py` starts this as a program under `unshare --net --mount` and reads what it prints.
"""

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.e2e.cluster import Cluster, on_s3
from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

DATA = Path(__file__).parents[1] / "data"
RECORDING = DATA / "conversation.flac"
NAME_SERVER = "192.0.2.53"
GATHERING_SECONDS = 15.0
_EVERYTHING = 3
_RECEIVE_BUFFER_FORCED = 33
_IPV4, _IPV6, _TCP = 4, 6, 6
_ICMPV6, _UNREACHABLE = 58, 1
_SYN, _ACK = 0x02, 0x10


class Ear:
    """Hears every packet; keeps who outside was spoken to, and which ports of this machine were connected to."""

    def __init__(self) -> None:
        self.strangers: list[str] = []
        self.ports: set[int] = set()
        self._line = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING))
        self._line.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCED, 1 << 26)
        self._line.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.5)  # what was sent last is still heard
        self._over.set()
        self._thread.join()
        self._line.close()

    def forget(self) -> None:
        time.sleep(0.5)
        self.strangers.clear()
        self.ports.clear()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                self._hear(self._line.recv(128))
            except TimeoutError:
                continue

    def _hear(self, packet: bytes) -> None:
        version = packet[0] >> 4
        if version == _IPV4:
            to, kind, rest = socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[9], packet[(packet[0] & 15) * 4 :]
            outside = not to.startswith("127.")
        elif version == _IPV6:
            to, kind, rest = socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[6], packet[40:]
            # Linux takes no packet for others back from loopback: it says so to itself instead.
            unreachable = kind == _ICMPV6 and rest[0] == _UNREACHABLE
            to = socket.inet_ntop(socket.AF_INET6, rest[32:48]) if unreachable else to
            outside = to != "::1"
        else:
            return
        if outside:
            self.strangers.append(f"{to} about {_asked(rest)}" if to == NAME_SERVER else to)
        elif kind == _TCP and rest[13] & (_SYN | _ACK) == _SYN:
            self.ports.add(struct.unpack("!H", rest[2:4])[0])


def _asked(datagram: bytes) -> str:
    """The name in a query to a name server."""
    labels, rest = [], datagram[20:]
    while rest and rest[0]:
        labels.append(rest[1 : rest[0] + 1].decode("ascii", "replace"))
        rest = rest[rest[0] + 1 :]
    return ".".join(labels)


def closed_in(folder: Path) -> None:
    """Bring up loopback, lead everything else to it as well, and name a name server that is outside."""
    for command in ("link set lo up", "route add default dev lo", "-6 route add default dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    names = folder / "resolv.conf"
    names.write_text(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", str(names), str(Path("/etc/resolv.conf").resolve())], check=True)


def stray() -> None:
    """Do what nothing may do, each in the way of a library that phones home."""
    for family, address in ((socket.AF_INET, "192.0.2.7"), (socket.AF_INET6, "2001:db8::7")):
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.sendto(b"hello", (address, 8125))
    with suppress(OSError):
        socket.getaddrinfo("telemetry.example", 443)
    with socket.socket() as line:
        line.settimeout(0.2)
        line.connect_ex(("127.0.0.1", 4318))


def one_process(folder: Path) -> set[int]:
    """A recording through real engines, its parts, clips, and the end; returns the ports that may be connected to."""
    real = {"ASR_ENGINE": "faster_whisper", "ASR_MODEL": str(DATA / "small-whisper"), "DIARIZATION_ENGINE": "acoustic"}
    with Service(folder / "data", **real) as service:
        begun = time.monotonic()
        task = service.submit(RECORDING)
        with service.client() as client:
            with RECORDING.open("rb") as media:
                stored = client.post("/api/v1/audio", files={"file": ("clip.flac", media)})
            assert stored.status_code == 201, stored.text
        assert service.wait(task, patience=120)["status"] == "done", service.log[-2000:]
        assert service.result(task, "srt").status_code == 200
        with service.client() as client:
            assert client.get("/health/ready").status_code == 200
            assert client.delete(f"/api/v1/tasks/{task}").status_code in {200, 202, 204}
        # Some libraries gather for a while what they have to tell their makers.
        time.sleep(max(0.0, GATHERING_SECONDS - (time.monotonic() - begun)))
        assert service.stop() == 0
        return {int(service.base.rpartition(":")[2])}


def many_processes(folder: Path) -> set[int]:
    """The same over PostgreSQL, Redis and an object store, with work and API apart."""
    with (
        PostgresServer() as postgres,
        RedisServer() as redis,
        S3Server() as s3,
        postgres.database() as database,
        Cluster(folder, database_url=database, queue_url=redis.url(), **on_s3(s3)) as cluster,
    ):
        api, worker = cluster.api(), cluster.worker()
        assert api.wait(api.submit(RECORDING), patience=60)["status"] == "done", cluster.logs[-2000:]
        worker.send(signal.SIGTERM)
        assert api.stop() == 0
        return {int(api.settings["API_PORT"]), postgres.port, redis.port, s3.port}


def main(folder: Path, runs: dict[str, Callable[[Path], set[int]]]) -> dict[str, Any]:
    closed_in(folder)
    heard: dict[str, Any] = {}
    with Ear() as ear:
        stray()
        time.sleep(0.5)
        heard["control"] = {"strangers": sorted(set(ear.strangers)), "ports": sorted(ear.ports)}
        for name, run in runs.items():
            ear.forget()
            (folder / name).mkdir()
            declared = run(folder / name)
            time.sleep(0.5)
            heard[name] = {"strangers": sorted(set(ear.strangers)), "undeclared": sorted(ear.ports - declared)}
    return heard


if __name__ == "__main__":
    every = {"one": one_process, "many": many_processes}
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), {name: every[name] for name in sys.argv[2:]})))
