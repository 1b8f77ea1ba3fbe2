"""What every diarizer promises. Bindings give `engine`, `audio` and `request`, of two speakers in turn."""

import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from application.ports.diarization import DiarizationEngine, DiarizationRequest
from domain.errors import ColloquyError
from domain.media import DecodedAudio
from domain.span import Span, covered, restricted
from domain.speaker import Diarization, SpeakerHints
from tests.contracts.suite import Suite

_VENDORS = ("numpy", "scipy", "sklearn", "onnxruntime", "sherpa_onnx", "torch")
_BRIDGED = 500
"""ms of silence that a turn may hold."""


@dataclass(frozen=True, kw_only=True)
class DiarizerTraits:
    """How a diarizer differs from others: whether it counts speakers as it is told to.

    One that `follows` has its turns where it is told that speech is; another hears by itself, and agrees in the main.
    """

    counts: bool = True
    follows: bool = True


def found(engine: DiarizationEngine, audio: DecodedAudio, request: DiarizationRequest) -> Diarization:
    return engine.diarize(audio, request, lambda _: None)


class DiarizationContract(Suite):
    """Recordings to turns."""

    traits = DiarizerTraits()

    def test_turns_are_sorted_not_empty_and_inside(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        answer = found(engine, audio, request_)
        assert len(answer.speakers) >= 2
        for turns in (answer.turns, answer.exclusive):
            assert list(turns) == sorted(turns)
            assert all(turn.span.duration and turn.span.end <= audio.duration for turn in turns)

    def test_exclusive_turns_give_each_instant_to_one(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        exclusive = found(engine, audio, request_).exclusive
        assert all(first.span.end <= second.span.start for first, second in pairwise(exclusive))

    def test_turns_cover_the_speech_and_little_else(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        spans = [turn.span for turn in found(engine, audio, request_).turns]
        speech = covered(request_.speech)
        share = 0.95 if self.traits.follows else 0.8
        assert sum(covered(restricted(spans, region)) for region in request_.speech) >= share * speech
        assert covered(spans) <= speech + _BRIDGED * len(request_.speech)

    def test_counts_are_kept(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        assert engine.capabilities().counts is self.traits.counts
        if not self.traits.counts:
            return
        for hints, least, most in (
            (SpeakerHints(exact=1), 1, 1),
            (SpeakerHints(exact=3), 3, 3),
            (SpeakerHints(at_least=3), 3, 50),
            (SpeakerHints(at_most=1), 1, 1),
        ):
            speakers = found(engine, audio, replace(request_, hints=hints)).speakers
            assert least <= len(speakers) <= most

    def test_no_speech_gives_no_turns(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        silent = replace(request_, speech=(), channel_speech=tuple(() for _ in request_.channel_speech))
        answer = found(engine, audio, silent)
        assert (answer.turns, answer.exclusive) == ((), ())

    @pytest.mark.parametrize("length", [10, 100, 900])
    def test_a_moment_of_speech_is_no_trouble(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest, length: int
    ) -> None:
        start = request_.speech[0].start
        moment = Span(start, start + length)
        channels = tuple((moment,) for _ in request_.channel_speech)
        brief = replace(request_, speech=(moment,), channel_speech=channels, hints=SpeakerHints(exact=4))
        answer = found(engine, audio, brief)
        assert all(turn.span.end <= audio.duration for turn in answer.turns)

    def test_the_same_question_has_the_same_answer(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        assert found(engine, audio, request_) == found(engine, audio, request_)

    def test_progress_rises_to_the_end(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        seen: list[float] = []
        engine.diarize(audio, request_, seen.append)
        assert seen == sorted(seen)
        assert 0 <= seen[0] <= seen[-1] == 1

    def test_the_sink_can_stop_it_and_it_works_again(
        self, engine: DiarizationEngine, audio: DecodedAudio, request_: DiarizationRequest
    ) -> None:
        def stop(_: float) -> None:
            raise ColloquyError("enough")

        with pytest.raises(ColloquyError, match="enough"):
            engine.diarize(audio, request_, stop)
        assert found(engine, audio, request_).turns

    def test_unloaded_it_can_be_pickled_and_asked_without_its_vendors(self, engine: DiarizationEngine) -> None:
        code = (
            "import pickle, sys; engine = pickle.loads(bytes.fromhex(sys.argv[1])); engine.capabilities();"
            f"print([name for name in {_VENDORS!r} if name in sys.modules])"
        )
        command = [sys.executable, "-c", code, pickle.dumps(self.unloaded(engine)).hex()]
        assert subprocess.check_output(command, text=True, timeout=20).strip() == "[]"

    def unloaded(self, engine: DiarizationEngine) -> DiarizationEngine:
        """The adapter as a child process gets it; a decorator gives the one it decorates."""
        return engine
