"""A multilingual Whisper with random weights, for what the trained English one in tests/data cannot show.

It says nothing that anybody could understand; its directory is one that CTranslate2 and faster-whisper load for real.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

LANGUAGES = ("en", "de", "zh")
_BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
# The tokenizer of multilingual models has an empty token, by which CTranslate2 knows them.
_CONTROL = (
    "", "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES), "<|translate|>",
    "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip
_TIME_STAMPS = tuple(f"<|{number * 0.02:.2f}|>" for number in range(1501))
_PROMPT = 4
"""Start, language, task, no time stamps."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large a model is; `says` is how many tokens it makes of every chunk, None whatever comes of its weights."""

    width: int = 32
    layers: int = 1
    heads: int = 2
    words: int = 0
    says: int | None = None

    @property
    def text(self) -> tuple[str, ...]:
        """Return the tokens that text is made of: bytes, and whole words."""
        return (*_BYTES, *(f"Ġw{number}" for number in range(self.words)))

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return the whole vocabulary."""
        return (*self.text, *_CONTROL, *_TIME_STAMPS)


TINY = Shape()
BASE = Shape(width=512, layers=6, heads=8, words=50_096, says=100)
"""As the published `base`: 72 million parameters, 51,865 tokens."""


def build(folder: Path, seed: int = 0, shape: Shape = TINY) -> Path:
    """Write the model into `folder` and return it."""
    tokens = shape.tokens
    spec = _Random(seed, shape).whisper()
    spec.register_vocabulary(list(tokens))
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [[layer, head] for layer in range(shape.layers // 2, shape.layers) for head in (0, 1)]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokens.index("<|endoftext|>")]
    spec.validate()
    spec.optimize()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    _tokenizer(shape).save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}), encoding="utf-8")
    return folder


def _tokenizer(shape: Shape) -> Tokenizer:
    tokenizer = Tokenizer(BPE(vocab={token: number for number, token in enumerate((*shape.text, ""))}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _CONTROL[1:]])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in _TIME_STAMPS])
    return tokenizer


class _Random:
    """Fills a specification of the shape."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self._random = np.random.default_rng(seed)
        self._shape = shape
        self._width = shape.width

    def whisper(self) -> WhisperSpec:
        shape, width = self._shape, self._width
        spec = WhisperSpec(shape.layers, shape.heads, shape.layers, shape.heads)
        encoder, decoder = spec.encoder, spec.decoder
        for convolution, inputs in ((encoder.conv1, 80), (encoder.conv2, width)):
            convolution.weight, convolution.bias = self._weights(width, inputs, 3), np.zeros(width, np.float32)
        encoder.position_encodings.encodings = self._weights(1500, width)
        decoder.position_encodings.encodings = self._weights(448, width)
        decoder.embeddings.weight = self._weights(len(shape.tokens), width)
        decoder.projection.weight = decoder.embeddings.weight
        if shape.says is not None:
            self._limit(decoder, shape.says)
        for part in (encoder, decoder):
            self._norm(part.layer_norm)
            for layer in part.layer:
                self._attention(layer.self_attention, 3 * width)
                self._norm(layer.ffn.layer_norm)
                self._linear(layer.ffn.linear_0, 4 * width, width)
                self._linear(layer.ffn.linear_1, width, 4 * width)
        for layer in decoder.layer:
            self._attention(layer.attention, width, 2 * width)
            if shape.says is not None:  # nothing else writes into the dimension of the end
                for output in (layer.self_attention.linear[-1], layer.attention.linear[-1], layer.ffn.linear_1):
                    output.weight[0] = 0
        return spec

    def _limit(self, decoder: Any, says: int) -> None:
        """Let the position alone decide where a text ends, in a dimension of its own; markers are never likely."""
        first, end = len(self._shape.text), len(self._shape.text) + _CONTROL.index("<|endoftext|>")
        positions, projection = decoder.position_encodings.encodings, decoder.projection
        positions *= 10  # each position has words of its own
        positions[:, 0] = -20
        positions[_PROMPT - 1 + says :, 0] = 20
        projection.weight = decoder.embeddings.weight * 8
        projection.weight[:, 0] = decoder.embeddings.weight[:, 0] = 0
        projection.weight[end] = 0
        projection.weight[end, 0] = 100
        projection.bias = np.zeros(len(self._shape.tokens), np.float32)
        projection.bias[first:end] = projection.bias[end + 1 :] = -1_000

    def _attention(self, attention: Any, *widths: int) -> None:
        self._norm(attention.layer_norm)
        for linear, outputs in zip(attention.linear, (*widths, self._width), strict=True):
            self._linear(linear, outputs, self._width)

    def _linear(self, linear: Any, outputs: int, inputs: int) -> None:
        linear.weight, linear.bias = self._weights(outputs, inputs), np.zeros(outputs, np.float32)

    def _norm(self, norm: Any) -> None:
        norm.gamma, norm.beta = np.ones(self._width, np.float32), np.zeros(self._width, np.float32)

    def _weights(self, *shape: int) -> NDArray[np.float32]:
        # As large as keeps a sum over the inputs at the size that it has in the tiny model.
        return self._random.normal(0, 0.3 * (TINY.width / self._width) ** 0.5, shape).astype(np.float32)
