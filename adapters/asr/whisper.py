"""One Whisper model in memory: encoding speech, telling languages apart, decoding, and aligning words by attention.

It must not decide what is decoded nor what is believed, and lets vendor errors pass as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens, merge_punctuations
from numpy.typing import NDArray

from adapters.asr.compute import pick_precision
from adapters.asr.gates import Draft
from adapters.asr.ladder import Rung
from domain.options import Goal
from domain.sentences import ends_sentence
from domain.span import Span, to_ms
from domain.transcript import Word

Encoded = NDArray[Any]
"""What the encoder makes of chunks, shape (chunks, 1500, width); in main memory, where chunks can be picked from it."""

ALWAYS: Mapping[str, Any] = {
    "patience": 1.0,
    "length_penalty": 1.0,
    "max_length": 448,
    "return_scores": True,
    "return_no_speech_prob": True,
    "return_logits_vocab": False,
    "asynchronous": False,
    "suppress_blank": True,
    # No time-stamp tokens are wanted, see `_suppressed`.
    "max_initial_timestamp_index": 0,
}
"""Every parameter of CTranslate2's `generate` that is the same for all; its defaults change with versions."""

_STRICT_RUN, _STRICT_PENALTY = 4, 1.1
"""No loop survives that four tokens in a row never come again."""
_BEST_OF = 5
_SEED = 1
_TIME_STAMPS = 1501
"""Tokens for 0.00 to 30.00 s; they follow `<|notimestamps|>`."""
_PROMPT_TOKENS = 223
"""Half of the decoder's 448 positions, less one: the other half is for the text."""
_FRAMES, _FRAME_MS = 3000, 10
_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages that faster-whisper splits by character; see `Tokenizer.split_to_word_tokens`."""
_OPENING, _CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - full-width marks are meant
_LONGEST_MEDIAN = 700
"""Milliseconds; see `_words`."""


class Whisper:
    """A loaded model. `device` is "cpu", "cuda" or "cuda:N"; `lanes` calls run side by side, on `threads` in all.

    `precision` is what became of `compute_type`, and why.
    """

    def __init__(self, weights: Path, *, device: str, compute_type: str, threads: int, lanes: int = 1) -> None:
        kind, _, number = device.partition(":")
        self._on_cpu = kind == "cpu"
        self._weights = str(weights)
        index = int(number or 0)
        self.precision = pick_precision(compute_type, device, ctranslate2.get_supported_compute_types(kind, index))
        self._where = {"device": kind, "device_index": index, "compute_type": self.precision[0]}
        self._threads = {"intra_threads": max(1, threads // lanes), "inter_threads": lanes}
        ctranslate2.set_random_seed(_SEED)
        self._model = WhisperModel(
            self._weights, **self._where, cpu_threads=self._threads["intra_threads"], num_workers=lanes,
            local_files_only=True,
        )  # fmt: skip
        self._has_sampled = False
        self.is_multilingual = bool(self._model.model.is_multilingual)
        # A prompt is a caller's text: what looks like a control token in it must not become one.
        self._model.hf_tokenizer.encode_special_tokens = True

    def hints(self, prompt: str, hotwords: Sequence[str]) -> list[int]:
        """Give the tokens that stand for what came before: hotwords, cut at their end, and a prompt, at its start."""
        before, words = (self._spelled(text) for text in (prompt, ", ".join(hotwords)))
        words = words[:_PROMPT_TOKENS]
        return words + before[max(0, len(before) - (_PROMPT_TOKENS - len(words))) :]

    def encode(self, signals: Sequence[NDArray[np.float32]]) -> Encoded:
        """Encode chunks of at most 30 s; on a CPU one at a time, for together they leave its cache."""
        features = np.stack([pad_or_trim(self._model.feature_extractor(signal)[..., :-1]) for signal in signals])
        step = 1 if self._on_cpu else len(features)
        parts = [features[at : at + step] for at in range(0, len(features), step)]
        return np.concatenate([np.array(self._model.model.encode(_view(part), to_cpu=True)) for part in parts])

    def languages(self, encoded: Encoded) -> list[dict[str, float]]:
        """Tell for each chunk how likely each language is, the likeliest first."""
        found = self._model.model.detect_language(_view(encoded))
        return [{token[2:-2]: float(probability) for token, probability in ranked} for ranked in found]

    def generate(
        self, encoded: Encoded, languages: Sequence[str], goal: Goal, rung: Rung, *, beam_size: int, hints: list[int]
    ) -> list[Draft]:
        """Decode chunks, each in its language. Sampling too gives the same words to the same call, see `_fresh`."""
        if rung.temperature:
            self._fresh()
        tokenizers = {language: self._tokenizer(language, goal) for language in languages}
        tokenizer = tokenizers[languages[0]]
        before = [tokenizer.sot_prev, *hints] if hints and rung.prompted else []
        results = self._model.model.generate(
            _view(encoded),
            [[*before, *tokenizers[language].sot_sequence, tokenizer.no_timestamps] for language in languages],
            beam_size=1 if rung.temperature else beam_size,
            num_hypotheses=_BEST_OF if rung.temperature else 1,
            sampling_topk=0 if rung.temperature else 1,
            sampling_temperature=rung.temperature or 1.0,
            no_repeat_ngram_size=_STRICT_RUN if rung.strict else 0,
            repetition_penalty=_STRICT_PENALTY if rung.strict else 1.0,
            suppress_tokens=self._suppressed(tokenizer),
            **ALWAYS,
        )
        return [_draft(result, tokenizer) for result in results]

    def words(
        self, encoded: Encoded, drafts: Sequence[Draft], language: str, goal: Goal, durations: Sequence[int]
    ) -> list[list[Word]]:
        """Align the drafts of chunks of so many ms, all in one language; times count from the start of each chunk."""
        tokenizer = self._tokenizer(language, goal)
        frames = [min(_FRAMES, -(-duration // _FRAME_MS)) for duration in durations]
        tokens = [list(draft.tokens) for draft in drafts]
        aligned = self._model.find_alignment(tokenizer, tokens, _view(encoded), frames)
        written = "en" if goal is Goal.TRANSLATE else language
        return [list(_words(found, unspaced=written in _UNSPACED)) for found in aligned]

    def _fresh(self) -> None:
        """Make the next sampling start where every sampling starts.

        CTranslate2 seeds a generator when a thread of a model samples for the first time, and never again.
        """
        if self._has_sampled:
            del self._model.model  # two models may not fit side by side
            self._model.model = ctranslate2.models.Whisper(self._weights, **self._where, **self._threads)
        self._has_sampled = True

    def _tokenizer(self, language: str, goal: Goal) -> Tokenizer:
        return Tokenizer(self._model.hf_tokenizer, self.is_multilingual, task=goal.value, language=language)

    def _spelled(self, text: str) -> list[int]:
        ids: list[int] = self._model.hf_tokenizer.encode(f" {text.strip()}", add_special_tokens=False).ids
        return ids if text.strip() else []

    def _suppressed(self, tokenizer: Tokenizer) -> list[int]:
        """Return Whisper's own list, and the time stamps: `<|notimestamps|>` asks for none but forbids none.

        Words are aligned by attention, with or without them. With them, a chunk that is cut in mid-sentence may end
        without its last one, and everything after the one before would have no end.
        """
        first = tokenizer.timestamp_begin
        return [*get_suppressed_tokens(tokenizer, [-1]), *range(first, first + _TIME_STAMPS)]


def _view(array: Encoded) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))


def _draft(result: Any, tokenizer: Tokenizer) -> Draft:  # noqa: ANN401 - the vendor's
    best = max(range(len(result.scores)), key=result.scores.__getitem__)
    tokens, score = result.sequences_ids[best], result.scores[best]
    return Draft(
        tokens=tuple(token for token in tokens if token < tokenizer.eot),
        text=tokenizer.decode(tokens),
        average_log_probability=float(score * len(tokens) / (len(tokens) + 1)),
        no_speech_probability=float(result.no_speech_prob),
    )


def _words(found: list[dict[str, Any]], *, unspaced: bool) -> Iterator[Word]:
    """Make words of aligned tokens. One that lasts too long at the start of a sentence has swallowed the pause before.

    Too long is more than twice the median, and that is at most 0.7 s, as in OpenAI's own code for word times.
    """
    merge_punctuations(found, _OPENING, _CLOSING)
    found = [word for word in found if word["word"].strip()]
    lengths = sorted(word["end"] - word["start"] for word in found if word["end"] > word["start"])
    longest = 2 * min(_LONGEST_MEDIAN, to_ms(lengths[len(lengths) // 2])) if lengths else 0
    begins = True
    for number, word in enumerate(found):
        text, start, end = word["word"].strip(), to_ms(word["start"]), to_ms(max(word["start"], word["end"]))
        yield Word(
            span=Span(max(start, end - longest) if begins else start, end),
            text=text,
            confidence=round(float(word["probability"]), 4),
            # Some models write no space before a chunk's first word, which says nothing about the word before it.
            glued=not word["word"][0].isspace() and (number > 0 or unspaced),
        )
        begins = ends_sentence(text)
