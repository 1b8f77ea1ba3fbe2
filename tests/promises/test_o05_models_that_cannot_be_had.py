"""O-05: weights that are missing, refused, wrong, or do not fit; the service starts and works on with what it has."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.catalogue import CATALOGUE
from tests.e2e.service import Service
from tests.loopback_hub import LoopbackHub, loopback_hub

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "tests" / "data" / "conversation.flac"
WEIGHTS = ROOT / "tests" / "data" / "small-whisper"
TINY = CATALOGUE["tiny"].repository
SPARE_SECONDS = 3.0
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as running:
        running.publish(TINY, WEIGHTS)  # which is not what the catalogue says `tiny` is
        running.files[TINY]["vocabulary.txt"] = b""
        yield running


@pytest.fixture
def well(hub: LoopbackHub) -> Iterator[LoopbackHub]:
    """The hub, whose behaviour lasts for one test."""
    before = (hub.refuse, hub.hang, dict(hub.files[TINY]))
    yield hub
    hub.refuse, hub.hang, hub.files[TINY] = before


@pytest.fixture(scope="module")
def service(hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Works with a multilingual model that is here, and may fetch others."""
    from tests.adapters.small_whisper import build  # noqa: PLC0415 - it imports CTranslate2

    folder = tmp_path_factory.mktemp("o05")
    build(folder / "models" / "babel")
    settings = {
        "MODELS_DIR": str(folder / "models"), "MODELS_DOWNLOAD": "true", "MODELS_HUB_URL": hub.url,
        "ASR_ENGINE": "faster_whisper", "ASR_MODEL": "babel", "DIARIZATION_ENGINE": "acoustic",
    }  # fmt: skip
    with Service(folder / "data", **settings) as running:
        yield running


def ended(service: Service, **fields: str) -> tuple[str, str, str]:
    """Hand in a recording; return how it ended, and with which code and words."""
    status = service.wait(service.submit(RECORDING, {"diarization": "false", **fields}))
    error = status["error"] or {"code": "", "detail": ""}
    return status["status"], error["code"], error["detail"]


def still_well(service: Service) -> None:
    with service.client() as client:
        assert client.get("/health/ready").json()["status"] == "ready"
    assert ended(service) == ("done", "", "")


def half_made(service: Service) -> list[str]:
    folder = Path(service.settings["MODELS_DIR"])
    return [path.name for path in folder.iterdir() if path.name not in {"babel", ".tiny.lock", ".hub.json"}]


def test_o05_a_model_that_the_hub_does_not_have(service: Service, well: LoopbackHub) -> None:
    well.files[TINY].clear()
    status, code, detail = ended(service, model="tiny")
    assert (status, code) == ("error", "model_unavailable")
    assert "answered 404" in detail
    assert half_made(service) == []
    still_well(service)


@pytest.mark.parametrize("status", [401, 403])
def test_o05_a_model_that_the_hub_refuses(service: Service, well: LoopbackHub, status: int) -> None:
    well.refuse = status
    ending, code, detail = ended(service, model="tiny")
    assert (ending, code) == ("error", "model_unavailable")
    assert f"answered {status}" in detail
    assert half_made(service) == []
    still_well(service)


def test_o05_a_model_with_another_checksum(service: Service, well: LoopbackHub) -> None:
    status, code, detail = ended(service, model="tiny")
    assert well.asked
    assert (status, code) == ("error", "model_unavailable")
    assert "does not have its checksum" in detail
    assert half_made(service) == []
    still_well(service)


def test_o05_a_hub_that_hangs_costs_the_task_seconds(service: Service, well: LoopbackHub) -> None:
    well.hang = 30.0
    began = time.monotonic()
    status, code, _ = ended(service, model="tiny")
    assert (status, code) == ("error", "model_unavailable")
    assert time.monotonic() - began < 20.0
    well.hang = 0.0
    still_well(service)


