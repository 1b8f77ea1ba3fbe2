"""U-15: files that unfold to hours, and headers that lie, cost a bounded time, memory and disk."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from domain.media import ChannelRelation
from tests.contracts.media_decoder import VOICE
from tests.media_files import FORMATS, RATE, silence_bomb, wav, with_stated_samples, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CAP = 8 * 3600
"""Seconds; the limit of the service."""

# In a process of its own: the highest memory of a child is told only for all children together.
RUN = """
import json, resource, sys, time
from pathlib import Path
from adapters.media.av import AvDecoder
from domain.errors import MediaRejected
from domain.media import DecodeLimits
source, into, cap = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
limits = DecodeLimits(max_duration=cap * 1000, max_memory=1 << 30, max_seconds=120.0)
largest = 0
def watch(fraction):
    global largest
    largest = max(largest, sum(path.stat().st_size for path in into.iterdir()))
started, code, decoded, relation = time.monotonic(), "", 0, ""
try:
    facts = AvDecoder().decode(source, into, limits, watch).facts
    decoded, relation = facts.decoded, facts.relation
except MediaRejected as error:
    code = error.reason
print(json.dumps({
    "code": code,
    "decoded": decoded,
    "relation": relation,
    "seconds": time.monotonic() - started,
    "memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    "disk": largest,
}))
"""


@dataclass(frozen=True)
class Cost:
    """What became of a file, and what it cost: seconds, bytes of memory of the child, bytes on disk at most."""

    code: str
    decoded: int
    relation: str
    seconds: float
    memory: int
    disk: int


def cost(source: Path, cap: int = CAP) -> Cost:
    into = source.parent / "into"
    into.mkdir(exist_ok=True)
    output = subprocess.check_output([sys.executable, "-c", RUN, str(source), str(into), str(cap)], text=True)
    spent = Cost(**json.loads(output))
    assert spent.seconds <= 120
    assert spent.memory <= 256 * 1024 * 1024
    assert spent.disk <= (cap + 1) * RATE * 2
    if spent.code:
        assert list(into.iterdir()) == []
    return spent


@pytest.fixture(scope="module")
def ten_hours(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A FLAC of silence, 7 MB."""
    return silence_bomb(tmp_path_factory.mktemp("bomb") / "bomb", "flac", "flac", hours=10).read_bytes()


def test_u15_ten_hours_of_silence_are_refused_at_the_probe(ten_hours: bytes, tmp_path: Path) -> None:
    flac = tmp_path / "bomb"
    flac.write_bytes(ten_hours)
    for bomb in (flac, silence_bomb(tmp_path / "wavpack", "wv", "wavpack", hours=10)):
        assert bomb.stat().st_size < 8_000_000
        spent = cost(bomb)
        assert (spent.code, spent.disk) == ("too_long", 0)
        assert spent.seconds < 10


def test_u15_so_is_a_lossy_one(tmp_path: Path) -> None:
    spent = cost(silence_bomb(tmp_path / "bomb", "ipod", "aac", hours=1.1), cap=3600)
    assert (spent.code, spent.disk) == ("too_long", 0)


def test_u15_a_bomb_that_hides_its_length_is_stopped_at_the_limit(ten_hours: bytes, tmp_path: Path) -> None:
    """A FLAC that says it lasts a minute and unfolds to ten hours, at the real limit of eight."""
    flac = tmp_path / "bomb"
    flac.write_bytes(with_stated_samples(ten_hours, 60 * 8000))
    spent = cost(flac)
    assert spent.code == "too_long"
    assert spent.disk > CAP * RATE * 2 // 2, "it was not decoded at all"


def test_u15_a_bomb_that_states_no_length_is_stopped_at_the_limit(tmp_path: Path) -> None:
    flac = silence_bomb(tmp_path / "bomb", "flac", "flac", hours=0.5)
    flac.write_bytes(with_stated_samples(flac.read_bytes(), 0))
    assert cost(flac, cap=600).code == "too_long"


@pytest.mark.parametrize("rate", [1, 2, 100, 999, 0, 0xFFFFFFFF, 0x7FFFFFFF, 5_000_000])
def test_u15_impossible_sample_rates_are_refused(rate: int, tmp_path: Path) -> None:
    """At 1 Hz each sample of the file would make 16,000."""
    source = tmp_path / "source"
    source.write_bytes(wav(VOICE.samples[:10_000], rate=rate))
    spent = cost(source)
    assert spent.code in {"decode_failed", "not_media", "too_long"}
    assert spent.seconds < 10


@pytest.mark.parametrize("channels", [0, 65, 255, 30_000, 65_535])
def test_u15_impossible_channels_are_refused(channels: int, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(wav(np.zeros(200_000, dtype=np.int16), channels=channels))
    spent = cost(source)
    assert spent.code in {"decode_failed", "not_media", "no_audio_frames"}
    assert spent.seconds < 10


def test_u15_studio_recordings_are_not_bombs(tmp_path: Path) -> None:
    """96 kHz on eight channels, 24 MB for 16 seconds, is legal and becomes 512 kB."""
    sound = np.repeat(np.resize(VOICE.samples, 96_000 * 16)[:, None], 8, axis=1)
    source = tmp_path / "source"
    source.write_bytes(wav(sound, rate=96_000))
    spent = cost(source)
    assert (spent.code, spent.decoded, spent.relation) == ("", 16_000, ChannelRelation.SINGLE)


def test_u15_a_rate_that_changes_on_the_way_costs_no_more(tmp_path: Path) -> None:
    """Two streams one after the other, as some recorders write them, the second at another rate and in stereo."""
    first = write(tmp_path / "first", FORMATS["aac"], VOICE.samples).read_bytes()
    second = write(tmp_path / "second", FORMATS["aac"], np.stack([VOICE.samples] * 2, axis=1)).read_bytes()
    (tmp_path / "both").write_bytes(first + second + first)
    assert cost(tmp_path / "both").decoded == pytest.approx(9000, abs=250)
