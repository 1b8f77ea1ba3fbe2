"""A recording in over HTTP, who said what out: the real engines, the real processes, known words and speakers."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jiwer
import pytest

from tests.e2e.service import Service
from tests.e2e.spoken import Line, read_stm, speak

RIGHT_SPEAKER = 0.8
"""Toy recogniser, synthetic voices: word times are off by 0.2 s, and spectra by little. Real speech is held to 0.9."""
DATA = Path(__file__).parents[1] / "data"
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a Whisper that fits in a test and the diarizer that `auto` takes."""
    data = tmp_path_factory.mktemp("whisper") / "data"
    with Service(data, ASR_ENGINE="faster_whisper", ASR_MODEL=str(DATA / "small-whisper")) as running:
        yield running


def plain(text: str) -> str:
    return re.sub(r"[^a-z' ]", "", text.lower()).strip()


def share_on_the_right_speaker(result: dict[str, Any], lines: Sequence[Line]) -> float:
    """Map each speaker found to whom it mostly is, then count the words that fall into a line of the right one."""
    words = [
        (word, line) for segment in result["segments"] for word in segment["words"] if (line := _line(word, lines))
    ]
    votes: dict[str, Counter[str]] = {}
    for word, line in words:
        votes.setdefault(word["speaker"], Counter())[line.speaker] += 1
    names = {found: counts.most_common(1)[0][0] for found, counts in votes.items()}
    assert len(set(names.values())) == len({line.speaker for line in lines}), "two speakers were taken for one"
    return sum(names[word["speaker"]] == line.speaker for word, line in words) / len(words)


def _line(word: dict[str, Any], lines: Sequence[Line]) -> Line | None:
    middle = (word["start"] + word["end"]) / 2
    return next((line for line in lines if line.start <= middle <= line.end), None)


def check(service: Service, recording: Path, lines: Sequence[Line], worst_wer: float) -> dict[str, Any]:
    task = service.submit(recording, {"num_speakers": "2"})
    assert service.wait(task, patience=100)["status"] == "done"
    result: dict[str, Any] = service.result(task).json()
    wer = jiwer.wer(plain(" ".join(line.text for line in lines)), plain(result["full_text"]))
    assert wer <= worst_wer, f"word error rate {wer:.2f}: {result['full_text']}"
    assert sorted(result["speakers"]) == ["spk_1", "spk_2"]
    assert share_on_the_right_speaker(result, lines) >= RIGHT_SPEAKER
    statuses = {stage["name"]: stage["status"] for stage in result["stages"]}
    assert statuses.pop("second_look") == "skipped", "the built-in diarizer gives no voices"
    assert statuses == dict.fromkeys(("decode", "voice_activity", "recognition", "diarization", "attribution"), "ran")
    for segment in result["segments"]:
        assert segment["start"] <= segment["end"]
        assert segment["text"]
    return result


def test_the_recording_in_the_repository(service: Service) -> None:
    result = check(service, DATA / "call.flac", read_stm(DATA / "call.stm"), worst_wer=0.25)
    assert result["language"] == "en"
    assert result["warnings"] == []


@pytest.mark.slow
def test_a_conversation_spoken_here_and_now(service: Service, tmp_path: Path) -> None:
    lines = speak(tmp_path / "conversation.wav")
    check(service, tmp_path / "conversation.wav", lines, worst_wer=0.45)


@pytest.mark.slow
def test_the_default_engines_need_no_hub(tmp_path: Path) -> None:
    with Service(tmp_path / "data") as service:
        task = service.submit(DATA / "call.flac")
        assert service.wait(task, patience=100)["status"] == "done"
        result = service.result(task).json()
    assert result["model"] == "pocketsphinx-en-us"
    assert len(result["full_text"].split()) > 10
    assert {stage["name"]: stage["engine"] for stage in result["stages"]}["diarization"] == "acoustic"


def test_without_diarization_there_are_words_and_no_speakers(service: Service) -> None:
    task = service.submit(DATA / "call.flac", {"diarization": "false", "format": "text"})
    service.wait(task)
    result = service.result(task).json()
    assert result["speakers"] == {}
    assert all(segment["speaker"] is None for segment in result["segments"])
    assert [stage["name"] for stage in result["stages"]] == ["decode", "voice_activity", "recognition"]


@pytest.mark.slow
def test_the_line_that_serve_prints_works_when_pasted(service: Service) -> None:
    [line] = [line for line in service.greeting.splitlines() if line.startswith("  id=$(")]
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=100, check=True)
    assert re.search(r"^\[00:00:\d\d\] spk_1: \w", pasted.stdout, re.MULTILINE), pasted
    assert "spk_2: " in pasted.stdout
