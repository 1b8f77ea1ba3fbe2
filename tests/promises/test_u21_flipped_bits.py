"""U-21: recordings with flipped bits, in every format: never a server error, never a dead worker, always an end."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service
from tests.media_files import FORMATS, talk, write

SEEDS = 20
FLIPS = int(os.environ.get("COLLOQUY_TEST_FLIPS", "40"))  # noqa: TID251 - 10,000 for a release
AT_ONCE = 4
HEAD = 512
"""Half of the flips hit where formats keep what they say of themselves."""
MOST_SECONDS = 30.0
REFUSED = {"not_media", "no_audio_stream", "no_audio_frames", "too_long", "decode_failed", "empty_file"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + FLIPS)]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder, sound = tmp_path_factory.mktemp("made"), talk(2).samples
    return [write(folder / "made", kind, sound).read_bytes() for kind in FORMATS.values()]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    scripted = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "MAX_QUEUED_PER_OWNER": "10000"}
    with Service(tmp_path / "data", LOG_LEVEL="warning", **scripted) as started:
        yield started


def flipped(original: bytes, chance: random.Random) -> bytes:
    """Flip one bit, or some, or many."""
    content = bytearray(original)
    for _ in range(chance.choice((1, 1, 3, 10, 100))):
        place = chance.randrange(min(HEAD, len(content)) if chance.random() < 0.5 else len(content))
        content[place] ^= 1 << chance.randrange(8)
    return bytes(content)


def mutants(originals: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """So many from each seed, each named by what makes it again."""
    for number in range(FLIPS):
        seed, round_ = number % SEEDS, number // SEEDS
        chance = random.Random(f"{seed}/{round_}")
        kind = (seed + round_) % len(originals)
        yield f"seed {seed}, round {round_}, {list(FORMATS)[kind]}", flipped(originals[kind], chance)


def seconds(status: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(status[name]) for name in ("started_at", "finished_at"))
    return (ended - begun).total_seconds()


def test_u21_a_recording_with_flipped_bits_ends_well_or_is_refused(service: Service, originals: list[bytes]) -> None:
    codes: Counter[str] = Counter()

    def hand_in(mutant: tuple[str, bytes]) -> None:
        name, content = mutant
        with service.client() as client:
            answer = client.post("/api/v1/transcribe", files={"file": (name, content)}, data={"diarization": "false"})
        if answer.status_code != 202:
            assert 400 <= answer.status_code < 500, (name, answer.text)
            codes[answer.json()["code"]] += 1
            return
        status = service.wait(answer.json()["task_id"], patience=120)
        code = (status["error"] or {"code": "done"})["code"]
        assert status["status"] == "done" or (status["status"] == "error" and code in REFUSED), (name, status)
        assert status["attempt"] == 1, (name, status)
        assert seconds(status) < MOST_SECONDS, (name, status)
        codes[code] += 1

    before = service.pid
    with ThreadPoolExecutor(AT_ONCE) as callers:
        list(callers.map(hand_in, mutants(originals)))
    assert codes.total() == FLIPS
    assert codes["done"] > FLIPS / 10, codes
    assert codes.total() > codes["done"], f"no flip did any harm: {codes}"
    assert service.process is not None
    assert (service.pid, service.process.poll()) == (before, None)
    with service.client() as client:
        assert client.get("/health/ready").status_code == 200
    assert "work_failed" not in service.log
