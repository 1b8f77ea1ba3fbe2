"""A diarization engine whose turns follow from the speech regions alone, with scripted costs and faults.

It must not listen to the recording: whoever tests the way of a task needs to know its turns beforehand.
"""

from collections.abc import Iterator

from adapters.scripted.performance import Performance
from adapters.scripted.script import Script
from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span, covered, restricted
from domain.speaker import Diarization, SpeakerTurn, exclusive_turns

_TURN = 4_000
_USUAL_SPEAKERS = 2
_MAX_SPEAKERS = 50


class ScriptedDiarizer(DiarizationEngine):
    """Hands the word round, about every four seconds of speech, and does what its script has for the call."""

    def __init__(self, script: Script | None = None, *, step: int = 0) -> None:
        self._script = script or Script()
        self._step = step
        self._performance = Performance(self._script)

    def reduced(self) -> "tuple[ScriptedDiarizer, str] | None":
        """Take the next of the steps down that the script has."""
        less = self._script.reduced(self._step + 1)
        return None if less is None else (ScriptedDiarizer(less[0], step=self._step + 1), less[1])

    def capabilities(self) -> DiarizerCapabilities:
        """All hints are honoured."""
        return DiarizerCapabilities(
            engine="scripted", model="scripted", device=self._script.device, max_speakers=_MAX_SPEAKERS
        )

    def load(self) -> None:
        """Pay for loading ahead of the first call."""
        self._performance.load()

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Cut the speech into equal turns and deal them out in rotation."""
        self._performance.call(0, audio.duration, on_progress)
        least, most = request.hints.bounds(_MAX_SPEAKERS)
        count = max(least, min(most, _USUAL_SPEAKERS))
        turns = exclusive_turns(_turns(restricted(request.speech, Span(0, audio.duration)), count))
        on_progress(1.0)
        return Diarization(turns=turns, exclusive=turns)


def _turns(regions: tuple[Span, ...], count: int) -> Iterator[SpeakerTurn]:
    """Each of `count` speakers gets a turn before any gets a second, and everyone gets one if there are enough ms."""
    speech = covered(regions)
    pieces = max(count, -(-speech // _TURN))
    spoken = 0
    for region in regions:
        start = region.start
        while start < region.end:
            piece = spoken * pieces // speech
            length = min(region.end - start, -(-(piece + 1) * speech // pieces) - spoken)
            yield SpeakerTurn(Span(start, start + length), f"speaker_{piece % count}")
            start, spoken = start + length, spoken + length
