"""The remote recogniser over real sockets: its contract, what it sends, what it makes of answers, and of trouble."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.asr.openai_answers import read_reply
from adapters.asr.openai_compatible import UNKNOWN, OpenAICompatibleEngine
from adapters.asr.openai_wire import Reply
from adapters.asr.weights import LANGUAGES
from adapters.hosting.hosted import HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from application.ports.asr import RecognitionRequest, TranscriptionEngine
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.language_names import CODES
from domain.media import DecodedAudio
from domain.options import Goal
from domain.span import Span
from domain.timing import well_timed
from domain.transcript import Recognition, Timing, Word, join_words
from tests.adapters.remote_server import (
    PLAIN,
    SEGMENTS,
    TEXT,
    VERBOSE,
    Fault,
    Handler,
    Script,
    Server,
    black_hole,
    body,
    cut_short,
    dripping,
    endless,
    reset,
    slow,
    status,
)
from tests.contracts.transcription import TranscriptionContract, unheard

KEY = "sk-test-1234567890"
TEN_SECONDS = Span(10_000, 20_000)
WHOLE = Span(0, 60_000)
NOWHERE = "http://127.0.0.1:9/v1"
ONE_PIECE = RecognitionRequest(speech=(Span(1_000, 9_000),))
TWO_PIECES = RecognitionRequest(speech=(Span(1_000, 9_000), Span(20_000, 30_000)))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    """A minute of noise: the server listens to its length alone."""
    import numpy as np  # noqa: PLC0415 - heavy

    path = tmp_path_factory.mktemp("recording") / "audio"
    noise = np.random.default_rng(0).normal(0, 3_000, WHOLE.end * 16)
    path.write_bytes(noise.astype("<i2").tobytes())
    return DecodedAudio(path=path, duration=WHOLE.end)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def engine_for(server: Server, **settings: float) -> OpenAICompatibleEngine:
    return OpenAICompatibleEngine(url=server.url, key=server.script.key, **settings)  # type: ignore[arg-type]


def hear(
    server: Server, recording: DecodedAudio, request: RecognitionRequest = ONE_PIECE, **settings: float
) -> Recognition:
    return engine_for(server, **settings).transcribe(recording, WHOLE, request, unheard)


# The contract


class Bound(TranscriptionContract):
    """Two pieces in the window, one outside."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Server]:
        with Server(Script(key=KEY)) as running:
            yield running

    @pytest.fixture(scope="class")
    @classmethod
    def audio(cls, recording: DecodedAudio) -> DecodedAudio:
        return recording

    @pytest.fixture(scope="class")
    @classmethod
    def window(cls) -> Span:
        return Span(7_000, 41_000)

    @pytest.fixture(scope="class")
    @classmethod
    def asked(cls) -> RecognitionRequest:
        return RecognitionRequest(speech=(Span(4_000, 6_400), Span(14_300, 15_200), Span(19_500, 30_500)))


class TestOpenAICompatibleEngine(Bound, adapter=OpenAICompatibleEngine):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, server: Server) -> TranscriptionEngine:
        return engine_for(server)

    @pytest.fixture
    def unloaded(self) -> TranscriptionEngine:
        return OpenAICompatibleEngine(url=NOWHERE)


class TestOpenAICompatibleEngineInAChild(Bound):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, server: Server) -> Iterator[TranscriptionEngine]:
        hosted = HostedTranscriptionEngine(engine_for(server), Hosting())
        yield hosted
        hosted.close()

    @pytest.fixture
    def unloaded(self) -> TranscriptionEngine:
        return HostedTranscriptionEngine(OpenAICompatibleEngine(url=NOWHERE), Hosting())


class TestOpenAICompatibleEngineWithAServerThatKnowsTextAlone(Bound):
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Server]:
        with Server(Script(able=TEXT)) as running:
            yield running

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, server: Server) -> TranscriptionEngine:
        return engine_for(server)

    @pytest.fixture
    def unloaded(self) -> TranscriptionEngine:
        return OpenAICompatibleEngine(url=NOWHERE)


# What is sent


