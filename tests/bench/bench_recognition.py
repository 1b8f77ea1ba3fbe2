"""Recognition against faster-whisper's own loops on the same weights: `python -m tests.bench.bench_recognition`.

Bar C5: on speech with 35 % silence, three times as fast as faster-whisper with its defaults, and 1.15 times as fast as
its batched pipeline tuned for the machine (int8, as many threads as cores, batch 8). Beam 5 and temperature 0 for all;
voice activity detection counts where it is used. Like ours, the batched pipeline gives every word its times, and
`--bare` leaves them out; the default loop has none. The weights are random, in the shape of `base`, and say exactly
100 tokens to each chunk: the cost is true, the text means nothing. The default loop hears a part and is scaled up:
without a detector every half minute costs the same.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.adapters.small_whisper import BASE, build
from tests.bench.bench_asr import ROOT, decoded, reference
from tests.bench.figures import tell

DATA = ROOT / "tests" / "data"
RATE = 16_000
SILENCE = 0.35
BREATH = RATE // 4
"""Samples between two sentences of one utterance."""
HEARD_BY_DEFAULT = 60
BARS = {"default": 3.0, "tuned": 1.15}

Speech = NDArray[np.float32]


def recording(seconds: int, folder: Path) -> Speech:
    """Lay sentences of the test conversation out in utterances of three, with a breath between sentences.

    Between utterances are pauses of all lengths; `SILENCE` of the recording is one or the other.
    """
    audio = decoded(DATA / "conversation.flac", folder)
    sound = np.frombuffer(Path(audio.path).read_bytes(), "<i2").astype(np.float32) / 32_768
    turns = [sound[span.start * 16 : span.end * 16] for _, span, _ in reference(DATA / "conversation.stm")]
    chance = np.random.default_rng(0)
    sentences: list[Speech] = []
    while sum(map(len, sentences)) < seconds * RATE * (1 - SILENCE):
        sentences += [turns[number] for number in chance.permutation(len(turns))[:3]]
    pauses = chance.exponential(size=len(sentences)) + 0.1
    pauses[np.arange(len(sentences)) % 3 != 2] = 0
    silent = sum(map(len, sentences)) * SILENCE / (1 - SILENCE)
    pauses *= (silent - BREATH * np.count_nonzero(pauses == 0)) / pauses.sum()
    pauses[pauses == 0] = BREATH
    hiss = (chance.normal(0, 0.0005, int(pause)).astype(np.float32) for pause in pauses)
    return np.concatenate([part for pair in zip(sentences, hiss, strict=True) for part in pair])


def contestants(
    weights: Path, sound: Speech, folder: Path, cores: int, *, bare: bool
) -> Mapping[str, Callable[[], str]]:
    """Return what to run by name; each says what it did."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415 - heavy

    from adapters.asr.faster_whisper import FasterWhisperEngine  # noqa: PLC0415 - it is what is measured
    from adapters.voice_activity.silero import SileroVad  # noqa: PLC0415 - as above
    from application.ports.asr import RecognitionRequest  # noqa: PLC0415 - as above
    from domain.media import DecodedAudio  # noqa: PLC0415 - as above
    from domain.span import Span  # noqa: PLC0415 - as above

    default = WhisperModel(str(weights), device="cpu")
    tuned = BatchedInferencePipeline(WhisperModel(str(weights), device="cpu", compute_type="int8", cpu_threads=cores))
    engine = FasterWhisperEngine(models_dir=weights.parent, model=str(weights), device="cpu", threads=cores)
    engine.load()
    detector = SileroVad()
    (folder / "audio").write_bytes((sound * 32_767).astype("<i2").tobytes())
    audio = DecodedAudio(path=folder / "audio", duration=len(sound) // 16)

    def by_default() -> str:
        # With the text before as a prompt, which is its default, each half minute would take longer.
        part = sound[: HEARD_BY_DEFAULT * RATE]
        return told(default.transcribe(part, language="en", temperature=0.0, condition_on_previous_text=False))

    def by_batches() -> str:
        how: dict[str, Any] = {"language": "en", "temperature": 0.0, "batch_size": 8, "word_timestamps": not bare}
        return told(tuned.transcribe(sound, **how))

    def by_us() -> str:
        request = RecognitionRequest(speech=detector.speech(audio, quiet), language="en", temperature=0.0)
        heard = engine.transcribe(audio, Span(0, audio.duration), request, quiet)
        spoken = sum(region.duration for region in request.speech)
        return f"{spoken / 1000:.0f} s of speech, {len(heard.segments)} segments"

    return {"default": by_default, "tuned": by_batches, "ours": by_us}


def told(answer: tuple[Any, Any]) -> str:
    """Drain a generator of the peer's, which works only while it is asked."""
    segments, info = list(answer[0]), answer[1]
    return f"{info.duration_after_vad:.0f} s of speech, {sum(len(one.tokens) for one in segments) / 100:.1f} chunks"


def quiet(_: float) -> None:
    """Nobody watches."""


def main() -> None:
    """Print each round, the best times, and the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", action="store_true")
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = build(folder / "base", shape=BASE)
        sound = recording(asked.seconds, folder)
        length = {"default": min(HEARD_BY_DEFAULT, len(sound) / RATE)}
        best: dict[str, float] = {}
        runs = contestants(weights, sound, folder, cores, bare=asked.bare)
        for number in range(asked.rounds):
            for who, work in runs.items():
                started, work_started = time.perf_counter(), time.process_time()
                did = work()
                worked = (time.process_time() - work_started) / length.get(who, len(sound) / RATE)
                spent = (time.perf_counter() - started) / length.get(who, len(sound) / RATE)
                best[who] = min(spent, best.get(who, spent))
                pace = f"{1 / spent:5.1f} x real time, {worked:.4f} core seconds a second"
                print(f"round {number + 1}: {who:8} {pace}, {did}", flush=True)
    for who, bar in BARS.items():
        tell(f"recognition/{who}", best[who] / best["ours"], bar, better="more", detail=f"{cores} cores, against {who}")


if __name__ == "__main__":
    main()
