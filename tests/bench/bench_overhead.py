"""What the service adds to its engines' own time: scripted engines burn or sleep a fixed cost for each window.

Bars: wall ≤ 1.05 x recognition's own time; with diarization beside it ≤ 1.1 x the slower of the two. Everything else is
real: the service's processes, decoding, voice activity, checkpoints, attribution, storing.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import tell
from tests.e2e.service import Service
from tests.recordings import looped

WINDOW_COST = 40
MINUTES = 10
DIARIZATION_COST = 100
IMPORT_ROUNDS = 5

_IMPORT = """
import resource, sys, time
started = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
heavy = [m for m in ("torch", "ctranslate2", "onnxruntime", "librosa", "numpy") if m in sys.modules]
print(seconds, peak, ",".join(heavy) or "none")
"""


def import_cost() -> None:
    """Print what importing the API takes, alone and as the whole embedded process, in fresh interpreters."""
    for module in ("entrypoints.http.app", "entrypoints.cli.serve"):
        command = [sys.executable, "-c", _IMPORT, module]
        rows = [subprocess.check_output(command, text=True).split() for _ in range(IMPORT_ROUNDS)]
        seconds, peak = min(float(row[0]) for row in rows), max(float(row[1]) for row in rows)
        print(f"import {module}: best {seconds:.2f} s (bar 0.6), peak {peak:.0f} MB (bar 64), heavy: {rows[0][2]}")


def one_job(folder: Path, recording: Path, *, diarization: bool) -> tuple[float, float]:
    """Return the job's wall time and the slower engine's own time, in seconds."""
    counter = folder / f"calls-{diarization}"
    script = {
        "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted",
        "ASR_SCRIPT": f"sleep:{WINDOW_COST};counter={counter}", "DIARIZATION_SCRIPT": f"sleep:{DIARIZATION_COST}",
    }  # fmt: skip
    with Service(folder / f"data-{diarization}", **script) as service:
        time.sleep(2)  # the engines' processes start in the background
        started = time.monotonic()
        task = service.submit(recording, {"diarization": str(diarization).lower()})
        status = service.wait(task, patience=1200)
        wall = time.monotonic() - started
        assert status["status"] == "done", status
    calls = sum(line.startswith("call ") for line in counter.read_text().splitlines())
    recognition = float(calls * WINDOW_COST)
    return wall, max(recognition, DIARIZATION_COST) if diarization else recognition


def first_transcript(folder: Path) -> float:
    """Return the seconds from process start to the transcript of a ten-second clip through the default engines."""
    clip = looped(folder / "clip.wav", 10)
    started = time.monotonic()
    with Service(folder / "first") as service:
        task = service.submit(clip)
        while service.result(task, "text").status_code != 200:
            time.sleep(0.05)
        return time.monotonic() - started


def main() -> None:
    """Print the figures, the ratios last."""
    import_cost()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = statistics.median(first_transcript(folder / str(number)) for number in _made(folder, 3))
        print(f"process start to first transcript of a ten-second clip: median of 3: {first:.1f} s")
        recording = looped(folder / "long.wav", MINUTES * 60)
        for diarization, bar in ((False, 1.05), (True, 1.1)):
            wall, own = one_job(folder, recording, diarization=diarization)
            print(f"diarization={diarization}: wall {wall:.1f} s, slower engine's own {own:.1f} s")
            title = "wall time of a task, with diarization" if diarization else "wall time of a task"
            tell(title, wall / own, bar, better="less", detail="beside its slower engine's own time")


def _made(folder: Path, count: int) -> range:
    for number in range(count):
        (folder / str(number)).mkdir()
    return range(count)


if __name__ == "__main__":
    main()