def test_only_the_speech_is_sent_with_what_was_asked_for(server: Server, recording: DecodedAudio) -> None:
    server.script.key = KEY
    request = replace(
        TWO_PIECES, language="de", temperature=0.4, initial_prompt="A meeting of three", hotwords=("Kubernetes", "Ana")
    )
    hear(server, recording, request)
    whole = Path(recording.path).read_bytes()
    for asked, span in zip(sorted(server.asked, key=lambda one: one.seconds), request.speech, strict=True):
        assert asked.pcm == whole[span.start * 32 : span.end * 32]
        assert asked.path == "/v1/audio/transcriptions"
        assert asked.headers["Authorization"] == f"Bearer {KEY}"
        assert asked.fields == {
            "model": ["whisper-1"],
            "language": ["de"],
            "temperature": ["0.4"],
            "prompt": ["A meeting of three, Kubernetes, Ana"],
            "response_format": ["verbose_json"],
            "timestamp_granularities[]": ["word", "segment"],
        }


def test_without_a_key_none_is_sent(server: Server, recording: DecodedAudio) -> None:
    hear(server, recording)
    assert "Authorization" not in server.asked[0].headers


def test_translations_have_an_address_of_their_own(server: Server, recording: DecodedAudio) -> None:
    server.script.language = "german"
    heard = hear(server, recording, replace(ONE_PIECE, goal=Goal.TRANSLATE, language="de"))
    [asked] = server.asked
    assert asked.path == "/v1/audio/translations"
    assert "language" not in asked.fields
    assert (heard.language, heard.segments[0].language) == ("en", "en")


def test_the_longest_piece_decides_the_language_of_the_others(server: Server, recording: DecodedAudio) -> None:
    server.script.language = "dutch"
    assert hear(server, recording, TWO_PIECES).language == "nl"
    assert [(asked.seconds, asked["language"]) for asked in server.asked] == [(10.0, ""), (8.0, "nl")]


def test_of_several_allowed_languages_each_piece_has_its_own(server: Server, recording: DecodedAudio) -> None:
    server.script.language = "dutch"
    heard = hear(server, recording, replace(TWO_PIECES, languages=("de", "nl")))
    assert [asked["language"] for asked in server.asked] == ["", ""]
    assert {segment.language for segment in heard.segments} == {"nl"}


def test_a_piece_in_a_language_that_is_not_allowed_is_asked_for_again(server: Server, recording: DecodedAudio) -> None:
    hear(server, recording, replace(ONE_PIECE, languages=("de", "nl")))
    assert [asked["language"] for asked in server.asked] == ["", "de"]


def test_as_many_pieces_are_under_way_as_the_setting_says(server: Server, recording: DecodedAudio) -> None:
    server.script.always = slow(0.1)
    request = RecognitionRequest(
        speech=tuple(Span(start, start + 1_000) for start in range(0, 40_000, 5_000)), language="en"
    )
    for concurrency in (1, 3):
        server.under_way.clear()
        hear(server, recording, request, concurrency=concurrency)
        assert server.under_way["most"] == concurrency


