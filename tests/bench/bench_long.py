"""Long recordings through the whole service: the peak memory of every process, and how long each stage took.

`python -m tests.bench.bench_long [hours ...] [SETTING=VALUE ...]`: looped speech, eight hours of it by default, through
the scripted recogniser, for what is measured is decoding, voice activity, windows and diarization; other engines are
named as settings. `ASR_ENGINE=faster_whisper` and `DIARIZATION_ENGINE=pyannote_onnx` run on the tests' small weights.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.e2e.service import Service
from tests.recordings import looped

_ROLE = re.compile(r"adapters\.(\w+)\.\w+|colloquy serve")


class Peaks:
    """The largest resident and private memory seen of each process below the service, in MB."""

    def __init__(self, service: Service) -> None:
        self._root = psutil.Process(service.pid)
        self.peaks: dict[tuple[int, str], tuple[float, float]] = {}

    def look(self) -> None:
        """Take one sample; `VmHWM` misses nothing between two of them."""
        for process in (self._root, *self._root.children(recursive=True)):
            try:
                role = _role(process.cmdline())
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            except (psutil.Error, OSError):
                continue
            resident, private = (_megabytes(status, name) for name in ("VmHWM", "RssAnon"))
            before = self.peaks.get((process.pid, role), (0.0, 0.0))
            self.peaks[process.pid, role] = (max(before[0], resident), max(before[1], private))


def _role(command: list[str]) -> str:
    found = _ROLE.search(" ".join(command))
    return found[0] if found else " ".join(command[-2:])


def _megabytes(status: str, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


_SMALL = {
    "ASR_ENGINE=faster_whisper": ("ASR_MODEL", "small-whisper"),
    "DIARIZATION_ENGINE=pyannote_onnx": ("DIARIZATION_MODEL", "small-executor"),
}
_DATA = Path(__file__).parents[1] / "data"


def main() -> None:
    """Print the stages and the peaks, length by length."""
    hours = [float(word) for word in sys.argv[1:] if "=" not in word] or [8.0]
    changes = [word for word in sys.argv[1:] if "=" in word]
    small = {name: str(_DATA / folder) for change, (name, folder) in _SMALL.items() if change in changes}
    settings = {"ASR_ENGINE": "scripted", **small, **dict(change.split("=", 1) for change in changes)}
    for length in hours:
        _measure(length, settings)


def _measure(hours: float, settings: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = looped(folder / "long.wav", int(hours * 3600))
        with Service(folder / "data", MAX_FILE_SIZE=str(2 << 30), **settings) as service:
            peaks, started = Peaks(service), time.monotonic()
            task = service.submit(recording)
            recording.unlink()
            while (status := service.status(task))["status"] not in {"done", "error"}:
                peaks.look()
                time.sleep(0.5)
            wall = time.monotonic() - started
            result = service.result(task).json()
    print(f"{hours:g} h: {status['status']} in {wall:.0f} s, {len(result['speakers'])} speakers")
    for stage in result["stages"]:
        print(f"  {stage['name']:<16} {stage['engine']:<14} {stage['seconds']:8.1f} s")
    for (pid, role), (resident, private) in sorted(peaks.peaks.items()):
        print(f"  {pid:>8} {role:<32} peak {resident:6.0f} MB resident, {private:6.0f} MB of its own")


if __name__ == "__main__":
    main()
