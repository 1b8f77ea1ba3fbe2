"""U-16: a long recording takes no more memory than a short one, neither in the decoder's child nor in the caller."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.media_files import RATE, talk, wav

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MB = 1024 * 1024

RUN = """
import json, resource, sys, time
from pathlib import Path
from adapters.media.av import AvDecoder
from adapters.voice_activity.silero import SileroVad
from domain.media import DecodedAudio, DecodeLimits
def peak(who):
    return resource.getrusage(who).ru_maxrss * 1024
source, into = Path(sys.argv[1]), Path(sys.argv[2])
(into / "second.pcm").write_bytes(bytes(32_000 * 8))
detector = SileroVad()
detector.speech(DecodedAudio(path=into / "second.pcm", duration=8000), lambda _: None)
before = peak(resource.RUSAGE_SELF)
limits = DecodeLimits(max_duration=28_800_000, max_memory=1 << 30, max_seconds=120.0)
media = AvDecoder().decode(source, into, limits, lambda _: None)
spans = detector.speech(media.mix, lambda _: None)
print(json.dumps({
    "duration": media.mix.duration,
    "spans": len(spans),
    "growth": peak(resource.RUSAGE_SELF) - before,
    "child": peak(resource.RUSAGE_CHILDREN),
}))
"""


@dataclass(frozen=True)
class Memory:
    """Bytes by which the caller grew over its loaded detector, and the child's highest; and what came of it."""

    duration: int
    spans: int
    growth: int
    child: int


def measured(seconds: int, folder: Path) -> Memory:
    minute = wav(talk(60).samples)
    head, sound = minute[:44], minute[44:]
    source = folder / "source.wav"
    with source.open("wb") as file:
        file.write(head[:40] + (seconds * RATE * 2).to_bytes(4, "little"))
        for _ in range(seconds // 60):
            file.write(sound)
    output = subprocess.check_output([sys.executable, "-c", RUN, str(source), str(folder)], text=True)
    return Memory(**json.loads(output))


def test_u16_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    short, long = measured(600, tmp_path), measured(3600, tmp_path)
    assert (short.duration, long.duration) == (600_000, 3_600_000)
    assert long.spans == pytest.approx(6 * short.spans, abs=6)
    hours = (long.duration - short.duration) / 3_600_000
    assert (long.growth + long.child - short.growth - short.child) / hours <= 10 * MB
    assert long.growth + 7 * max(0.0, (long.growth - short.growth) / hours) <= 300 * MB
    assert long.child <= 256 * MB