def test_proxies_of_the_environment_are_not_used(
    server: Server, recording: DecodedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert hear(server, recording).segments


# What answers are made of


def test_words_have_the_times_they_were_heard_at_and_the_texts_punctuation(
    server: Server, recording: DecodedAudio
) -> None:
    server.script.words = lambda _: [("hello", 0.5, 0.9), ("you", 1.0, 1.25), ("there", 1.5, 2.0)]
    [segment] = hear(server, recording).segments
    assert segment.text == "Hello you there."
    assert [(word.text, word.span, word.timing) for word in segment.words] == [
        ("Hello", Span(1_500, 1_900), Timing.ALIGNED),
        ("you", Span(2_000, 2_250), Timing.ALIGNED),
        ("there.", Span(2_500, 3_000), Timing.ALIGNED),
    ]
    assert segment.quality is not None
    assert segment.quality.average_log_probability == -0.2


@pytest.mark.parametrize("able", [VERBOSE, SEGMENTS, PLAIN, TEXT])
def test_a_server_need_not_know_every_form(able: int, recording: DecodedAudio) -> None:
    with Server(Script(able=able)) as server:
        heard = hear(server, recording, TWO_PIECES)
        tries = len(server.asked)
    words = [word for segment in heard.segments for word in segment.words]
    assert len(words) == 36
    assert {word.timing for word in words} == {Timing.ALIGNED if able == VERBOSE else Timing.INTERPOLATED}
    assert heard.language == ("en" if able <= SEGMENTS else UNKNOWN)
    assert tries == 2 + able, "a form that was refused once is not asked for again"


def answer(**content: object) -> tuple[Word, ...]:
    piece = TEN_SECONDS
    heard = read_reply(Reply(200, {}, json.dumps(content).encode()), piece, asked_for_text=False)
    words = tuple(word for segment in heard.segments for word in segment.words)
    assert [join_words(segment.words).split() for segment in heard.segments] == [
        segment.text.split() for segment in heard.segments
    ]
    assert words == well_timed(words, piece)
    return words


def test_words_that_are_cut_elsewhere_than_the_text_are_matched_by_their_letters() -> None:
    words = answer(
        text="",
        segments=[{"text": "Don't go — 你好。"}],
        words=[
            {"word": "Don", "start": 1, "end": 1.25}, {"word": "'t", "start": 1.25, "end": 1.5},
            {"word": " go", "start": 2, "end": 3}, {"word": "你好", "start": 5, "end": 6},
        ],
    )  # fmt: skip
    assert [(word.text, word.span) for word in words] == [
        ("Don't", Span(11_000, 11_500)),
        ("go", Span(12_000, 13_000)),
        ("—", Span(13_000, 15_000)),
        ("你", Span(15_000, 15_500)),
        ("好。", Span(15_500, 16_000)),
    ]
    assert [word.timing is Timing.ALIGNED for word in words] == [True, True, False, True, True]


def test_words_inside_segments_and_their_probabilities_are_read() -> None:
    inside = [{"word": " so", "start": 1.0, "end": 2.0, "probability": 0.75}]
    [word] = answer(segments=[{"text": " So", "start": "1.0", "end": 2.0, "words": inside}])
    assert (word.span, word.confidence) == (Span(11_000, 12_000), 0.75)


seconds = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([0, 1e308, -1e308, 3.5])
texts = st.text(alphabet="ab c'.你Éß\u0301", max_size=12)
heard_words = st.lists(
    st.fixed_dictionaries({"word": texts, "start": seconds, "end": seconds, "probability": seconds}), max_size=6
)


@given(
    text=texts,
    words=heard_words,
    segments=st.none()
    | st.lists(
        st.fixed_dictionaries({"text": texts, "start": seconds, "end": seconds, "words": st.none() | heard_words}),
        max_size=4,
    ),
)
def test_whatever_numbers_come_words_are_in_order_inside_the_piece(
    text: str, words: list[object], segments: list[object] | None
) -> None:
    piece = TEN_SECONDS
    found = answer(text=text, words=words, segments=segments)
    assert all(piece.start <= word.span.start <= word.span.end <= piece.end for word in found)
    assert all(earlier.span.start <= later.span.start for earlier, later in pairwise(found))
    assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in found)


def test_languages_are_known_by_their_names() -> None:
    assert {CODES["english"], CODES["haitian creole"], CODES["cantonese"]} == {"en", "ht", "yue"}
    assert frozenset(CODES.values()) == LANGUAGES


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[1, 2]", "application/json"),
        (b'{"text": 5}', "application/json"),
        (b'{"text": "hal', "application/json"),
        (b'{"text": "\xff"}', "application/json"),
        (b"<html>Sign in to this network</html>", "text/html"),
        (b"", "application/json"),
        (b'{"words": ' + b"[" * 100_000, "application/json"),
        (b'{"text": "a", "words": [{"word": "a", "start": 1e999, "end": 1}]}', "application/json"),
    ],
)
def test_answers_that_cannot_be_understood(server: Server, recording: DecodedAudio, content: bytes, kind: str) -> None:
    server.script.always = body(content, kind)
    with pytest.raises(EngineFailed) as failed:
        hear(server, recording)
    assert failed.value.reason == "remote_garbled"
    assert len(server.asked) == 1


# Trouble


@pytest.mark.parametrize("fault", [status(429), status(503), status(408), status(500), reset, cut_short])
def test_what_may_pass_is_tried_again(server: Server, recording: DecodedAudio, fault: Fault) -> None:
    server.script.faults = [fault]
    assert hear(server, recording).segments
    assert len(server.asked) == 2


def test_the_server_says_how_long_to_wait(server: Server, recording: DecodedAudio) -> None:
    server.script.faults = [status(429, Retry_After="1"), status(429, retry_after_ms="300")]
    started = time.monotonic()
    hear(server, recording)
    assert 1.3 <= time.monotonic() - started < 8


