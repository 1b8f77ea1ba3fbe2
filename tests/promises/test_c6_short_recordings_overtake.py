"""C6: a clip handed in while a long recording is worked on is done before it, wherever the long one stands."""

from pathlib import Path

import pytest

from tests.adapters.processes import children, running, wait_until
from tests.e2e.service import Service
from tests.promises.test_r14_native_calls import acts
from tests.recordings import looped

LONG_MINUTES, CLIP_SECONDS = 10, 10
SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "1"}
WINDOWS_ALONE = {"diarization": "false"}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A long one and a clip."""
    folder = tmp_path_factory.mktemp("recordings")
    return looped(folder / "long.wav", LONG_MINUTES * 60), looped(folder / "clip.wav", CLIP_SECONDS)


def under_way(service: Service, *long: str) -> None:
    """Wait until the engines are at work on them."""
    engines = {"transcribing", "diarizing"}
    wait_until(lambda: all(service.status(each)["phase"] in engines for each in long), seconds=40)


def overtakes(service: Service, clip: Path, *long: str, fields: dict[str, str] | None = None) -> None:
    """Hand in the clip; see it done while all the long ones are still worked on."""
    task = service.submit(clip, fields)
    assert service.wait(task, patience=20)["status"] == "done"
    assert {service.status(each)["status"] for each in long} == {"processing"}


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_c6_a_clip_overtakes_long_recordings_between_their_windows(
    tmp_path: Path, recordings: tuple[Path, Path]
) -> None:
    """Six hundred windows of a tenth of a second each, twice: the clip's ten wait for no more than one each."""
    with Service(tmp_path / "data", ASR_SCRIPT="sleep:0.1", ENGINE_EXPRESS_MB="0", **SCRIPTED) as service:
        long = [service.submit(recordings[0], WINDOWS_ALONE) for _ in range(2)]
        under_way(service, *long)
        overtakes(service, recordings[1], *long, fields=WINDOWS_ALONE)


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_c6_a_clip_overtakes_a_diarization_that_lasts_as_long_as_its_recording(
    tmp_path: Path, recordings: tuple[Path, Path]
) -> None:
    counter = tmp_path / "counter"
    settings = SCRIPTED | {"DIARIZATION_SCRIPT": f"sleep:60@1;counter={counter}", "ENGINE_WINDOW_SECONDS": "60"}
    with Service(tmp_path / "data", **settings) as service:
        long = [service.submit(recordings[0]) for _ in range(2)]
        under_way(service, *long)
        wait_until(lambda: acts(counter) == 1, seconds=10)
        before = children(service.pid)
        for _ in range(2):
            overtakes(service, recordings[1], *long)
            started = {pid for pid in children(service.pid) - before if running(pid)}
            assert len(started) == 1, "one express child, which is kept for the next clip"
