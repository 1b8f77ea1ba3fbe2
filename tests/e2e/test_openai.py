"""OpenAI's own client, pointed at this service: everything but its `base_url` as its users have it."""

import base64
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pysubs2
import pytest
import webvtt
from openai.types.audio import TranscriptionDiarized

from tests.application.test_known_speakers import sample
from tests.e2e.service import Service
from tests.e2e.spoken import speak

DATA = Path(__file__).parents[1] / "data"
CONVERSATION = DATA / "conversation.flac"
SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("openai") / "data", ASR_SCRIPT="sleep:0.2", **SCRIPTED) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[openai.OpenAI]:
    with client_of(service) as client:
        yield client


def client_of(service: Service, **settings: object) -> openai.OpenAI:
    transport = httpx.Client(trust_env=False)
    given: dict[str, object] = {"base_url": f"{service.base}/v1", "api_key": service.key, "max_retries": 0}
    return openai.OpenAI(http_client=transport, **(given | settings))  # type: ignore[arg-type] # by name


def words(text: str) -> list[str]:
    return [word.rstrip(".") for word in text.split()]


def test_the_text(client: openai.OpenAI) -> None:
    with CONVERSATION.open("rb") as file:
        answer = client.audio.transcriptions.create(file=file, model="whisper-1")
    assert words(answer.text) == sorted(words(answer.text), key=lambda word: int(word.removeprefix("word")))
    assert len(words(answer.text)) > 20
    assert answer.usage is not None
    assert answer.usage.type == "duration"
    assert answer.usage.seconds == 22


def test_bare_formats_are_what_independent_readers_take(client: openai.OpenAI, tmp_path: Path) -> None:
    texts = {}
    for name in ("text", "srt", "vtt"):
        with CONVERSATION.open("rb") as file:
            texts[name] = str(
                client.audio.transcriptions.create(file=file, model="gpt-4o-transcribe", response_format=name)
            )
    assert texts["text"].endswith("\n")
    (tmp_path / "a.vtt").write_text(texts["vtt"])
    spoken = " ".join(cue.text for cue in webvtt.read(str(tmp_path / "a.vtt")).captions)
    assert words(spoken) == words(texts["text"])
    assert words(" ".join(cue.plaintext for cue in pysubs2.SSAFile.from_string(texts["srt"]))) == words(texts["text"])


def test_times_of_words_and_segments(client: openai.OpenAI) -> None:
    with CONVERSATION.open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
        )
    assert answer.language == "english"
    assert answer.duration == pytest.approx(21.2, abs=0.1)
    assert answer.segments
    assert answer.words
    assert [word.word for word in answer.words] == answer.text.split()
    assert "".join(segment.text for segment in answer.segments).split() == answer.text.split()
    assert all(before.start <= after.start for before, after in zip(answer.words, answer.words[1:], strict=False))
    with CONVERSATION.open("rb") as file:
        usual = client.audio.transcriptions.create(file=file, model="whisper-1", response_format="verbose_json")
    assert usual.segments
    assert usual.words is None


def test_fields_may_stand_in_any_order(service: Service) -> None:
    """OpenAI's client sends the recording last, `curl -F file=@… -F model=…` first."""
    file = ("file", ("a.flac", CONVERSATION.read_bytes()))
    fields = [("timestamp_granularities[]", "word"), ("response_format", "verbose_json"), ("model", "whisper-1")]
    with service.client() as plain:

        def post(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> httpx.Response:
            texts: list[Any] = [(name, (None, text)) for name, text in (*before, *after)]
            texts.insert(len(before), file)
            return plain.post("/v1/audio/transcriptions", files=texts)

        for place in range(len(fields) + 1):
            answer = post(fields[:place], fields[place:])
            assert answer.status_code == 200, answer.text
            assert answer.json()["words"]
        assert post(fields[:2], []).json()["error"]["param"] == "model"
        assert post([("temperature", "7")], fields).json()["error"]["param"] == "temperature"


def test_who_said_what(client: openai.OpenAI) -> None:
    with CONVERSATION.open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file, model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto"
        )
    assert answer.segments[0].speaker == "A"
    assert {segment.speaker for segment in answer.segments} == {"A", "B"}
    assert [segment.id for segment in answer.segments] == [f"seg_{number}" for number in range(len(answer.segments))]
    assert " ".join(segment.text for segment in answer.segments).split() == answer.text.split()


