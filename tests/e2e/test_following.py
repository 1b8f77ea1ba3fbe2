"""The real service followed by real clients: over a restart, over two API processes, and while Redis is away."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.e2e.cluster import SCRIPTED, Cluster
from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
WINDOWS: dict[str, Any] = SCRIPTED | {"ENGINE_WINDOW_SECONDS": "3"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

Told = tuple[float, str, str, dict[str, Any]]
"""When it came, and the event's name, id and data."""


def follow(service: Service, task: str, *, after: str = "") -> Iterator[Told]:
    """Server-sent events as they come, each with the moment."""
    headers = {"Last-Event-ID": after} if after else {}
    fields: dict[str, str] = {}
    with (
        service.client() as client,
        client.stream("GET", f"/api/v1/tasks/{task}/events?segments=true", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "event" in fields:
                yield time.monotonic(), fields["event"], fields.get("id", ""), json.loads(fields["data"])
                fields = {}


def words(told: list[Told]) -> list[str]:
    return [word for _, name, _, data in told if name == "segment" for word in data["text"].split()]


def test_what_one_task_took_foretells_the_next_also_after_a_restart(tmp_path: Path) -> None:
    settings = {"ASR_SCRIPT": "sleep:0.7", "ENGINE_PRELOAD": "vad,asr,diarization"}
    service = Service(tmp_path / "data", **(WINDOWS | settings))
    with service.start():
        first = list(follow(service, service.submit(CONVERSATION)))
        assert first[-1][1] == "done"
        service.kill()
    with service.start():
        begun = time.monotonic()
        told = list(follow(service, service.submit(CONVERSATION)))
    end = told[-1][0]
    whole = end - begun
    estimates = [(at, data["eta_seconds"]) for at, _, _, data in told if data.get("eta_seconds") is not None]
    assert estimates[0][0] - begun < 0.5 * whole
    off = [abs((end - at) - eta) for at, eta in estimates]
    print(f"{whole:.1f} s, {len(off)} estimates, off by {max(off):.2f} s at most")  # noqa: T201
    assert max(off) <= 0.2 * whole + 1.0, "and a second, to which it is rounded"
    foretold = [(at, eta) for at, eta in estimates if eta > 0]
    assert foretold[0][1] >= foretold[-1][1]


def test_two_servers_tell_one_story_and_redis_may_be_away(tmp_path: Path) -> None:
    with PostgresServer() as postgres, RedisServer() as redis, postgres.database() as database:
        settings = WINDOWS | {"ASR_SCRIPT": "sleep:0.8"}
        with Cluster(tmp_path, database_url=database, queue_url=redis.url(), **settings) as cluster:
            here, there = cluster.api("here"), cluster.api("there")
            here.key = there.key  # the one took the other's place
            cluster.worker()
            task = here.submit(CONVERSATION)
            headers = {"Authorization": f"Bearer {there.key}"}
            with connect(f"{there.base.replace('http', 'ws')}/api/v1/ws", additional_headers=headers, proxy=None) as ws:
                ws.send(json.dumps({"subscribe": [task]}))
                told, after = list[Told](), ""
                servers = [here, there, here, there]
                for number, server in enumerate(servers):
                    for event in follow(server, task, after=after):
                        told.append(event)
                        after = event[2]
                        if number < len(servers) - 1 and event[1] == "segment":
                            break
                    if number == 1:
                        redis.kill()
                    elif number == 2:
                        redis.start()
                heard = [json.loads(ws.recv(10))]
                while heard[-1]["type"] not in {"done", "error"}:
                    heard.append(json.loads(ws.recv(10)))
            assert [name for _, name, _, _ in told if name in {"done", "error"}] == ["done"]
            progress = [data["progress"] for _, name, _, data in told if "progress" in data]
            assert progress == sorted(progress)
            assert progress[-1] == 100
            seen = [message["progress"] for message in heard if "progress" in message]
            assert seen == sorted(seen)
            spoken = [segment["text"] for segment in here.result(task).json()["segments"]]
            assert words(told) == " ".join(spoken).split()
