"""A tiny multilingual Whisper with random weights, for what the trained English one in tests/data cannot show.

It says nothing that anybody could understand; its directory is one that CTranslate2 and faster-whisper load for real.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

WIDTH = 32
LANGUAGES = ("en", "de", "zh")
_BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
# The tokenizer of multilingual models has an empty token, by which CTranslate2 knows them.
_CONTROL = (
    "", "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES), "<|translate|>",
    "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip
TOKENS = (*_BYTES, *_CONTROL, *(f"<|{number * 0.02:.2f}|>" for number in range(1501)))


def build(folder: Path, seed: int = 0) -> Path:
    """Write the model into `folder` and return it."""
    spec = _Random(seed).whisper()
    spec.register_vocabulary(list(TOKENS))
    spec.config.lang_ids = [TOKENS.index(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [[0, 0], [0, 1]]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [TOKENS.index("<|endoftext|>")]
    spec.validate()
    spec.optimize()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}), encoding="utf-8")
    return folder


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(BPE(vocab={token: number for number, token in enumerate((*_BYTES, ""))}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _CONTROL[1:]])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in TOKENS[len(_BYTES) + len(_CONTROL) :]])
    return tokenizer


class _Random:
    """Fills a specification: one layer and two heads on each side."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def whisper(self) -> WhisperSpec:
        spec = WhisperSpec(1, 2, 1, 2)
        encoder, decoder = spec.encoder, spec.decoder
        for convolution, width in ((encoder.conv1, 80), (encoder.conv2, WIDTH)):
            convolution.weight, convolution.bias = self._weights(WIDTH, width, 3), np.zeros(WIDTH, np.float32)
        encoder.position_encodings.encodings = self._weights(1500, WIDTH)
        decoder.position_encodings.encodings = self._weights(448, WIDTH)
        decoder.embeddings.weight = self._weights(len(TOKENS), WIDTH)
        decoder.projection.weight = decoder.embeddings.weight
        for part in (encoder, decoder):
            self._norm(part.layer_norm)
            for layer in part.layer:
                self._attention(layer.self_attention, 3 * WIDTH)
                self._norm(layer.ffn.layer_norm)
                self._linear(layer.ffn.linear_0, 4 * WIDTH, WIDTH)
                self._linear(layer.ffn.linear_1, WIDTH, 4 * WIDTH)
        for layer in decoder.layer:
            self._attention(layer.attention, WIDTH, 2 * WIDTH)
        return spec

    def _attention(self, attention: Any, *widths: int) -> None:
        self._norm(attention.layer_norm)
        for linear, width in zip(attention.linear, (*widths, WIDTH), strict=True):
            self._linear(linear, width, WIDTH)

    def _linear(self, linear: Any, outputs: int, inputs: int) -> None:
        linear.weight, linear.bias = self._weights(outputs, inputs), np.zeros(outputs, np.float32)

    def _norm(self, norm: Any) -> None:
        norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def _weights(self, *shape: int) -> NDArray[np.float32]:
        return self._random.normal(0, 0.3, shape).astype(np.float32)
