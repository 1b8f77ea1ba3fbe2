"""How well and how fast the recognisers hear the reference speech: `python -m tests.bench.bench_asr`.

Needs COLLOQUY_TEST_SPEECH. Each engine runs in a process of its own, so that its peak memory is its own.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from application.ports.asr import RecognitionRequest, TranscriptionEngine
from domain.media import DecodedAudio
from domain.span import Span, to_ms

ROOT = Path(__file__).parents[2]
CLIPS = {
    "pocketsphinx": ("jfk.flac", "telephone.wav"),
    "faster_whisper": ("conversation.flac",),
}


def decoded(source: Path, into: Path) -> DecodedAudio:
    """Decode a trusted recording to what engines read."""
    import av  # noqa: PLC0415 - heavy
    import numpy as np  # noqa: PLC0415 - heavy

    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(source), "r") as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])
    path = into / "audio"
    path.write_bytes(samples.astype("<i2").tobytes())
    return DecodedAudio(path=path, duration=len(samples) // 16)


def reference(stm: Path) -> list[tuple[str, Span, str]]:
    """Read speaker, span and text of each line."""
    lines = [line.split(None, 5) for line in stm.read_text(encoding="utf-8").splitlines()]
    return [(speaker, Span(to_ms(float(a)), to_ms(float(b))), text) for _, _, speaker, a, b, text in lines]


def word_error_rate(said: str, heard: str) -> float:
    """Compare words alone: no case, no punctuation."""
    import jiwer  # noqa: PLC0415 - heavy

    said, heard = (" ".join(re.findall(r"[a-z']+", text.lower())) for text in (said, heard))
    return float(jiwer.wer(said, heard))


def measure(name: str) -> None:
    """Print one engine's figures; runs in a process of its own."""
    from adapters.voice_activity.silero import SileroVad  # noqa: PLC0415 - heavy

    speech = Path(os.environ["COLLOQUY_TEST_SPEECH"])  # noqa: TID251 - a path for measurements, not a setting
    with tempfile.TemporaryDirectory() as folder:
        for clip in CLIPS[name]:
            source = next(path for path in (speech / clip, ROOT / "tests" / "data" / clip) if path.is_file())
            audio = decoded(source, Path(folder))
            regions = SileroVad().speech(audio, lambda _: None)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            engine = made(name)
            engine.transcribe(audio, Span(0, 1), RecognitionRequest(speech=(Span(0, 1),)), lambda _: None)  # loads
            started, cpu = time.perf_counter(), time.process_time()
            window = Span(0, audio.duration)
            heard = engine.transcribe(audio, window, RecognitionRequest(speech=regions), lambda _: None)
            wall, cpu = time.perf_counter() - started, time.process_time() - cpu
            text = " ".join(segment.text for segment in heard.segments)
            stm, plain = source.with_suffix(".stm"), source.with_suffix(".txt")
            said = " ".join(line for _, _, line in reference(stm)) if stm.is_file() else plain.read_text("utf-8")
            figures = {
                "engine": name,
                "clip": clip,
                "word_error_rate": round(word_error_rate(said, text), 3),
                "real_time_factor": round(wall * 1000 / audio.duration, 3),
                "cpu_real_time_factor": round(cpu * 1000 / audio.duration, 3),
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "of_it_before_the_engine_mb": before // 1024,
                "text": text,
            }
            sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def made(name: str) -> TranscriptionEngine:
    """Make an engine in one thread; faster-whisper with the test model."""
    if name == "pocketsphinx":
        from adapters.asr.pocketsphinx import PocketSphinxEngine  # noqa: PLC0415 - one engine a process

        return PocketSphinxEngine()
    from adapters.asr.faster_whisper import FasterWhisperEngine  # noqa: PLC0415 - one engine a process

    weights = ROOT / "tests" / "data" / "small-whisper"
    return FasterWhisperEngine(models_dir=weights.parent, model=str(weights), device="cpu", threads=1)


def main() -> None:
    """Measure every engine, or the one that is named."""
    if sys.argv[1:]:
        measure(sys.argv[1])
        return
    for name in CLIPS:
        subprocess.run([sys.executable, "-m", "tests.bench.bench_asr", name], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
