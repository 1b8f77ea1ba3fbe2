"""`colloquy models convert`: a pyannote pipeline becomes ONNX files that `auto` then takes, and that can be checked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.pipelines import build_pipeline

COLLOQUY = Path(sys.executable).with_name("colloquy")


def colloquy(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251
    environment |= {"DATA_DIR": str(data), "MODELS_DOWNLOAD": "false", "COLUMNS": "250", "DIARIZATION_MODEL": "ours"}
    return subprocess.run(
        [COLLOQUY, *arguments], env=environment, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.timeout(300)  # the pipeline is fitted, and torch is imported twice
def test_a_converted_pipeline_is_listed_verified_and_taken(tmp_path: Path) -> None:
    build_pipeline(tmp_path / "models" / "ours", "community-1")
    converted = colloquy("models", "convert", "ours", data=tmp_path)
    assert converted.returncode == 0, converted.stderr
    assert (tmp_path / "models" / "ours-onnx").is_dir()
    assert "ours-onnx: as published" in colloquy("models", "verify", "ours-onnx", data=tmp_path).stdout
    assert "pyannote_onnx" in colloquy("models", "list", data=tmp_path).stdout
    assert "'ours' is here as ONNX" in colloquy("doctor", data=tmp_path).stdout
    assert colloquy("models", "convert", "ours", data=tmp_path).returncode == 4
