"""`colloquy bench` as a user calls it, with scripted engines whose every word is known."""

import json
import shutil
from pathlib import Path

import pytest

from tests.entrypoints.test_cli import CONVERSATION, SCRIPTED, colloquy

SLOW = "asr=scripted,diarization=scripted,ASR_SCRIPT=sleep:3"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The conversation in a folder without references."""
    return Path(shutil.copy(CONVERSATION, tmp_path / "clip.flac"))


@pytest.mark.timeout(60)
def test_a_table_and_a_file_of_figures(clip: Path, tmp_path: Path) -> None:
    own = colloquy("transcribe", clip, "-f", "json", "-q", data=tmp_path / "data", **SCRIPTED).stdout
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "clip.json").write_text(own)
    ran = colloquy(
        "bench", clip, "--reference", tmp_path / "truth", "-e", "asr=scripted,diarization=scripted", "-e", SLOW,
        "--json", tmp_path / "figures.json", "--no-warm-up", data=tmp_path / "data",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "DER: collar 0 s to each side, overlapping speech scored" in ran.stdout
    assert "case-folded" in ran.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    fast, slow = figures["configurations"]
    for one in (fast, slow):
        assert [one["all"][rate] for rate in ("wer", "cpwer", "der", "jer")] == [0, 0, 0, 0]
        assert 20 < one["peak_mb"] < 2_000
        assert one["failure"] is None
    assert slow["results"][0]["rtf"] - fast["results"][0]["rtf"] > 2 / 21.22
    assert figures["machine"]["cores"] >= 1


@pytest.mark.timeout(60)
def test_errors_are_counted_and_a_broken_configuration_spoils_no_other(clip: Path, tmp_path: Path) -> None:
    clip.with_suffix(".txt").write_text("word2 word3 and nothing else that is ever said\n")
    ran = colloquy(
        "bench", clip, "-e", "asr=faster_whisper,model=absent", "-e", "asr=scripted,diarization=scripted",
        "--json", tmp_path / "figures.json", "--no-warm-up", data=tmp_path / "data",
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    broken, whole = json.loads((tmp_path / "figures.json").read_text())["configurations"]
    assert "absent" in broken["failure"]
    assert whole["all"]["wer"] > 1
    assert whole["all"]["cpwer"] is None
    assert whole["failure"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("-e", "asr=nonsense"), 78, "ASR_ENGINE"),
        (("-e", "asr=scripted,ASR_BEAMSIZE=1"), 78, "did you mean ASR_BEAM_SIZE?"),
        (("--reference", "absent.stm"), 2, "does not exist"),
        (("--num-speakers", "0"), 2, "num_speakers"),
    ],
)
def test_a_wrong_call_is_told(clip: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    ran = colloquy("bench", clip, *arguments, data=tmp_path / "data")
    assert ran.returncode == status
    assert said in ran.stderr + ran.stdout


def test_a_reference_that_cannot_be_read_is_told(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.stm").write_text("clip 1 ann zero 2 Hello")
    ran = colloquy("bench", clip, "-r", tmp_path / "odd.stm", data=tmp_path / "data")
    assert ran.returncode == 1
    assert ran.stderr.strip() == "colloquy: odd.stm cannot be read as a reference"


def test_without_its_extra_it_says_so_in_one_line(clip: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "rapidfuzz"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden', name='rapidfuzz')")
    ran = colloquy("bench", clip, data=tmp_path / "data", PYTHONPATH=str(hidden.parent))
    assert ran.returncode == 4
    assert ran.stderr.strip() == "colloquy: rapidfuzz is not installed: pip install --editable '.[bench]'"
