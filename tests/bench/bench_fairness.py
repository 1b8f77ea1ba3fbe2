"""C6: a clip handed in during a long job: `python -m tests.bench.bench_fairness [--minutes 60] [--real]`.

The whole service with a recogniser that burns 50 ms for each window, and a diarizer that burns a minute for the long
recording in one call. The clip's time from submit to `done`, during one and during two long jobs, is compared with its
own time while nothing else runs, and with a FIFO worker's: Celery with one slot and one task a file, which burns the
same windows and nothing else, on a private Redis; it comes in `.venv-bench`, made on the first run. Without Redis or
the network, the FIFO is simulated, and the last line says so. `--real` does it once more with the engines that
need no download, PocketSphinx and the built-in diarizer, on a tenth of the length.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.adapters.processes import children, resident
from tests.bench.figures import tell
from tests.e2e.service import Service
from tests.recordings import looped
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-bench"
CELERY = "celery[redis]==5.5.3"
CLIP_SECONDS = 10
WINDOW_SECONDS = 1
"""Three thousand six hundred windows an hour: three minutes of work lie before whoever stands behind them."""
BURN_SECONDS = 0.05
DIARIZATION_SECONDS = 60
ROUNDS = 5
SLOWER, SHORTER = 3.0, 50.0
SCRIPTED = {
    "ASR_ENGINE": "scripted", "ASR_SCRIPT": f"burn:{BURN_SECONDS}", "ENGINE_WINDOW_SECONDS": str(WINDOW_SECONDS),
    "DIARIZATION_ENGINE": "scripted",
}  # fmt: skip
_FIFO = """
import time
from celery import Celery

app = Celery(broker={url!r}, backend={url!r})
app.conf.worker_prefetch_multiplier = 1


@app.task(name="file")
def file(windows):
    for _ in range(windows):
        begun = time.thread_time()
        while time.thread_time() - begun < {burn}:
            sum(range(10_000))
