"""One recording through API, Redis, PostgreSQL and a worker with real engines: memory, time, rows, bytes."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.bench.sizing.processes import Held, Watch
from tests.e2e.cluster import Cluster
from tests.recordings import looped
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[3]
SMALL_WHISPER = str(ROOT / "tests" / "data" / "small-whisper")
CASES: dict[str, tuple[dict[str, str], int]] = {
    "pocketsphinx": ({"ASR_ENGINE": "pocketsphinx"}, 120),
    "faster_whisper, the 1.5 M parameter test model": (
        {"ASR_ENGINE": "faster_whisper", "ASR_MODEL": SMALL_WHISPER, "ASR_DEVICE": "cpu"},
        3600,
    ),
}
"""What is measured: settings, and seconds of speech. The diarizer is the built-in acoustic one in each."""
_ONE_THREAD = {"ASR_THREADS": "1", "DIARIZATION_ENGINE": "acoustic", "DIARIZATION_THREADS": "1", "MAX_WORKERS": "1"}
_TABLES = "FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_SIZE = f"SELECT sum(pg_total_relation_size(oid)) {_TABLES}"
_NAMES = f"SELECT string_agg(relname, ' ') {_TABLES}"


@dataclass(slots=True)
class Ran:
    """What one recording took: MB and processor seconds by kind of process, and by stage the seconds that it says."""

    audio_seconds: float
    wall_seconds: float
    held: dict[str, Held]
    stages: dict[str, float]
    rows: int
    row_bytes: int
    transcript_bytes: int
    recording_bytes: int
    work_bytes: int
    upload_api_seconds: float


def measure(name: str) -> Ran:
    """Run one case."""
    settings, seconds = CASES[name]
    with (
        PostgresServer() as postgres,
        postgres.database() as url,
        RedisServer() as redis,
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), database_url=url, queue_url=redis.url(), **{**_ONE_THREAD, **settings}) as cluster,
        psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(), autocommit=True) as database,
    ):
        clip, recording = looped(Path(folder) / "clip.wav", 10), looped(Path(folder) / "speech.wav", seconds)
        api, worker = cluster.api(), cluster.worker(wait=False)
        wait_until(lambda: "worker_ready" in worker.log, seconds=120, what="the worker")
        api.wait(api.submit(clip, {"diarization": "true", "num_speakers": "2"}), patience=300)  # everything is loaded

        def ask(question: str) -> int:
            row = database.execute(question.encode()).fetchone()
            return int(row[0]) if row else 0

        def count() -> int:
            names = database.execute(_NAMES.encode()).fetchone()
            assert names is not None
            return sum(ask(f"SELECT count(*) FROM {name}") for name in str(names[0]).split())  # noqa: S608 - our tables

        rows, size = count(), ask(_SIZE)
        blobs = {path for path in (Path(folder) / "blobs").rglob("*") if path.is_file()}
        with Watch({"api": api.pid}) as uploading:
            task = api.submit(recording, {"diarization": "true", "num_speakers": "2"})
        work, began = 0, time.monotonic()
        with Watch({"worker": worker.pid, "api": api.pid}) as watch:
            while api.status(task)["status"] not in {"done", "error"}:
                inside = [path.stat().st_size for path in (Path(folder) / "data" / "work").rglob("*") if path.is_file()]
                work = max(work, sum(inside))
                time.sleep(1)
            took = time.monotonic() - began
        result = api.result(task).json()
        new = [path for path in (Path(folder) / "blobs").rglob("*") if path.is_file() and path not in blobs]
        transcripts = [path.stat().st_size for path in new if "transcripts" in path.parts]
        media = [path.stat().st_size for path in new if path.stat().st_size == recording.stat().st_size]
        return Ran(
            audio_seconds=seconds, wall_seconds=took, held=watch.held,
            stages={stage["name"]: stage["seconds"] for stage in result["stages"] if stage["seconds"] is not None},
            rows=count() - rows, row_bytes=ask(_SIZE) - size, transcript_bytes=sum(transcripts),
            recording_bytes=sum(media), work_bytes=work, upload_api_seconds=uploading.held["api"].seconds,
        )  # fmt: skip