def test_extra_fields_reach_the_task(client: openai.OpenAI, service: Service) -> None:
    with CONVERSATION.open("rb") as file:
        raw = client.audio.transcriptions.with_raw_response.create(
            file=file, model="whisper-1", response_format="verbose_json",
            extra_body={"diarize": True, "num_speakers": 2},
        )  # fmt: skip
    parsed = raw.parse()
    assert all(getattr(segment, "speaker", None) for segment in parsed.segments or ())
    stages = service.result(raw.headers["x-task-id"]).json()["stages"]
    assert {"diarization", "recognition"} <= {stage["name"] for stage in stages}


def test_without_speakers_none_are_looked_for(client: openai.OpenAI, service: Service) -> None:
    with CONVERSATION.open("rb") as file:
        raw = client.audio.transcriptions.with_raw_response.create(file=file, model="whisper-1")
    stages = service.result(raw.headers["x-task-id"]).json()["stages"]
    assert "diarization" not in {stage["name"] for stage in stages if stage["status"] == "ran"}


def test_the_text_comes_while_it_is_recognised(client: openai.OpenAI, tmp_path: Path) -> None:
    with (
        Service(tmp_path / "data", ASR_SCRIPT="sleep:0.6", **SCRIPTED) as slow,
        client_of(slow) as follower,
        CONVERSATION.open("rb") as file,
    ):
        events = follower.audio.transcriptions.create(file=file, model="whisper-1", stream=True)
        heard = [(time.monotonic(), event) for event in events]
    deltas = [event.delta for _, event in heard if event.type == "transcript.text.delta"]
    done = heard[-1][1]
    assert done.type == "transcript.text.done"
    assert "".join(deltas) == done.text
    with CONVERSATION.open("rb") as file:
        assert done.text == client.audio.transcriptions.create(file=file, model="whisper-1").text
    # Eight windows of 0.6 s, looked at each second; an answer in one piece would have come at once.
    assert heard[-1][0] - heard[0][0] > 1


def test_a_stream_ends_with_who_said_it(client: openai.OpenAI) -> None:
    with CONVERSATION.open("rb") as file:
        events = client.audio.transcriptions.create(
            file=file, model="gpt-4o-transcribe-diarize", response_format="diarized_json", stream=True
        )
        kinds = [event.type for event in events]
    assert kinds[0] == "transcript.text.delta"
    assert kinds[-1] == "transcript.text.done"
    assert "transcript.text.segment" in kinds