@pytest.mark.parametrize("headers", [{"Retry_After": "3600"}, {"x_should_retry": "false"}])
def test_no_time_is_spent_on_tries_that_are_in_vain(
    server: Server, recording: DecodedAudio, headers: dict[str, str]
) -> None:
    server.script.always = status(429, **headers)
    started = time.monotonic()
    with pytest.raises(EngineFailed):
        hear(server, recording)
    assert time.monotonic() - started < 5
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (black_hole, "remote_timeout"),
        (dripping, "remote_timeout"),
        (reset, "remote_unreachable"),
        (status(502), "remote_failed"),
        (endless, "remote_garbled"),
    ],
)
def test_trouble_that_stays_ends_in_time(server: Server, recording: DecodedAudio, fault: Fault, code: str) -> None:
    server.script.always = fault
    started = time.monotonic()
    with pytest.raises(EngineFailed) as failed:
        hear(server, recording, timeout=0.5, patience=1.5)
    assert time.monotonic() - started < 4
    assert failed.value.reason == code


def test_nobody_at_that_address(recording: DecodedAudio) -> None:
    with Server() as server:
        pass
    with pytest.raises(EngineFailed) as failed:
        hear(server, recording, patience=1)
    assert failed.value.reason == "remote_unreachable"


@pytest.mark.parametrize(
    ("refusal", "kind", "code"),
    [
        ((400, {"code": "audio_too_short"}), EngineFailed, "remote_refused"),
        ((413, {"message": "too large"}), EngineFailed, "remote_refused"),
        ((422, {"message": "no"}), EngineFailed, "remote_refused"),
        ((403, {"message": "no"}), EngineUnavailable, "model_unavailable"),
        ((404, {"message": "Not Found"}), EngineUnavailable, "model_unavailable"),
        ((404, {"message": "Model 'x' is not installed"}), ModelNotFound, "model_not_found"),
        ((400, {"param": "language", "message": "unsupported"}), InvalidOptions, "unsupported_language"),
    ],
)
def test_refusals_are_told_apart_and_final(
    server: Server, recording: DecodedAudio, refusal: tuple[int, dict[str, str]], kind: type[ColloquyError], code: str
) -> None:
    def refuse(handler: Handler) -> bool:
        handler.reply(refusal[0], json.dumps({"error": refusal[1]}).encode())
        return True

    server.script.always = refuse
    with pytest.raises(kind) as refused:
        hear(server, recording)
    assert refused.value.reason == code
    assert len(server.asked) == 1


def test_a_wrong_key_is_refused_and_not_repeated(server: Server, recording: DecodedAudio) -> None:
    server.script.key = "another"
    with pytest.raises(EngineUnavailable, match="ASR_REMOTE_KEY") as refused:
        OpenAICompatibleEngine(url=server.url, key=KEY).transcribe(recording, WHOLE, ONE_PIECE, unheard)
    assert KEY not in str(refused.value)


def test_redirects_are_not_followed(server: Server, recording: DecodedAudio) -> None:
    with Server() as other:
        server.script.always = status(307, Location=f"{other.url}/audio/transcriptions")
        with pytest.raises(EngineUnavailable):
            hear(server, recording)
        assert other.asked == []


@pytest.mark.parametrize("fault", [black_hole, dripping, status(503, Retry_After="20")])
def test_what_the_sink_raises_ends_a_call_within_a_second(
    server: Server, recording: DecodedAudio, fault: Fault
) -> None:
    server.script.always = fault
    started = time.monotonic()
    looks: list[float] = []

    def sink(_: float) -> None:
        looks.append(time.monotonic())
        if looks[-1] - started > 0.7:
            raise KeyError

    with pytest.raises(KeyError):
        engine_for(server).transcribe(recording, WHOLE, TWO_PIECES, sink)
    assert time.monotonic() - looks[-1] < 1
    assert all(later - earlier < 1 for earlier, later in pairwise(looks))


def test_a_server_that_is_gone_is_no_hung_engine(server: Server, recording: DecodedAudio) -> None:
    server.script.always = black_hole
    hosted = HostedTranscriptionEngine(engine_for(server, timeout=0.5, patience=1.0), Hosting(stall_seconds=3))
    try:
        with pytest.raises(EngineFailed) as failed:
            hosted.transcribe(recording, WHOLE, ONE_PIECE, unheard)
        assert failed.value.reason == "remote_timeout"
    finally:
        hosted.close()


def test_certificates_are_checked() -> None:
    import ssl  # noqa: PLC0415 - for this test alone

    from adapters.asr.openai_wire import _certificates  # noqa: PLC0415 - as above

    context = _certificates()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