"""
_SUBMIT = """
import sys, time
sys.path.insert(0, {folder!r})
from fifo import file
file.delay(0).get(timeout=60)
began = time.monotonic(); file.delay({clip}).get(timeout=60); print(time.monotonic() - began, flush=True)
file.delay({long})
time.sleep(2)
began = time.monotonic(); file.delay({clip}).get(timeout=3600); print(time.monotonic() - began, flush=True)
"""


def run(service: Service, recording: Path, *, diarization: bool) -> float:
    """Seconds from submit to `done`."""
    began = time.monotonic()
    task = service.submit(recording, {"diarization": str(diarization).lower()})
    with service.client() as client:
        while (status := client.get(f"/api/v1/status/{task}").json()["status"]) != "done":
            assert status in {"queued", "processing"}, service.log[-2000:]
            time.sleep(0.05)
    return time.monotonic() - began


def clip_times(service: Service, clip: Path, *, diarization: bool) -> list[float]:
    """What it takes, one after another."""
    return [run(service, clip, diarization=diarization) for _ in range(ROUNDS)]


@contextmanager
def long_jobs(service: Service, recording: Path, count: int, *, diarization: bool) -> Iterator[None]:
    """While so many are under way, past decoding and voice activity; none may end meanwhile."""
    tasks = [service.submit(recording, {"diarization": str(diarization).lower()}) for _ in range(count)]
    for task in tasks:
        while service.status(task)["phase"] not in {"transcribing", "diarizing"}:
            time.sleep(0.1)
    yield
    for task in tasks:
        status = service.status(task)
        assert status["status"] == "processing", f"the long job is over too soon: {status}"
        with service.client() as client:
            client.post(f"/api/v1/tasks/{task}/cancel")
        service.wait(task)


def fairness(folder: Path, long: Path, clip: Path, settings: dict[str, str], count: int, *, diarization: bool) -> float:
    """How much longer the clip takes during `count` long jobs; prints what it is made of, and what memory it costs."""
    with Service(folder / f"data{count}{diarization}", **settings) as service:
        run(service, clip, diarization=diarization)  # everything is loaded
        alone = statistics.median(clip_times(service, clip, diarization=diarization))
        before = children(service.pid)
        with long_jobs(service, long, count, diarization=diarization):
            busy = clip_times(service, clip, diarization=diarization)
            express = sum(resident(pid) for pid in children(service.pid) - before)
        during = statistics.median(busy)
    print(
        f"{count} long job(s), diarization {'on' if diarization else 'off'}: clip alone {alone:.2f} s, during "
        f"{during:.2f} s (worst {max(busy):.2f}), x {during / alone:.2f}; express children hold {express / 1e6:.0f} MB",
        flush=True,
    )
    TIMES[count, diarization] = during
    return max(during, 0.0) / alone


TIMES: dict[tuple[int, bool], float] = {}


def celery() -> Path | None:
    """Celery's Python, installed beside the project's own; None where it cannot be had."""
    python = VENV / "bin" / "python"
    if not python.exists() and subprocess.run([sys.executable, "-m", "venv", VENV], check=False).returncode:
        return None
    if not (VENV / "bin" / "celery").exists():
        subprocess.run([python, "-m", "pip", "install", "--quiet", CELERY], check=False)
    return python if (VENV / "bin" / "celery").exists() else None


def fifo(folder: Path, windows: int) -> tuple[float, str]:
    """Seconds of the clip behind the long job on a FIFO worker, and whose they are."""
    clip = CLIP_SECONDS // WINDOW_SECONDS
    python = celery()
    if python is None or shutil.which("redis-server") is None:
        return BURN_SECONDS * (windows + clip), "a FIFO of one slot, simulated: the burns in a row"
    with RedisServer() as redis, ExitStack() as undo:
        (folder / "fifo.py").write_text(_FIFO.format(url=redis.url(), burn=BURN_SECONDS))
        log = undo.enter_context((folder / "celery.log").open("w"))
        command = [str(python), "-m", "celery", "-A", "fifo", "worker", "-c", "1", "--loglevel", "warning"]
        worker = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        undo.callback(worker.wait, 30)
        undo.callback(worker.kill)
        script = _SUBMIT.format(folder=str(folder), clip=clip, long=windows)
        out = subprocess.check_output([python, "-c", script], text=True, timeout=3600).split()
        worker.terminate()
    alone, behind = (float(value) for value in out)
    print(f"Celery -c 1: clip alone {alone:.2f} s, behind the long job {behind:.2f} s", flush=True)
    return behind, "Celery -c 1"


def real(folder: Path, minutes: float) -> None:
    """The engines of a machine without models."""
    long, clip = looped(folder / "real.wav", int(minutes * 60)), looped(folder / "clip.wav", CLIP_SECONDS)
    settings = {"ASR_ENGINE": "pocketsphinx", "DIARIZATION_ENGINE": "acoustic", "ENGINE_WINDOW_SECONDS": "30"}
    fairness(folder, long, clip, settings, 1, diarization=True)


def main() -> None:
    """Print the figures, those with a bar last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long, clip = looped(folder / "long.wav", int(options.minutes * 60)), looped(folder / "clip.wav", CLIP_SECONDS)
        ratios = {}
        cases: tuple[tuple[int, bool], ...] = ((1, False), (2, False), (1, True), (2, True))
        for count, diarization in cases:
            # The first calls are the clip's, alone; the next is a long recording's, and takes a minute. The other long
            # one stands behind it meanwhile.
            counter = folder / f"counter{count}{diarization}"
            script = f"burn:{DIARIZATION_SECONDS}@{ROUNDS + 2};counter={counter}" if diarization else ""
            settings = SCRIPTED | {"DIARIZATION_SCRIPT": script}
            ratios[count, diarization] = fairness(folder, long, clip, settings, count, diarization=diarization)
        behind, whose = fifo(folder, int(options.minutes * 60) // WINDOW_SECONDS)
        if options.real:
            real(folder, options.minutes / 10)
    for (count, diarization), ratio in ratios.items():
        detail = f"a 10 s clip during {count} job(s) of {options.minutes:g} minutes"
        detail += ", diarization one call of a minute" if diarization else ", without diarization"
        tell("fairness", ratio, SLOWER, better="less", detail=f"{detail}, to its time alone")
    tell(
        "fairness-fifo", behind / TIMES[1, False], SHORTER, better="more",
        detail=f"the clip's time behind the long job with {whose}, to its time here",
    )  # fmt: skip


if __name__ == "__main__":
    main()
