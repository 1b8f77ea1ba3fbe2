"""What every transcription engine promises.

Bindings give, class-scoped: `engine`, which may be used again and again; `audio`; `window`, a part of it; and `asked`,
a request with at least two regions of speech in the window that hold words, and one outside it. `unloaded` is an
engine that has done nothing yet.
"""

import pickle
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from application.ports.asr import RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import InvalidOptions, ModelNotFound
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.transcript import Recognition, join_words
from tests.contracts.suite import Suite

ROOT = Path(__file__).parents[2]
VENDORS = {
    "av", "ctranslate2", "faster_whisper", "httpx", "huggingface_hub", "numpy", "onnxruntime", "pocketsphinx", "scipy",
    "sherpa_onnx", "sklearn", "tokenizers", "torch",
}  # fmt: skip
_ASK = """
import pickle, sys
capabilities = pickle.loads(sys.stdin.buffer.read()).capabilities()
sys.stdout.buffer.write(pickle.dumps((capabilities, {name.partition(".")[0] for name in sys.modules})))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionTraits:
    """How engines may differ. `reach` is how far, in ms, a word may lie outside the regions that hold speech."""

    deterministic: bool = True
    reach: int = 500


class Stop(Exception):
    """What a sink raises to stop the work."""


def unheard(_: float) -> None:
    """A sink that never objects."""


class TranscriptionContract(Suite):
    """See the port, `application.ports.asr`."""

    traits: ClassVar[TranscriptionTraits] = TranscriptionTraits()

    @pytest.fixture(scope="class")
    @classmethod
    def heard(
        cls, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> Recognition:
        return engine.transcribe(audio, window, asked, unheard)

    def test_it_hears_words(self, heard: Recognition) -> None:
        assert [word for segment in heard.segments for word in segment.words if word.text]

    def test_segments_and_words_are_in_order_inside_the_window(self, heard: Recognition, window: Span) -> None:
        spans = [segment.span for segment in heard.segments]
        words = [word.span for segment in heard.segments for word in segment.words]
        for found in (spans, words):
            assert all(earlier.start <= later.start for earlier, later in pairwise(found))
            assert all(window.start <= span.start and span.end <= window.end for span in found)

    def test_words_lie_inside_their_segment_and_spell_it(self, heard: Recognition) -> None:
        for segment in heard.segments:
            assert all(word.span == word.span.clamp(segment.span) for word in segment.words)
            assert all(word.text == word.text.strip() != "" for word in segment.words)
            assert join_words(segment.words).split() == segment.text.split()

    def test_confidences_are_probabilities(self, heard: Recognition) -> None:
        words = [word for segment in heard.segments for word in segment.words]
        assert all(word.confidence is None or 0.0 <= word.confidence <= 1.0 for word in words)

    def test_it_hears_nothing_far_from_speech(
        self, heard: Recognition, window: Span, asked: RecognitionRequest
    ) -> None:
        regions = restricted(asked.speech, window)
        for segment in heard.segments:
            for word in segment.words:
                assert min(region.distance(word.span) for region in regions) <= self.traits.reach

    def test_only_the_window_is_heard(
        self, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> None:
        first = restricted(asked.speech, window)[0]
        narrow = Span(window.start, first.end)
        heard = engine.transcribe(audio, narrow, asked, unheard)
        assert all(segment.span == segment.span.clamp(narrow) for segment in heard.segments)

    def test_without_speech_there_are_no_segments(
        self, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> None:
        elsewhere = tuple(region for region in asked.speech if not region.overlap(window))
        heard = engine.transcribe(audio, window, replace(asked, speech=elsewhere), unheard)
        assert heard.segments == ()
        assert heard.language != "auto"

    def test_the_language_is_a_plain_code(self, heard: Recognition, engine: TranscriptionEngine) -> None:
        assert re.fullmatch(r"[a-z]{2,3}", heard.language)
        languages = engine.capabilities().languages
        assert languages is None or heard.language in languages

    def test_progress_rises_to_one(
        self, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> None:
        told: list[float] = []
        engine.transcribe(audio, window, asked, told.append)
        assert told == sorted(told)
        assert told[0] >= 0.0
        assert told[-1] == 1.0

    def test_what_the_sink_raises_passes_and_harms_nothing(
        self,
        engine: TranscriptionEngine,
        audio: DecodedAudio,
        window: Span,
        asked: RecognitionRequest,
        heard: Recognition,
    ) -> None:
        error = Stop()
        with pytest.raises(Stop) as raised:
            engine.transcribe(audio, window, asked, stopping(error))
        assert raised.value is error
        again = engine.transcribe(audio, window, asked, unheard)
        assert again == heard if self.traits.deterministic else again.segments

    def test_calls_do_not_depend_on_earlier_ones(
        self,
        engine: TranscriptionEngine,
        audio: DecodedAudio,
        window: Span,
        asked: RecognitionRequest,
        heard: Recognition,
    ) -> None:
        engine.transcribe(audio, restricted(asked.speech, window)[-1], asked, unheard)
        again = engine.transcribe(audio, window, asked, unheard)
        assert again == heard if self.traits.deterministic else again.segments

    def test_a_model_it_does_not_have_is_not_found(
        self, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> None:
        with pytest.raises(ModelNotFound):
            engine.transcribe(audio, window, replace(asked, model="no-such-model"), unheard)

    def test_every_name_of_its_default_model_is_the_same(
        self, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> None:
        default = engine.capabilities().models[0]
        nothing = replace(asked, speech=())
        by_name = engine.transcribe(audio, window, replace(nothing, model=default), unheard)
        assert by_name == engine.transcribe(audio, window, replace(nothing, model=""), unheard)

    def test_a_language_it_does_not_know_is_refused(
        self, engine: TranscriptionEngine, audio: DecodedAudio, window: Span, asked: RecognitionRequest
    ) -> None:
        if engine.capabilities().languages is None:
            return
        with pytest.raises(InvalidOptions) as refused:
            engine.transcribe(audio, window, replace(asked, language="tlh"), unheard)
        assert refused.value.reason == "unsupported_language"

    def test_unloaded_it_travels_and_answers_without_its_vendors(self, unloaded: TranscriptionEngine) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _ASK], input=pickle.dumps(unloaded), capture_output=True, check=True, cwd=ROOT
        )
        capabilities, imported = pickle.loads(done.stdout)  # noqa: S301 - our own child
        assert capabilities == unloaded.capabilities()
        assert not imported & VENDORS


def stopping(error: Exception) -> ProgressSink:
    """A sink that raises `error` at its first call."""

    def stop(_: float) -> None:
        raise error

    return stop
