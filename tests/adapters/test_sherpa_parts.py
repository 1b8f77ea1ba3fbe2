"""What the sherpa-onnx adapters do by themselves, without the library: words of tokens, kinds of models, blocks."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from adapters.asr.sherpa import SherpaOnnxEngine
from adapters.asr.sherpa_models import NAMES, Kind, files_of, find_model, languages_of
from adapters.asr.tokens import Tokens, words_of
from adapters.catalogue import CATALOGUE
from adapters.diarization.sherpa import NAMES as NETWORKS
from adapters.diarization.sherpa import SherpaOnnxDiarizer, find_networks
from adapters.diarization.sherpa_blocks import diarized
from adapters.hosting.ladder import Reducible
from adapters.onnx_file import NotOnnx, metadata
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from application.ports.system import ProgressSink
from domain.errors import EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
from domain.transcript import Timing

PIECE = Span(1_000, 4_000)


def texts(tokens: Tokens) -> list[str]:
    return [word.text for word in words_of(tokens, PIECE)]


def timed(*tokens: str, **more: object) -> Tokens:
    starts = [number / 10 for number in range(len(tokens))]
    return Tokens(text="".join(tokens), tokens=tokens, starts=starts, **more)  # type: ignore[arg-type]


# Tokens


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["\u2581th", "e", "\u2581mo", "on", "."], ["the", "moon."]),
        ([" th", "e", " mo", "on", ","], ["the", "moon,"]),
        (["t", "h", "e", " ", "m", "o", "o", "n"], ["the", "moon"]),
        (["\u2581", "moon", "\u2581", "s"], ["moon", "s"]),
        (["\u4f60", "\u597d", "\u3002"], ["\u4f60", "\u597d\u3002"]),
        (["\u4f60", "ok", " yes"], ["\u4f60", "ok", "yes"]),
        ([" caf", "<0xC3>", "<0xA9>"], ["caf\u00e9"]),
        ([" a", "<unk>", "b", " <unk>"], ["a", "b"]),
        ([" ", " "], []),
    ],
)
def test_tokens_are_joined_to_words(tokens: list[str], words: list[str]) -> None:
    assert texts(timed(*tokens)) == words


def test_ideographs_are_glued_and_words_are_not() -> None:
    words = words_of(timed("\u4f60", "\u597d", " ok"), PIECE)
    assert [word.glued for word in words] == [False, True, False]


def test_a_word_ends_where_it_says_or_the_next_begins_or_soon() -> None:
    told = words_of(timed(" a", "b", " c", durations=(0.08, 0.05, 0.0)), PIECE)
    assert [(word.span.start, word.span.end) for word in told] == [(1_000, 1_150), (1_200, 1_440)]
    untold = words_of(Tokens(text="a b", tokens=(" a", " b"), starts=(0.0, 0.1)), PIECE)
    assert [(word.span.start, word.span.end) for word in untold] == [(1_000, 1_100), (1_100, 1_340)]


def test_confidence_is_the_mean_of_a_words_tokens_or_none() -> None:
    scored = words_of(timed(" a", "b", " c", scores=(-0.1, -0.3, -0.5)), PIECE)
    assert [word.confidence for word in scored] == [
        pytest.approx(np.exp(-0.2), abs=1e-4),
        pytest.approx(0.6065, abs=1e-4),
    ]
    assert [word.confidence for word in words_of(timed(" a"), PIECE)] == [None]


def test_without_times_words_are_spread_and_say_so() -> None:
    words = words_of(Tokens(text="Hello there.", tokens=(" Hello", " there", ".")), PIECE)
    assert [(word.text, word.timing) for word in words] == [
        ("Hello", Timing.INTERPOLATED), ("there.", Timing.INTERPOLATED),
    ]  # fmt: skip
    assert (words[0].span.start, words[-1].span.end) == (1_000, 4_000)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([" a", "b", "\u2581", "\u4f60", ".", "<0xFF>", ""]), st.floats(0, 5), st.floats(0, 2)
        ),
        max_size=12,
    )
)
def test_words_are_in_order_inside_the_piece(found: list[tuple[str, float, float]]) -> None:
    found = sorted(found, key=lambda token: token[1])
    tokens = Tokens(
        text="", tokens=[token for token, _, _ in found], starts=[start for _, start, _ in found],
        durations=[length for _, _, length in found],
    )  # fmt: skip
    words = words_of(tokens, PIECE)
    starts = [word.span.start for word in words]
    assert starts == sorted(starts)
    assert all(word.span == word.span.clamp(PIECE) and word.text == word.text.strip() != "" for word in words)


# Files


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    tag = number << 3 | 2
    return bytes([tag]) + length + bytes([size]) + content


def onnx_file(path: Path, **facts: str) -> Path:
    """A version, a network that is none, and metadata: what `ModelProto` looks like on disk."""
    entries = [_field(14, _field(1, key.encode()) + _field(2, value.encode())) for key, value in facts.items()]
    path.write_bytes(b"\x08\x08" + _field(7, bytes(300)) + b"".join(entries))
    return path


def test_metadata_is_read_past_the_network(tmp_path: Path) -> None:
    facts = {"model_type": "zipformer2", "comment": "x" * 500, "empty": ""}
    assert metadata(onnx_file(tmp_path / "a.onnx", **facts)) == facts
    assert metadata(onnx_file(tmp_path / "b.onnx")) == {}


@pytest.mark.parametrize(
    "content", [b"\x7fELF" * 9, b"\x3a\xff\xff\xff\x7f", b"\x3a", b"\x72\x03\x0a\x01\xff" + b"\x72\x05"]
)
def test_what_is_no_onnx_is_noticed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(NotOnnx):
        metadata(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("files", "kind", "taken"),
    [
        ("encoder.onnx encoder.int8.onnx decoder.onnx joiner.onnx tokens.txt", Kind.TRANSDUCER, "encoder.int8.onnx"),
        ("encoder-epoch-99-avg-1.onnx decoder-epoch-99-avg-1.onnx joiner-epoch-99-avg-1.onnx tokens.txt",
         Kind.TRANSDUCER, "encoder-epoch-99-avg-1.onnx"),
        ("preprocess.onnx encode.int8.onnx uncached_decode.int8.onnx cached_decode.int8.onnx tokens.txt",
         Kind.MOONSHINE, "encode.int8.onnx"),
        ("encoder_model.ort decoder_model_merged.ort tokens.txt", Kind.MOONSHINE_V2, "encoder_model.ort"),
        ("model.int8.onnx tokens.txt", Kind.CTC, "model.int8.onnx"),
        ("model.onnx", None, ""),
        ("encoder.onnx decoder.onnx tokens.txt", None, ""),
    ],
)  # fmt: skip
def test_a_models_kind_is_told_by_its_files(tmp_path: Path, files: str, kind: Kind | None, taken: str) -> None:
    for name in files.split():
        (tmp_path / name).touch()
    found = files_of(tmp_path)
    assert (found and found.kind) == kind
    if found:
        assert taken in {path.name for path in found.parts.values()}
        assert find_model(str(tmp_path), Path("/nonexistent")) == tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_each_published_recogniser_is_of_a_known_kind(tmp_path: Path, name: str) -> None:
    for file in CATALOGUE[name].files:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file.path).touch()
    assert find_model(name, tmp_path) == tmp_path / name


@pytest.mark.parametrize("name", NETWORKS)
def test_each_published_diarizer_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for file in CATALOGUE[name].files:
        assert find_networks(name, tmp_path) is None
        (tmp_path / name / file.path).touch()
    assert find_networks(name, tmp_path) == tmp_path / name


def test_languages_are_the_directorys_or_the_catalogues(tmp_path: Path) -> None:
    assert languages_of("parakeet-v2", None) == frozenset({"en"})
    assert languages_of("mine", tmp_path) is None
    (tmp_path / "languages.json").write_text('["de", "fr"]', encoding="utf-8")
    assert languages_of("mine", tmp_path) == frozenset({"de", "fr"})
    (tmp_path / "languages.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EngineUnavailable, match="list of codes"):
        languages_of("mine", tmp_path)


def test_who_knows_several_languages_may_not_know_which_it_was(tmp_path: Path) -> None:
    able = SherpaOnnxEngine(models_dir=tmp_path, allow_download=True).capabilities()
    assert able.models == ("parakeet-v3",)
    assert able.languages is not None
    assert {"en", "de", "und"} <= able.languages
    english = SherpaOnnxEngine(models_dir=tmp_path, model="parakeet-v2", allow_download=True).capabilities()
    assert english.languages == frozenset({"en"})
    assert set(english.models) == {"parakeet-v2", "moonshine-tiny", "moonshine-base", "zipformer"}


def test_without_the_library_the_engines_say_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    for name in ("segmentation.onnx", "embedding.onnx", "tokens.txt"):
        (tmp_path / name).touch()
    onnx_file(tmp_path / "model.onnx", model_type="zipformer2_ctc")
    for engine in (
        SherpaOnnxDiarizer(models_dir=tmp_path, model=str(tmp_path)),
        SherpaOnnxEngine(models_dir=tmp_path, model=str(tmp_path)),
    ):
        with pytest.raises(EngineUnavailable, match="pip install sherpa-onnx"):
            engine.load()


# Blocks


class Level:
    """Hears who speaks by how loud it is: one person for each level of a constant tone, silence for nobody."""

    def __init__(self, hears: int = 9) -> None:
        self.hears = hears
        self.nobody = np.zeros(9, np.float32)

    def turns(self, sound: NDArray[np.float32], speakers: int | None, told: ProgressSink) -> list[tuple[Span, int]]:
        found: list[tuple[Span, int]] = []
        for start in range(0, len(sound) // 16, 1_000):
            level = self._level(sound[start * 16 : (start + 1_000) * 16])
            if level:
                found.append(
                    (Span(start, min(start + 1_000, len(sound) // 16)), level % min(self.hears, speakers or 9))
                )
        told(1.0)
        return found

    def voice(self, sound: NDArray[np.float32]) -> NDArray[np.float32] | None:
        return np.eye(9, dtype=np.float32)[self._level(sound)] if len(sound) >= 4_800 else None

    @staticmethod
    def _level(sound: NDArray[np.float32]) -> int:
        return round(float(np.abs(sound).mean()) * 10) if len(sound) else 0


@pytest.fixture
def spoken(tmp_path: Path) -> Callable[[str], DecodedAudio]:
    """A recording with a second of tone for each digit, 0 being silence."""

    def make(levels: str) -> DecodedAudio:
        sound = np.repeat([int(level) * 3_277 for level in levels], 16_000).astype("<i2")
        path = tmp_path / "audio"
        path.write_bytes(sound.tobytes())
        return DecodedAudio(path=path, duration=len(levels) * 1_000)

    return make


def told_apart(audio: DecodedAudio, ears: Level, bounds: tuple[int, int], block: int) -> str:
    blocks = [Span(start, min(start + block, audio.duration)) for start in range(0, audio.duration, block)]
    found = diarized(audio, blocks, ears, bounds, lambda _: None)
    return "".join(
        next((turn.speaker[-1] for turn in found.exclusive if turn.span.contains(second * 1_000 + 500)), "0")
        for second in range(audio.duration // 1_000)
    )


def test_speakers_of_blocks_are_one_person_by_their_voices(spoken: Callable[[str], DecodedAudio]) -> None:
    audio = spoken("1122" + "0233" + "3301" + "0000")
    assert told_apart(audio, Level(), (1, 20), 4_000) == "1122" + "0233" + "3301" + "0000"


def test_more_people_than_the_networks_hear_are_told_apart_by_their_voices(
    spoken: Callable[[str], DecodedAudio],
) -> None:
    audio = spoken("112233112233")
    assert set(told_apart(audio, Level(hears=1), (1, 20), 6_000)) == {"1"}
    found = told_apart(audio, Level(hears=1), (3, 3), 12_000)
    assert found == "112233112233"
    assert set(told_apart(spoken("12"), Level(hears=1), (5, 5), 2_000)) == {"1", "2"}, "there is not more speech"


def test_no_sound_is_no_speaker(spoken: Callable[[str], DecodedAudio]) -> None:
    assert told_apart(spoken("0000"), Level(), (2, 3), 2_000) == "0000"


def test_for_want_of_memory_blocks_get_shorter_but_not_too_short(tmp_path: Path) -> None:
    engine = SherpaOnnxDiarizer(models_dir=tmp_path)
    assert isinstance(engine, Reducible)
    step = engine.reduced()
    assert step is not None
    less, sentence = step
    assert sentence == "blocks of 150 s instead of 600 s"
    assert less.capabilities() == engine.capabilities()
    assert less.reduced() is None
    assert engine.reduced() is not None, "it stays as it was configured"


def test_a_request_without_speech_loads_nothing(tmp_path: Path) -> None:
    engine: DiarizationEngine = SherpaOnnxDiarizer(models_dir=tmp_path)
    audio = DecodedAudio(path=tmp_path / "none", duration=1_000)
    told: list[float] = []
    assert engine.diarize(audio, DiarizationRequest(speech=(), hints=SpeakerHints()), told.append).turns == ()
    assert told[-1] == 1.0
    assert engine.embed(audio, (), told.append) == ()
