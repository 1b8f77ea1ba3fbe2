"""How recognition and diarization share the cores: `python -m tests.bench.bench_sharing [--minutes 3] [--model DIR]`.

The committed Whisper beside the acoustic diarizer, each in its child as the service runs them, on the same recording;
one process, the ways in rotation, the best of `ROUNDS` counts. The ratios say how much longer each way takes than the
best of all; the last line is the default's.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.diarization.acoustic import AcousticDiarizer
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.voice_activity.silero import SileroVad
from application.ports.asr import RecognitionRequest
from application.ports.diarization import DiarizationRequest
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
from domain.windows import plan_windows
from infrastructure.engines import asr_threads, diarizer_threads
from infrastructure.load_settings import load_settings
from tests.bench.bench_asr import decoded
from tests.recordings import looped

WHISPER = Path(__file__).parents[1] / "data" / "small-whisper"
ROUNDS = 3
WINDOW = 300_000
WAYS = ((1, 1, True), (2, 1, True), (2, 2, True), (2, 1, False))
"""Threads of recognition, of diarization, and whether they run at the same time."""


class Pair:
    """Both engines with so many threads each, loaded."""

    def __init__(self, model: Path, asr: int, diarizer: int) -> None:
        engine = FasterWhisperEngine(models_dir=model.parent, model=str(model), device="cpu", threads=asr)
        self._asr = HostedTranscriptionEngine(engine, Hosting(threads=asr, preload=True))
        self._diarizer = HostedDiarizationEngine(AcousticDiarizer(), Hosting(threads=diarizer, preload=True))

    def run(self, audio: DecodedAudio, speech: tuple[Span, ...], *, beside: bool) -> tuple[float, float, float]:
        """Return the seconds until both are done, and each one's own."""
        took: dict[str, float] = {}

        def recognise() -> None:
            began = time.monotonic()
            for window in plan_windows(speech, WINDOW):
                self._asr.transcribe(audio, window, RecognitionRequest(speech=speech), lambda _: None)
            took["asr"] = time.monotonic() - began

        def diarize() -> None:
            began = time.monotonic()
            self._diarizer.diarize(audio, DiarizationRequest(speech=speech, hints=SpeakerHints()), lambda _: None)
            took["diarizer"] = time.monotonic() - began

        began = time.monotonic()
        if beside:
            threads = [threading.Thread(target=work) for work in (recognise, diarize)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        else:
            recognise()
            diarize()
        return time.monotonic() - began, took["asr"], took["diarizer"]

    def close(self) -> None:
        """End both."""
        self._asr.close()
        self._diarizer.close()


def main() -> None:
    """Print the figures, the default's ratio last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--model", type=Path, default=WHISPER)
    options = parser.parse_args()
    settings = load_settings({})
    default = (asr_threads(settings), diarizer_threads(settings), True)
    ways = WAYS if default in WAYS else (*WAYS, default)
    pairs = {way[:2]: Pair(options.model, *way[:2]) for way in ways}
    best: dict[tuple[int, int, bool], tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audio = decoded(looped(folder / "long.wav", int(options.minutes * 60)), folder)
        speech = SileroVad().speech(audio, lambda _: None)
        short = DecodedAudio(path=audio.path, duration=20_000)
        for pair in pairs.values():  # everything is loaded, and every pool of threads is up
            pair.run(short, tuple(span for span in speech if span.end < short.duration), beside=False)
        for _ in range(ROUNDS):
            for way in ways:
                took = pairs[way[:2]].run(audio, speech, beside=way[2])
                best[way] = min(best.get(way, took), took)
    for pair in pairs.values():
        pair.close()
    shortest = min(took[0] for took in best.values())
    for way, (both, asr, diarizer) in best.items():
        how = "beside each other" if way[2] else "one after the other"
        print(
            f"threads {way[0]}/{way[1]}, {how}: {both:.2f} s (recognition {asr:.2f}, diarization {diarizer:.2f}); "
            f"ratio {both / shortest:.2f}"
        )
    print(f"default, threads {default[0]}/{default[1]}: ratio {best[default][0] / shortest:.2f}")


if __name__ == "__main__":
    main()
