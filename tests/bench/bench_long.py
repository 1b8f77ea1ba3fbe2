"""A long recording through the whole service: the peak memory of every process, and how long each stage took.

`python -m tests.bench.bench_long [hours] [ASR engine]`; eight hours of looped speech, and the scripted recogniser, by
default: what is measured is decoding, voice activity, windows and acoustic diarization.
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


def main() -> None:
    """Print the stages and the peaks."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    engine = sys.argv[2] if len(sys.argv) > 2 else "scripted"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = looped(folder / "long.wav", int(hours * 3600))
        with Service(folder / "data", ASR_ENGINE=engine, MAX_FILE_SIZE=str(2 << 30)) as service:
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
        print(f"  {stage['name']:<16} {stage['engine']:<12} {stage['seconds']:8.1f} s")
    for (pid, role), (resident, private) in sorted(peaks.peaks.items()):
        print(f"  {pid:>8} {role:<32} peak {resident:6.0f} MB resident, {private:6.0f} MB of its own")


if __name__ == "__main__":
    main()
