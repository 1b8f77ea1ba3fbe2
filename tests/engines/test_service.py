"""The running service with an engine that one environment variable changes; no code is touched."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service
from tests.engines.pipelines import build_pipeline

pytestmark = pytest.mark.timeout(180)

CALL = Path(__file__).parents[1] / "data" / "call.flac"


def diarized(data: Path, **settings: str) -> dict[str, Any]:
    """Return the stage of a recording that the service transcribes with these settings."""
    with Service(data, ASR_ENGINE="scripted", **settings) as service:
        task = service.submit(CALL, {"num_speakers": "2"})
        assert service.wait(task, patience=120)["status"] == "done"
        result = service.result(task).json()
    assert sorted(result["speakers"]) == ["spk_1", "spk_2"]
    stages: dict[str, dict[str, Any]] = {stage["name"]: stage for stage in result["stages"]}
    assert stages["diarization"]["status"] == "ran"
    return stages["diarization"]


def test_one_variable_changes_the_diarizer(tmp_path: Path) -> None:
    build_pipeline(tmp_path / "models" / "ours", "community-1", mel_bins=8, step=0.5)
    shared = {"MODELS_DIR": str(tmp_path / "models"), "DIARIZATION_MODEL": "ours"}
    for named, engine, model in (
        ("pyannote", "pyannote", "ours"),
        ("acoustic", "acoustic", "mfcc-bic-gmm"),
        ("auto", "pyannote", "ours"),
    ):
        stage = diarized(tmp_path / "data", DIARIZATION_ENGINE=named, **shared)
        assert (stage["engine"], stage["model"]) == (engine, model)