def test_models_are_listed(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert {"whisper-1", "scripted"} <= set(ids)
    assert client.models.retrieve("whisper-1").object == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-99")
    assert caught.value.code == "model_not_found"


def test_refusals_are_its_own_errors(client: openai.OpenAI, service: Service) -> None:
    def refused(error: type[openai.APIStatusError], **fields: object) -> openai.APIStatusError:
        with CONVERSATION.open("rb") as file, pytest.raises(error) as caught:
            client.audio.transcriptions.create(**({"file": file, "model": "whisper-1"} | fields))  # type: ignore[call-overload]
        return caught.value

    wrong = refused(openai.BadRequestError, temperature=7)
    assert (wrong.code, wrong.param, wrong.type) == ("invalid_options", "temperature", "invalid_request_error")
    assert refused(openai.NotFoundError, model="no-such").code == "model_not_found"
    assert refused(openai.BadRequestError, extra_body={"vad": 1}).param == "vad"
    assert refused(openai.UnprocessableEntityError, file=("a.wav", b"")).code == "empty_file"
    assert refused(openai.UnprocessableEntityError, file=("a.wav", b"no sound" * 100)).code == "not_media"
    unheard = refused(openai.BadRequestError, known_speaker_names=["Ann"])
    assert unheard.param == "known_speaker_references"
    with (
        client_of(service, api_key="sk-not-ours") as stranger,
        CONVERSATION.open("rb") as file,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.audio.transcriptions.create(file=file, model="whisper-1")
    assert (caught.value.code, caught.value.type) == ("unauthorized", "authentication_error")


@pytest.mark.filterwarnings("ignore:deprecated")  # there, not here
def test_translation_is_refused_where_the_model_cannot(client: openai.OpenAI) -> None:
    with CONVERSATION.open("rb") as file, pytest.raises(openai.BadRequestError) as refusal:
        client.audio.translations.create(file=file, model="whisper-1")
    assert refusal.value.code == "invalid_options"


def test_a_call_that_takes_too_long_goes_on_as_a_task(tmp_path: Path) -> None:
    settings = SCRIPTED | {"ASR_SCRIPT": "sleep:1", "API_SYNC_SECONDS": "1"}
    with (
        Service(tmp_path / "data", **settings) as service,
        client_of(service) as client,
        CONVERSATION.open("rb") as file,
    ):
        raw = client.audio.transcriptions.with_raw_response.create(file=file, model="whisper-1")
        assert raw.status_code == 202
        with service.client() as plain:
            assert plain.get(raw.headers["location"]).json()["status"] in {"queued", "processing"}
        task = raw.headers["location"].rpartition("/")[2]
        assert service.wait(task)["status"] == "done"


def test_whoever_hangs_up_is_worked_for_no_longer(tmp_path: Path) -> None:
    with Service(tmp_path / "data", ASR_SCRIPT="sleep:2", **SCRIPTED) as service:
        for stream in (False, True):
            impatient = client_of(service, timeout=2.0)
            with CONVERSATION.open("rb") as file, pytest.raises(openai.APITimeoutError), impatient:
                for _ in impatient.audio.transcriptions.create(file=file, model="whisper-1", stream=stream):
                    pass
            with service.client() as plain:
                task = plain.get("/api/v1/tasks", params={"limit": 1}).json()["tasks"][0]["task_id"]
            assert service.wait(task, patience=20)["status"] == "cancelled"


def test_a_failed_task_is_not_sent_again(tmp_path: Path) -> None:
    with Service(tmp_path / "data", ASR_SCRIPT="raise", **SCRIPTED) as service:
        client = client_of(service, max_retries=2, timeout=80)
        with CONVERSATION.open("rb") as file, pytest.raises(openai.InternalServerError) as caught, client:
            client.audio.transcriptions.create(file=file, model="whisper-1")
        assert caught.value.code == "engine_failed"
        with service.client() as plain:
            assert len(plain.get("/api/v1/tasks").json()["tasks"]) == 1


def data_url(path: Path) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(path.read_bytes()).decode()}"


def test_known_speakers_are_called_by_name(tmp_path: Path) -> None:
    lines = speak(tmp_path / "talk.wav")
    heard = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "acoustic"}
    with Service(tmp_path / "data", **heard) as service, client_of(service) as client:
        with (tmp_path / "talk.wav").open("rb") as file:
            answer = client.audio.transcriptions.create(
                file=file,
                model="gpt-4o-transcribe-diarize",
                response_format="diarized_json",
                known_speaker_names=["Peter"],
                known_speaker_references=[data_url(sample(tmp_path, "peter"))],
            )
        assert isinstance(answer, TranscriptionDiarized)
        times = Counter[tuple[str, str]]()
        for segment in answer.segments:
            middle = (segment.start + segment.end) / 2
            speaker = next((line.speaker for line in lines if line.start <= middle <= line.end), "")
            times[speaker, segment.speaker] += 1
        assert {speaker for _, speaker in times} == {"A", "Peter"}
        assert times["peter", "Peter"] > times["peter", "A"], times
        assert times["anna", "A"] > times["anna", "Peter"], times
        with service.client() as native:
            (clip,) = native.get("/api/v1/audio").json()["clips"]
        assert clip["filename"] == "Peter"
        assert clip["expires_at"] is not None


@pytest.mark.parametrize(
    ("names", "references", "said"),
    [
        (["A", "B"], ["data:audio/wav;base64,AAAA"], "1 for 2"),
        ([], ["data:audio/wav;base64,AAAA"], "1 for 0"),
        (["A"], ["https://example.org/a.wav"], "data URLs"),
        (["A"], ["data:audio/wav;base64,%%%"], "base64|alphabet|padding|character"),
        (["A"], ["data:audio/wav;base64,"], "empty"),
        (["spk_1"], ["data:audio/wav;base64,AAAA"], "names of known_speakers"),
        (["A"], ["data:audio/wav;base64," + "A" * 5_000_000], "too long"),
    ],
)
def test_samples_that_cannot_be_are_refused_and_not_kept(
    service: Service, client: openai.OpenAI, names: list[str], references: list[str], said: str
) -> None:
    with CONVERSATION.open("rb") as file, pytest.raises(openai.APIStatusError, match=said) as refused:
        client.audio.transcriptions.create(
            file=file, model="whisper-1", known_speaker_names=names, known_speaker_references=references
        )
    assert refused.value.status_code in {400, 413}
    with service.client() as native:
        assert native.get("/api/v1/audio").json()["clips"] == []