def test_o05_the_list_of_models_tells_which_is_ready(service: Service) -> None:
    with service.client() as client:
        models = {model["name"]: model for model in client.get("/api/v1/models").json()["models"]}
    assert (models["babel"]["usable"], models["babel"]["here"], models["babel"]["loaded"]) == (True, True, True)
    assert (models["tiny"]["usable"], models["tiny"]["here"], models["tiny"]["loaded"]) == (True, False, False)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(64)
        yield f"http://127.0.0.1:{hole.getsockname()[1]}"


def seconds_to_first_result(folder: Path, **settings: str) -> float:
    began = time.monotonic()
    with Service(folder, ASR_MODEL=str(WEIGHTS), **settings) as service:
        assert ended(service) == ("done", "", "")
        return time.monotonic() - began


def test_o05_a_load_of_what_is_here_does_not_wait_for_the_hub(tmp_path: Path, black_hole: str) -> None:
    """Start, load and first result, with an unreachable hub and with none to ask; the better of two runs each."""
    gone = {"MODELS_DOWNLOAD": "true", "MODELS_HUB_URL": black_hole, "ASR_ENGINE": "auto"}
    none = {"MODELS_DOWNLOAD": "false", "ASR_ENGINE": "auto"}
    runs = [
        (
            seconds_to_first_result(tmp_path / f"none-{run}", **none),
            seconds_to_first_result(tmp_path / f"gone-{run}", **gone),
        )
        for run in range(2)
    ]
    without, unreachable = (min(seconds) for seconds in zip(*runs, strict=True))
    assert unreachable - without < SPARE_SECONDS, runs


def test_o05_the_service_starts_without_weights_and_without_a_hub(tmp_path: Path, black_hole: str) -> None:
    with Service(tmp_path / "data", MODELS_DOWNLOAD="true", MODELS_HUB_URL=black_hole) as service:
        with service.client() as client:
            assert client.get("/health/ready").json()["status"] == "ready"
            refused = client.post(
                "/api/v1/transcribe", files={"file": RECORDING.read_bytes()}, data={"model": "large-v3"}
            )
        assert (refused.status_code, refused.json()["code"]) == (503, "model_unavailable")
        assert ended(service) == ("done", "", "")


# A full disk

_FETCH = """
import json, sys
from pathlib import Path
import adapters.hub
from adapters.hub import Hub, fetch
from domain.errors import EngineUnavailable
from tests.loopback_hub import weights_of
adapters.hub._SPARE_BYTES = 0
source, models, url, limit = sys.argv[1:]
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    fetch(weights_of(Path(source), known=False), Path(models), Hub(url), lambda *_: None)
except EngineUnavailable as error:
    print(json.dumps({"detail": error.detail, "code": error.reason, "left": [p.name for p in Path(models).iterdir()]}))
"""


@pytest.fixture
def large(tmp_path: Path, well: LoopbackHub) -> Path:
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.bin").write_bytes(os.urandom(4_000_000))
    well.publish("somebody/something", folder)
    return folder


def fetched(*command: str, source: Path, models: Path, hub: LoopbackHub, limit: str = "") -> dict[str, object]:
    ran = subprocess.run(
        [*command, sys.executable, "-c", _FETCH, source, models, hub.url, limit],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def test_o05_a_write_that_fails_leaves_nothing_half_made(tmp_path: Path, large: Path, hub: LoopbackHub) -> None:
    told = fetched(source=large, models=tmp_path / "models", hub=hub, limit="1000000")
    assert told == {
        "detail": "model 'tiny' could not be stored: the disk is full; what had come is removed",
        "code": "model_unavailable",
        "left": [".tiny.lock"],
    }


def test_o05_a_disk_that_is_really_full_leaves_nothing_half_made(tmp_path: Path, large: Path, hub: LoopbackHub) -> None:
    """On a file system of its own, of three megabytes, wherever the kernel lets a test make one."""
    models = tmp_path / "small"
    models.mkdir()
    mount = f'mount -t tmpfs -o size=3m none "{models}" && exec "$@"'
    private = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*private, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this kernel lets nobody mount")
    told = fetched(*private, source=large, models=models, hub=hub)
    assert "disk is full" in str(told["detail"])
    assert (told["code"], told["left"]) == ("model_unavailable", [".tiny.lock"])
