"""What a recogniser doubts, and the speech it lost, in the finished transcript."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.scripted.engine import ScriptedEngine
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from application.rendering.registry import FORMATS
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.transcript import Quality, Recognition, Suspect, Suspicion
from domain.uncovered import LEAST, MARGIN
from tests.application.test_process_task import Installation


class Doubtful(TranscriptionEngine):
    """Drops what it hears in its first window, and doubts the rest."""

    def __init__(self) -> None:
        self.dropped: list[Span] = []

    def capabilities(self) -> EngineCapabilities:
        return ScriptedEngine().capabilities()

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        heard = ScriptedEngine().transcribe(audio, window, request, on_progress)
        if not self.dropped:
            self.dropped += restricted(request.speech, window)
            dropped = (Suspect(span=self.dropped[0], reason=Suspicion.BOILERPLATE, text="Thanks for watching!"),)
            return replace(heard, segments=(), suspects=dropped)
        quality = Quality(average_log_probability=-1.2, decode_attempts=4)
        segments = tuple(replace(segment, quality=quality) for segment in heard.segments)
        doubts = tuple(Suspect(span=s.span, reason=Suspicion.LOW_PROBABILITY, text=s.text) for s in segments)
        return replace(heard, segments=segments, suspects=doubts)


async def test_doubts_and_lost_speech_reach_the_transcript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Doubtful()
    installation = Installation(tmp_path)
    monkeypatch.setattr("tests.application.test_process_task.ScriptedEngine", lambda *_: engine)
    transcript = await installation.transcript(await installation.run())
    lost = [span for span in engine.dropped if span.duration >= LEAST]
    assert lost
    for found, dropped in zip(transcript.uncovered_speech, lost, strict=True):
        assert (found.start, found.clamp(dropped)) == (dropped.start, found)
        assert dropped.end - found.end <= MARGIN, "a word that follows closely vouches for that much"
    assert transcript.suspects[0].text == "Thanks for watching!"
    assert [doubt.reason for doubt in transcript.suspects[1:]] == [Suspicion.LOW_PROBABILITY] * (
        len(transcript.suspects) - 1
    )
    written = json.loads(FORMATS["json"].render(transcript))
    first = transcript.suspects[0].span
    assert written["suspect_spans"][0] == {
        "start": first.start / 1000, "end": first.end / 1000, "reason": "boilerplate", "text": "Thanks for watching!",
    }  # fmt: skip
    assert len(written["uncovered_speech"]) == len(transcript.uncovered_speech)
    assert {segment["quality"]["decode_attempts"] for segment in written["segments"]} == {4}
