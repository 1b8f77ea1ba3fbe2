"""What Bazarr's provider for whisper-asr-webservice sends, and what it makes of the answers.

Bazarr is no library; the requests here are those that its provider makes: a form whose one part has the name
`audio_file`, with raw samples, options in the query, no key.
"""

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pysubs2
import pytest
import webvtt

from tests.adapters.small_whisper import Shape, build
from tests.e2e.service import Service
from tests.recordings import looped

DATA = Path(__file__).parents[1] / "data"
CONVERSATION = DATA / "conversation.flac"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("bazarr") / "data"
    with Service(data, ASR_ENGINE="scripted", DIARIZATION_ENGINE="scripted", ANONYMOUS="local") as service:
        yield service


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What ffmpeg makes of a film for Bazarr: 45 s of samples, without any header."""
    with wave.open(str(looped(tmp_path_factory.mktemp("film") / "film.wav", 45)), "rb") as film:
        return film.readframes(film.getnframes())


def send(service: Service, path: str, content: bytes, **parameters: str) -> httpx.Response:
    with httpx.Client(base_url=service.base, timeout=80, trust_env=False) as bazarr:
        return bazarr.post(path, params=parameters, files={"audio_file": ("audio_file", content)})


def tasks(service: Service) -> list[dict[str, Any]]:
    with httpx.Client(base_url=service.base, timeout=80, trust_env=False) as anybody:
        return list(anybody.get("/api/v1/tasks").json()["tasks"])


def test_subtitles_of_raw_samples(service: Service, samples: bytes) -> None:
    answer = send(service, "/asr", samples, task="transcribe", language="en", output="srt", encode="false")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["asr-engine"] == "scripted"
    assert answer.headers["content-disposition"] == 'attachment; filename="audio_file.srt"'
    cues = pysubs2.SSAFile.from_string(answer.text, "srt")
    assert cues[0].text.startswith("word")
    assert 40_000 < cues[-1].end <= 45_000
    task = tasks(service)[0]
    assert (task["task_id"], task["duration_seconds"]) == (answer.headers["x-task-id"], 45.0)


@pytest.mark.parametrize("encode", ["true", "false"])
def test_every_output_of_a_file_and_of_samples(service: Service, samples: bytes, encode: str, tmp_path: Path) -> None:
    content = CONVERSATION.read_bytes() if encode == "true" else samples[: 22 * 32_000]
    texts = {
        output: send(service, "/asr", content, output=output, encode=encode).text
        for output in ("txt", "vtt", "srt", "tsv", "json")
    }
    said = json.loads(texts["json"])
    assert said["language"] == "en"
    assert " ".join(texts["txt"].split()) == said["text"]
    assert texts["tsv"].splitlines()[0] == "start\tend\ttext"
    (tmp_path / "a.vtt").write_text(texts["vtt"])
    heard = " ".join(caption.text for caption in webvtt.read(str(tmp_path / "a.vtt")).captions)
    assert heard.split() == said["text"].split()
    cues = pysubs2.SSAFile.from_string(texts["srt"], "srt")
    assert " ".join(cue.plaintext for cue in cues).split() == said["text"].split()
    assert send(service, "/asr", content, encode=encode).text == texts["txt"], "txt is what nobody asks for"


def test_words_and_speakers(service: Service) -> None:
    answer = send(service, "/asr", CONVERSATION.read_bytes(), output="json", word_timestamps="true", diarize="true")
    segments = answer.json()["segments"]
    assert {segment["speaker"] for segment in segments} == {"SPEAKER_00", "SPEAKER_01"}
    assert {"start", "end", "word", "probability", "speaker"} == segments[0]["words"][0].keys()


def test_the_language_is_told_and_nothing_is_kept(service: Service, samples: bytes) -> None:
    before = tasks(service)
    for content, encode in ((samples, "false"), (CONVERSATION.read_bytes(), "true")):
        answer = send(service, "/detect-language", content, encode=encode)
        assert answer.json() == {"detected_language": "english", "language_code": "en", "confidence": 1.0}
    silence = send(service, "/detect-language", bytes(32_000), encode="false")
    assert silence.json() == {"detected_language": "unknown", "language_code": "und", "confidence": 0.0}
    assert tasks(service) == before


def test_a_real_engine_tells_the_language(tmp_path: Path, samples: bytes) -> None:
    """A multilingual Whisper with random weights hears some language of its three, and how sure it is."""
    model = str(build(tmp_path / "whisper", shape=Shape(words=100, says=20)))
    with Service(tmp_path / "data", ASR_ENGINE="faster_whisper", ASR_MODEL=model, ANONYMOUS="local") as service:
        answer = send(service, "/detect-language", samples, encode="false").json()
        assert answer["language_code"] in {"en", "de", "zh"}
        assert 1 / 3 < answer["confidence"] < 1


def test_what_is_not_known_is_refused_by_its_name(service: Service, samples: bytes) -> None:
    unknown = send(service, "/asr", samples, temperature="1")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/temperature")
    assert send(service, "/asr", samples, output="doc").json()["code"] == "invalid_options"
    with httpx.Client(base_url=service.base, timeout=30, trust_env=False) as client:
        beside = client.post("/asr", files={"audio_file": b"x"}, data={"language": "en"})
        missing = client.post("/asr", files={"file": b"x"})
    assert beside.json()["errors"][0]["pointer"] == "#/language"
    assert missing.status_code == 422
    assert send(service, "/asr", b"", encode="false").json()["code"] == "empty_file"
    assert send(service, "/asr", b"no sound" * 99).json()["code"] == "not_media"
    assert send(service, "/asr", samples, task="translate", encode="false").json()["code"] == "invalid_options"
    assert send(service, "/asr", samples, language="xx", min_speakers="2").json()["code"] == "invalid_options"
    with httpx.Client(base_url=service.base, timeout=30, trust_env=False, headers={"authorization": "Bearer x"}) as odd:
        assert odd.post("/asr", files={"audio_file": b"x"}).status_code == 401
