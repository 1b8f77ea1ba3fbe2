"""Memory for decoding and voice activity on long recordings, against faster-whisper's in the same run.

Bars: peak growth on two hours ≤ 0.15 x the peer's, ≤ 10 MB for each further hour, the regions equal within one frame.
`--minutes` shortens the recording (the peer's memory shrinks with it, ours does not). Ours counts everything: the
caller's growth, and the whole of the decoding child. The peer's counts its growth over its loaded libraries and model.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import tell

MINUTES = 120
FURTHER = 1.5
"""The longer of our two recordings, as a multiple of the shorter."""

FRAME = 32
MB = 1024 * 1024

_COMMON = """
import json, resource, sys, time
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
source = sys.argv[1]
"""

_OURS = """
from pathlib import Path
from adapters.media.av import AvDecoder
from adapters.voice_activity.silero import SileroVad
from domain.media import DecodedAudio, DecodeLimits
folder = Path(sys.argv[2])
before = peak()
started = time.perf_counter()
limits = DecodeLimits(max_duration=8 * 3_600_000, max_memory=1 << 30, max_seconds=600.0)
media = AvDecoder().decode(Path(source), folder, limits, lambda _: None)
decoding = time.perf_counter() - started
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
growth = peak() - before
detector = SileroVad(offset=0.35, min_silence=500, min_speech=100, padding=200)
detector.speech(DecodedAudio(path=media.mix.path, duration=1000), lambda _: None)
before = peak()
started = time.perf_counter()
regions = detector.speech(media.mix, lambda _: None)
listening = time.perf_counter() - started
growth += peak() - before
regions = [(region.start, region.end) for region in regions]
"""

_PEER = """
import numpy as np
from faster_whisper.audio import decode_audio
from faster_whisper.vad import get_speech_timestamps
get_speech_timestamps(np.zeros(16_000, dtype=np.float32))
before, child = peak(), 0
started = time.perf_counter()
audio = decode_audio(source)
decoding = time.perf_counter() - started
started = time.perf_counter()
regions = get_speech_timestamps(
    audio, threshold=0.5, neg_threshold=0.35, min_silence_duration_ms=500, min_speech_duration_ms=100, speech_pad_ms=200
)
listening = time.perf_counter() - started
growth = peak() - before
regions = [(region["start"] / 16, region["end"] / 16) for region in regions]
"""

_ANSWER = """
print(json.dumps({
    "growth": growth, "child": child, "decoding": decoding, "listening": listening, "regions": regions,
}))
"""

_MAKE = """
import sys, wave
from tests.media_files import RATE, talk
left, sound = int(sys.argv[2]) * RATE * 2, talk(600).samples.astype("<i2").tobytes()
with wave.open(sys.argv[1], "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(RATE)
    while left > 0:
        file.writeframesraw(sound[:left])
        left -= len(sound)
"""


@dataclass(frozen=True)
class Spent:
    """Bytes by which the caller grew and that the child held at most, seconds, and the regions found, in ms."""

    growth: int
    child: int
    decoding: float
    listening: float
    regions: list[list[float]]

    @property
    def memory(self) -> int:
        """All bytes that the recording cost."""
        return self.growth + self.child


def spent(code: str, *arguments: str) -> Spent:
    """Run one contestant in an interpreter of its own."""
    output = subprocess.check_output([sys.executable, "-c", _COMMON + code + _ANSWER, *arguments], text=True)
    return Spent(**json.loads(output))


def recording(path: Path, seconds: int) -> Path:
    """Write speech-like sound, looped; elsewhere, so that this process stays small and lends no memory to others."""
    subprocess.check_call([sys.executable, "-c", _MAKE, str(path), str(seconds)])
    return path


def equal(ours: list[list[float]], peers: list[list[float]]) -> bool:
    """Whether the regions are the same within one frame at each end."""
    return len(ours) == len(peers) and all(
        abs(edge - other) <= FRAME
        for mine, theirs in zip(ours, peers, strict=True)
        for edge, other in zip(mine, theirs, strict=True)
    )


def shown(name: str, result: Spent) -> str:
    """One line of figures."""
    return (
        f"{name}: growth {result.growth / MB:.0f} MB + child {result.child / MB:.0f} MB,"
        f" decoding {result.decoding:.1f} s, voice activity {result.listening:.1f} s, {len(result.regions)} regions"
    )


def compare(minutes: int) -> tuple[float, float, bool]:
    """Print the figures; return the ratio of memory, our bytes for each further hour, and whether the regions agree."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = recording(folder / "source.wav", minutes * 60)
        peer = spent(_PEER, str(source))
        print(shown(f"faster-whisper, {minutes} minutes", peer))
        ours = spent(_OURS, str(source), name)
        print(shown(f"ours, {minutes} minutes", ours))
        longer = round(minutes * FURTHER)
        further = spent(_OURS, str(recording(source, longer * 60)), name)
        print(shown(f"ours, {longer} minutes", further))
        an_hour = (further.memory - ours.memory) / ((longer - minutes) / 60)
        return ours.memory / peer.memory, an_hour, equal(ours.regions, peer.regions)


def main() -> None:
    """Print the figures, the ratio last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    ratio, an_hour, same = compare(parser.parse_args().minutes)
    print(f"regions equal within one frame: {same}")
    print(f"each further hour: {an_hour / MB:.1f} MB (bar 10)")
    peer = "decoding and voice activity of a long recording, beside faster-whisper's"
    tell("peak memory", ratio, 0.15, better="less", detail=peer)


if __name__ == "__main__":
    main()
