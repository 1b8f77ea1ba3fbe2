"""Small weights with the metadata that sherpa-onnx wants, made on the spot: seeded filters, fitted last layers.

The diarization networks know five voices of the tests; the recognisers write syllables where there is energy, the same
for the same sound. They must never be taken for trained models.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge

from adapters.media.av import AvDecoder
from adapters.pcm import samples
from domain.media import DecodedAudio, DecodeLimits
from domain.span import Span
from tests.conversations import conversation
from tests.e2e.spoken import read_stm

Floats = NDArray[np.float32]
Shape = list[int | str]
WINDOW = 160_000
FRAMES = 589
"""What pyannote's segmentation makes of ten seconds; its frames are 270 samples apart."""
DIMENSION = 32
TOKENS = (
    *("<blk>", "▁ba", "▁do", "▁gi", "▁ku", "▁me", "▁no", "▁ra", "▁si"),
    *("lan", "ter", "mo", "kin", "so", "ve", "pa", "dur"),
)
_DATA = Path(__file__).parents[1] / "data"
_SLOTS = {"agent": 0, "caller": 1, "0": 0, "1": 1, "2": 2}
"""Which of the network's three speakers each voice is."""
_BANDS = 24
_BINS = 80
_EVERY = 4
"""Frames overlap by more than that: the others would teach nothing new."""


def build_diarization(folder: Path, *, seed: int = 0) -> Path:
    """Write `segmentation.onnx` and `embedding.onnx` into `folder`, which is made, and return it."""
    folder.mkdir(parents=True)
    with TemporaryDirectory() as scratch:
        lessons = _lessons(Path(scratch), seed)
        _save(_segmentation(lessons, seed), folder / "segmentation.onnx", _SEGMENTATION)
        embedding = _embedding(Path(scratch), lessons, seed)
    _save(embedding, folder / "embedding.onnx", _embedding_facts(DIMENSION))
    return folder


def build_ctc(folder: Path, *, seed: int = 0) -> Path:
    """Write a CTC recogniser as icefall's Zipformers are published."""
    folder.mkdir(parents=True)
    hears = _Hearing(seed, last_is_blank=False)
    nodes = [
        *hears.nodes("x", "scores"),
        helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=2),
        helper.make_node("Div", ["x_lens", "stride"], ["log_probs_lens"]),
    ]
    graph = _graph(
        nodes,
        {"x": ["N", "T", _BINS], "x_lens": ["N"]},
        {"log_probs": ["N", "S", len(TOKENS)], "log_probs_lens": ["N"]},
        {**hears.weights, "stride": np.array(4)},
    )
    _save(graph, folder / "model.onnx", {"model_type": "zipformer2_ctc"})
    _write_tokens(folder, TOKENS)
    return folder


