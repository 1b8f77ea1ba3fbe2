"""One Whisper model in memory, and decoding chunks with it; only imported where a model is about to be loaded.

It must not decide which model runs, and lets vendor errors pass as they are.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from numpy.typing import NDArray

from domain.span import Span, to_ms, to_seconds
from domain.timing import spelled, well_timed
from domain.transcript import Quality, Segment, Word

PREFERRED = {
    "cpu": ("int8", "int8_float32", "float32"),
    "cuda": ("int8_float16", "float16", "int8_float32", "float32"),
}
"""Best first: int8 halves memory and adds a third or more to the speed, for less than 0.1 % of the words."""

PINNED: dict[str, Any] = {
    "task": "transcribe",
    "log_progress": False,
    # One beam search at temperature 0: batched decoding uses only the first temperature, and sampling would give other
    # words each time.
    "temperature": [0.0],
    "best_of": 1,
    "patience": 1.0,
    "length_penalty": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    # Thresholds and conditioning are ignored by batched decoding; None and False say so. What matters of them is done
    # by `_is_silence`.
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    "hallucination_silence_threshold": None,
    "condition_on_previous_text": False,
    "prompt_reset_on_temperature": 0.5,
    "max_initial_timestamp": 0.0,
    "prefix": None,
    "suppress_blank": True,
    # Words are aligned by attention, with or without time-stamp tokens. With them, a chunk that is cut in mid-sentence
    # may end without its last one, and batched decoding then drops the words after the one before.
    "without_timestamps": True,
    "word_timestamps": True,
    "prepend_punctuations": "\"'“¿([{-",
    "append_punctuations": "\"'.。,，!！?？:：”)]}、",  # noqa: RUF001 - full-width marks are meant
    # Speech was found before, once for the whole recording.
    "vad_filter": False,
    "vad_parameters": None,
    "chunk_length": None,
    "max_new_tokens": None,
    # One language a call, from two minutes of speech where the first half minute leaves it open.
    "multilingual": False,
    "language_detection_threshold": 0.5,
    "language_detection_segments": 4,
}
"""Every parameter of `BatchedInferencePipeline.transcribe` that a call does not set; its defaults change with versions
and differ from those of `WhisperModel.transcribe`."""

_NO_SPEECH, _LOG_PROBABILITY = 0.6, -1.0
"""Whisper's own rule for silence (Radford et al. 2022, section 4.5)."""

_TIME_STAMPS = 1501
"""Tokens for 0.00 to 30.00 s; they follow `<|notimestamps|>`."""

_PROMPT_TOKENS = 223
"""Half of the decoder's 448 positions, less one: the other half is for the text."""

_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages that faster-whisper splits by character; see `Tokenizer.split_to_word_tokens`."""


class Whisper:
    """A loaded model. `device` is "cpu", "cuda" or "cuda:N"; a `compute_type` of "default" takes the best there is."""

    def __init__(self, weights: Path, *, device: str, compute_type: str, threads: int) -> None:
        kind, _, number = device.partition(":")
        index = int(number or 0)
        if compute_type == "default":
            supported = ctranslate2.get_supported_compute_types(kind, index)
            compute_type = next(wanted for wanted in PREFERRED[kind] if wanted in supported)
        self._model = WhisperModel(
            str(weights),
            device=kind,
            device_index=index,
            compute_type=compute_type,
            cpu_threads=threads or len(os.sched_getaffinity(0)),
            num_workers=1,
            local_files_only=True,
        )
        # A prompt is a caller's text: what looks like a control token in it must not become one.
        self._model.hf_tokenizer.encode_special_tokens = True

    def decode(
        self, signal: NDArray[np.float32], chunks: Sequence[Span], *, language: str | None,
        batch_size: int, beam_size: int, initial_prompt: str, hotwords: Sequence[str],
    ) -> tuple[Iterator[tuple[Span, Segment | None]], str, float]:  # fmt: skip
        """Decode `chunks`, sorted and at most 30 s each; `signal` are the samples from the start of the first one.

        Returns:
            each chunk with what was heard in it, None for nothing, as soon as its batch is done; the language; its
            probability.
        """
        prompt, hints = self._within_budget(initial_prompt, ", ".join(hotwords))
        origin = chunks[0].start
        # A pipeline keeps the time of the last word even when a call was broken off: every call gets a new one.
        segments, info = BatchedInferencePipeline(self._model).transcribe(
            signal,
            language=language,
            clip_timestamps=[
                {"start": to_seconds(chunk.start - origin), "end": to_seconds(chunk.end - origin)} for chunk in chunks
            ],
            batch_size=batch_size,
            beam_size=beam_size,
            initial_prompt=prompt or None,
            hotwords=hints or None,
            suppress_tokens=self._suppressed(),
            **PINNED,
        )
        # As no time-stamp token can divide it, each chunk comes back as exactly one segment.
        heard = (
            (chunk, _segment(segment, chunk, origin, info.language))
            for chunk, segment in zip(chunks, segments, strict=True)
        )
        return heard, info.language, float(info.language_probability)

    def _suppressed(self) -> list[int]:
        """Return -1 for Whisper's own list, and the time stamps: `<|notimestamps|>` asks for none but forbids none."""
        first = self._model.hf_tokenizer.token_to_id("<|notimestamps|>") + 1
        return [-1, *range(first, first + _TIME_STAMPS)]

    def _within_budget(self, prompt: str, hotwords: str) -> tuple[str, str]:
        """Cut the hotwords at their end and the prompt at its start, so that both leave room for the text."""
        tokenizer = self._model.hf_tokenizer
        hint_tokens = tokenizer.encode(hotwords, add_special_tokens=False).ids[:_PROMPT_TOKENS]
        room = _PROMPT_TOKENS - len(hint_tokens)
        prompt_tokens = tokenizer.encode(prompt, add_special_tokens=False).ids
        return tokenizer.decode(prompt_tokens[max(0, len(prompt_tokens) - room) :]), tokenizer.decode(hint_tokens)


def _segment(found: Any, chunk: Span, origin: int, language: str) -> Segment | None:  # noqa: ANN401 - the vendor's
    if not found.text.strip() or _is_silence(found):
        return None
    words = tuple(_words(found.words, origin, unspaced=language in _UNSPACED))
    # Alignment loses words where a character was cut in two; the text then keeps them, at guessed times.
    whole = "".join(word.text for word in words) == "".join(found.text.split())
    timed = well_timed(words, chunk) if whole else spelled(found.text, chunk)
    return Segment(
        span=Span(timed[0].span.start, max(word.span.end for word in timed)),
        text=found.text.strip(),
        words=timed,
        language=language,
        quality=Quality(
            average_log_probability=round(float(found.avg_logprob), 4),
            no_speech_probability=round(float(found.no_speech_prob), 4),
            compression_ratio=round(float(found.compression_ratio), 4),
        ),
    )


def _words(found: Sequence[Any], origin: int, *, unspaced: bool) -> Iterator[Word]:
    for number, word in enumerate(found):
        if text := word.word.strip():
            start = origin + to_ms(word.start)
            yield Word(
                span=Span(start, max(start, origin + to_ms(word.end))),
                text=text,
                confidence=round(float(word.probability), 4),
                # Some models write no space before a chunk's first word, which says nothing about the word before it.
                glued=not word.word[0].isspace() and (number > 0 or unspaced),
            )


def _is_silence(found: Any) -> bool:  # noqa: ANN401 - as above
    return bool(found.no_speech_prob > _NO_SPEECH and found.avg_logprob < _LOG_PROBABILITY)