def build_nemo_ctc(folder: Path, *, seed: int = 0) -> Path:
    """Write a CTC recogniser as NeMo's are published."""
    folder.mkdir(parents=True)
    hears = _Hearing(seed, last_is_blank=True)
    nodes = [
        helper.make_node("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]),
        *hears.nodes("x", "scores"),
        helper.make_node("LogSoftmax", ["scores"], ["logprobs"], axis=2),
    ]
    inputs: Mapping[str, Shape] = {"audio_signal": ["N", _BINS, "T"], "length": ["N"]}
    graph = _graph(nodes, inputs, {"logprobs": ["N", "S", len(TOKENS)]}, hears.weights)
    facts = {
        "model_type": "EncDecCTCModelBPE", "vocab_size": len(TOKENS), "subsampling_factor": 4, "normalize_type": "",
    }  # fmt: skip
    _save(graph, folder / "model.int8.onnx", facts)
    _write_tokens(folder, (*TOKENS[1:], TOKENS[0]))
    return folder


def build_moonshine(folder: Path, *, seed: int = 0) -> Path:
    """Write the four parts of a Moonshine: a syllable for each 0.3 s, told by the frame there, then the end."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(seed)
    words = TOKENS[1:]
    size, dimension, stride = 3 + len(words), 16, 384
    time = (np.arange(stride) - stride / 2) / 16_000
    bands = np.cos(2 * np.pi * np.geomspace(100, 5_000, dimension)[:, None] * time) * np.hanning(stride)
    heard: Shape = [1, "S", dimension]
    preprocessor = _graph(
        [
            helper.make_node("Unsqueeze", ["audio", "one"], ["sound"]),
            helper.make_node("Conv", ["sound", "bands"], ["waves"], strides=[stride]),
            helper.make_node("Mul", ["waves", "waves"], ["power"]),
            helper.make_node("Add", ["power", "floor"], ["floored"]),
            helper.make_node("Log", ["floored"], ["levels"]),
            helper.make_node("Transpose", ["levels"], ["features"], perm=[0, 2, 1]),
        ],
        {"audio": [1, "T"]},
        {"features": heard},
        {"one": np.array([1]), "bands": bands[:, None], "floor": np.array(1e-3)},
    )
    encoder = _graph(
        [helper.make_node("Identity", ["features"], ["encoded"])],
        {"features": heard, "features_length": [1]},
        {"encoded": heard},
        {},
        integers=TensorProto.INT32,
    )
    projection = np.zeros((dimension, size))
    projection[:, 3:] = np.cumsum(chance.normal(size=(dimension, len(words))), axis=0)
    projection[:, 3:] -= projection[:, 3:].mean(0)
    weights: dict[str, NDArray[np.generic]] = {
        "step": np.array([12]), "one": np.array([1]), "projection": projection,
        "special": np.array([-1e3] * 3 + [0.0] * len(words)), "last": np.eye(size)[2] * 1e4,
    }  # fmt: skip
    # The place in the sound follows from how much is written; past its end only the end can be written.
    steps = [
        helper.make_node("Cast", ["seq_length"], ["written"], to=TensorProto.INT64),
        helper.make_node("Mul", ["written", "step"], ["place"]),
        helper.make_node("Shape", ["encoded"], ["frames"], start=1, end=2),
        helper.make_node("Sub", ["frames", "one"], ["end"]),
        helper.make_node("Min", ["place", "end"], ["inside"]),
        helper.make_node("Gather", ["encoded", "inside"], ["row"], axis=1),
        helper.make_node("MatMul", ["row", "projection"], ["scores"]),
        helper.make_node("Add", ["scores", "special"], ["allowed"]),
        helper.make_node("Greater", ["place", "end"], ["over"]),
        helper.make_node("Cast", ["over"], ["ended"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["ended", "last"], ["stop"]),
        helper.make_node("Add", ["allowed", "stop"], ["logits"]),
    ]
    inputs: dict[str, Shape] = {"targets": [1, 1], "encoded": heard, "seq_length": [1]}
    outputs: dict[str, Shape] = {"logits": [1, 1, size], "state": [1, "S", dimension]}
    first = _graph(
        [*steps, helper.make_node("Identity", ["encoded"], ["state"])], inputs, outputs, weights,
        integers=TensorProto.INT32,
    )  # fmt: skip
    later = _graph(
        [*steps, helper.make_node("Identity", ["before"], ["state"])], {**inputs, "before": heard}, outputs, weights,
        integers=TensorProto.INT32,
    )  # fmt: skip
    parts = {
        "preprocess": preprocessor,
        "encode.int8": encoder,
        "uncached_decode.int8": first,
        "cached_decode.int8": later,
    }
    for name, graph in parts.items():
        _save(graph, folder / f"{name}.onnx", {})
    _write_tokens(folder, ("<unk>", "<s>", "</s>", *words))
    return folder


def build_transducer(folder: Path, *, seed: int = 0) -> Path:
    """Write a transducer with a stateless decoder, as icefall's Zipformers are published."""
    folder.mkdir(parents=True)
    hears = _Hearing(seed, last_is_blank=False)
    encoder = _graph(
        [*hears.nodes("x", "encoder_out"), helper.make_node("Div", ["x_lens", "stride"], ["encoder_out_lens"])],
        {"x": ["N", "T", _BINS], "x_lens": ["N"]},
        {"encoder_out": ["N", "S", len(TOKENS)], "encoder_out_lens": ["N"]},
        {**hears.weights, "stride": np.array(4)},
    )
    # A token follows itself with difficulty: what a real decoder's memory is for.
    memory = -6 * np.eye(len(TOKENS), dtype=np.float32)
    memory[0] = 0
    decoder = _graph(
        [
            helper.make_node("Gather", ["y", "last"], ["y_last"], axis=1),
            helper.make_node("Gather", ["memory", "y_last"], ["decoder_out"]),
        ],
        {"y": ["N", 2]},
        {"decoder_out": ["N", len(TOKENS)]},
        {"memory": memory, "last": np.array(1)},
    )
    joiner = _graph(
        [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        {"encoder_out": ["N", len(TOKENS)], "decoder_out": ["N", len(TOKENS)]},
        {"logit": ["N", len(TOKENS)]},
        {},
    )
    _save(encoder, folder / "encoder-epoch-1-avg-1.onnx", {"model_type": "zipformer2"})
    _save(decoder, folder / "decoder-epoch-1-avg-1.onnx", {"vocab_size": len(TOKENS), "context_size": 2})
    _save(joiner, folder / "joiner-epoch-1-avg-1.onnx", {"joiner_dim": len(TOKENS)})
    _write_tokens(folder, TOKENS)
    return folder


def build_tdt(folder: Path, *, seed: int = 0) -> Path:
    """Write a token-and-duration transducer as NeMo's Parakeets are published; each token lasts two frames."""
    folder.mkdir(parents=True)
    hears = _Hearing(seed, last_is_blank=True)
    size = len(TOKENS)
    states: Shape = ["L", "N", 4]
    encoder = _graph(
        [
            helper.make_node("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]),
            *hears.nodes("x", "rows"),
            helper.make_node("Transpose", ["rows"], ["outputs"], perm=[0, 2, 1]),
            helper.make_node("Div", ["length", "stride"], ["encoded_lengths"]),
        ],
        {"audio_signal": ["N", _BINS, "T"], "length": ["N"]},
        {"outputs": ["N", size, "S"], "encoded_lengths": ["N"]},
        {**hears.weights, "stride": np.array(4)},
    )
    decoder = _graph(
        [
            helper.make_node("Gather", ["memory", "targets"], ["rows"]),
            helper.make_node("Transpose", ["rows"], ["outputs"], perm=[0, 2, 1]),
            helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
            helper.make_node("Identity", ["states.1"], ["states"]),
            helper.make_node("Identity", ["onnx::Slice_3"], ["162"]),
        ],
        {"targets": ["N", "U"], "target_length": ["N"], "states.1": states, "onnx::Slice_3": states},
        {"outputs": ["N", size, "U"], "prednet_lengths": ["N"], "states": states, "162": states},
        {"memory": np.zeros((size, size), np.float32)},
        integers=TensorProto.INT32,
    )
    joiner = _graph(
        [
            helper.make_node("Add", ["encoder_outputs", "decoder_outputs"], ["joined"]),
            helper.make_node("Transpose", ["joined"], ["row"], perm=[0, 2, 1]),
            helper.make_node("Unsqueeze", ["row", "axis"], ["tokens"]),
            helper.make_node("Concat", ["tokens", "durations"], ["outputs"], axis=3),
        ],
        {"encoder_outputs": ["N", size, 1], "decoder_outputs": ["N", size, 1]},
        {"outputs": ["N", 1, 1, size + 3]},
        {"axis": np.array([1]), "durations": np.array([[[[0.0, 1.0, 2.0]]]], np.float32)},
    )
    facts = {
        "model_type": "EncDecRNNTBPEModel", "url": "parakeet-tdt", "vocab_size": size - 1, "subsampling_factor": 4,
        "normalize_type": "", "pred_rnn_layers": 1, "pred_hidden": 4, "feat_dim": _BINS,
    }  # fmt: skip
    _save(encoder, folder / "encoder.int8.onnx", facts)
    _save(decoder, folder / "decoder.int8.onnx", {})
    _save(joiner, folder / "joiner.int8.onnx", {})
    _write_tokens(folder, (*TOKENS[1:], TOKENS[0]))
    return folder


class _Hearing:
    """Scores of the tokens from the log spectrum: a random projection of its shape, blank against its level."""

    def __init__(self, seed: int, *, last_is_blank: bool) -> None:
        chance = np.random.default_rng(seed)
        tokens = len(TOKENS)
        shape = chance.normal(size=(_BINS, tokens - 1))
        shape -= shape.mean(0)  # the level alone must not choose a token
        shape = np.cumsum(shape, axis=0) / 20  # neighbouring bins tell the same
        shape -= shape.mean(0)
        level = np.full((_BINS, 1), -4 / _BINS, np.float32)
        columns: list[NDArray[np.floating]] = [shape, level] if last_is_blank else [level, shape]
        bias = np.zeros(tokens, np.float32)
        bias[-1 if last_is_blank else 0] = 4 * _QUIET
        self.weights: dict[str, NDArray[np.generic]] = {"projection": np.concatenate(columns, axis=1), "bias": bias}

    def nodes(self, given: str, result: str) -> list[onnx.NodeProto]:
        """One row for four frames, each of the mean of twelve."""
        return [
            helper.make_node("Transpose", [given], ["bins"], perm=[0, 2, 1]),
            helper.make_node("AveragePool", ["bins"], ["pooled"], kernel_shape=[12], strides=[4], pads=[4, 4]),
            helper.make_node("Transpose", ["pooled"], ["frames"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["frames", "projection"], ["projected"]),
            helper.make_node("Add", ["projected", "bias"], [result]),
        ]


_QUIET = -9.8
"""Mean of a frame's log filter bank below which there is no word: the call's room lies at -10.4, its voices at -5."""

_SEGMENTATION = {
    "num_speakers": 3, "powerset_max_classes": 2, "num_classes": 7, "sample_rate": 16_000, "window_size": WINDOW,
    "receptive_field_size": 991, "receptive_field_shift": 270, "model_type": "pyannote-segmentation-3.0",
}  # fmt: skip


def _embedding_facts(dimension: int) -> dict[str, object]:
    return {
        "framework": "wespeaker", "language": "English", "output_dim": dimension, "sample_rate": 16_000,
        "normalize_samples": 0,
    }  # fmt: skip


Lesson = tuple[DecodedAudio, tuple[tuple[Span, str], ...]]
"""A recording and who speaks when."""


def _lessons(folder: Path, seed: int) -> list[Lesson]:
    limits = DecodeLimits(max_duration=10_000_000, max_memory=1 << 30, max_seconds=60.0)
    call = AvDecoder().decode(_DATA / "call.flac", folder, limits, lambda _: None).mix
    lines = read_stm(_DATA / "call.stm")
    told = conversation(folder / "vowels", seconds=40, speakers=3, seed=seed)
    return [
        (call, tuple((Span(round(line.start * 1000), round(line.end * 1000)), line.speaker) for line in lines)),
        (told.audio, tuple((turn.span, turn.speaker) for turn in told.turns)),
    ]


def _segmentation(lessons: list[Lesson], seed: int) -> onnx.GraphProto:
    """Energies in random bands, slow and fast, then a logistic regression on who speaks."""
    chance = np.random.default_rng(seed)
    time = (np.arange(405) - 202) / 16_000
    centres = 100 * np.geomspace(1, 70, _BANDS) * chance.uniform(0.9, 1.1, _BANDS)
    waves = np.cos(2 * np.pi * centres[:, None] * time) * np.hanning(405)
    weights: dict[str, NDArray[np.generic]] = {"bands": waves[:, None].astype(np.float32), "floor": _float(1e-4)}
    nodes = [
        helper.make_node("Conv", ["x", "bands"], ["heard"], strides=[27]),
        helper.make_node("Mul", ["heard", "heard"], ["power"]),
        helper.make_node("AveragePool", ["power"], ["slow"], kernel_shape=[181], strides=[10], pads=[75, 75]),
        helper.make_node("AveragePool", ["power"], ["fast"], kernel_shape=[31], strides=[10]),
        helper.make_node("Concat", ["slow", "fast"], ["powers"], axis=1),
        helper.make_node("Add", ["powers", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["levels"]),
        helper.make_node("Transpose", ["levels"], ["frames"], perm=[0, 2, 1]),
    ]
    inputs: Mapping[str, Shape] = {"x": ["N", 1, WINDOW]}
    listen = _session(_graph(nodes, inputs, {"frames": ["N", FRAMES, 2 * _BANDS]}, weights))
    features, classes = [], []
    for audio, turns in lessons:
        for start in range(0, audio.duration - 9_999, 5_000):
            sound = samples(audio, Span(start, start + 10_000))
            features.append(listen(x=sound[None, None])[0, ::_EVERY])
            middles = start + (np.arange(FRAMES) * 270 + 495) / 16
            truth = np.zeros(FRAMES, np.int64)
            for span, voice in turns:
                truth[(middles >= span.start) & (middles < span.end)] = 1 + _SLOTS[voice]
            classes.append(truth[::_EVERY])
    stack = np.concatenate(features).astype(np.float64)
    mean, spread = stack.mean(0), stack.std(0) + 1e-6
    fitted = LogisticRegression(max_iter=200).fit((stack - mean) / spread, np.concatenate(classes))
    last = np.zeros((2 * _BANDS, 7), np.float32)
    bias = np.full(7, -20, np.float32)  # two at once are possible, but never found in these voices
    last[:, :4] = (fitted.coef_ / spread).T
    bias[:4] = fitted.intercept_ - (fitted.coef_ / spread) @ mean
    nodes += [
        helper.make_node("MatMul", ["frames", "last"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["scores"]),
        helper.make_node("LogSoftmax", ["scores"], ["classes"], axis=2),
    ]
    return _graph(nodes, inputs, {"classes": ["N", FRAMES, 7]}, {**weights, "last": last, "bias": bias})


def _embedding(folder: Path, lessons: list[Lesson], seed: int) -> onnx.GraphProto:
    """Mean and spread of each bin, then a direction for each voice, turned at random."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "time"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squared"]),
        helper.make_node("ReduceMean", ["squared", "time"], ["variance"], keepdims=1),
        helper.make_node("Sqrt", ["variance"], ["spread"]),
        helper.make_node("Concat", ["mean", "spread"], ["both"], axis=2),
        helper.make_node("Squeeze", ["both", "time"], ["statistics"]),
    ]
    weights: dict[str, NDArray[np.generic]] = {"time": np.array([1])}
    inputs: Mapping[str, Shape] = {"x": ["N", "T", _BINS]}
    path = folder / "statistics.onnx"
    _save(_graph(nodes, inputs, {"statistics": ["N", 2 * _BINS]}, weights), path, _embedding_facts(2 * _BINS))
    listen = extractor(path)
    heard, voices = [], []
    for audio, turns in lessons:
        for span, voice in turns:
            for start in range(span.start, span.end - 700, 700):
                heard.append(listen(samples(audio, Span(start, min(span.end, start + 2_000)))))
                voices.append(voice)
    stack, names = np.stack(heard), sorted(set(voices))
    main = PCA(n_components=20, random_state=0).fit(stack)
    told = Ridge(alpha=1.0).fit(main.transform(stack), [[voice == name for name in names] for voice in voices])
    directions = (told.coef_ @ main.components_).astype(np.float32)
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(DIMENSION, len(names))))
    last = (turned @ directions).T
    weights |= {"last": last, "bias": turned @ told.intercept_ - main.mean_ @ last}
    nodes += [
        helper.make_node("MatMul", ["statistics", "last"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["embs"]),
    ]
    return _graph(nodes, inputs, {"embs": ["N", DIMENSION]}, weights)


def extractor(path: Path) -> Callable[[Floats], Floats]:
    """Listen with an embedding model through sherpa-onnx's own features."""
    import sherpa_onnx  # noqa: PLC0415 - what is under test

    inner = sherpa_onnx.SpeakerEmbeddingExtractor(sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(path)))

    def listen(sound: Floats) -> Floats:
        stream = inner.create_stream()
        stream.accept_waveform(16_000, sound)
        stream.input_finished()
        return np.array(inner.compute(stream), np.float32)

    return listen


def _float(value: float) -> Floats:
    return np.array(value, np.float32)


def _write_tokens(folder: Path, tokens: Sequence[str]) -> None:
    rows = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text(rows, encoding="utf-8")


def _graph(
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    weights: Mapping[str, NDArray[np.generic]],
    *,
    integers: int = TensorProto.INT64,
) -> onnx.GraphProto:
    """Lengths, targets and token numbers are integers; all else is 32-bit floats."""

    def described(shapes: Mapping[str, Shape]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, integers if _counts(name) else TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]

    constants = [
        numpy_helper.from_array(value if value.dtype.kind == "i" else value.astype(np.float32, order="C"), name)
        for name, value in weights.items()
    ]
    return helper.make_graph(nodes, "small", described(inputs), described(outputs), constants)


def _counts(name: str) -> bool:
    return name in {"y", "targets"} or name.endswith(("_lens", "length", "lengths"))


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _save(graph: onnx.GraphProto, path: Path, facts: Mapping[str, object]) -> None:
    model = _model(graph)
    helper.set_model_props(model, {name: str(value) for name, value in facts.items()})
    onnx.save(model, path)


def _session(graph: onnx.GraphProto) -> Callable[..., Floats]:
    session = onnxruntime.InferenceSession(_model(graph).SerializeToString(), providers=["CPUExecutionProvider"])

    def run(**given: NDArray[np.generic]) -> Floats:
        found: Floats = session.run(None, given)[0]
        return found

    return run
