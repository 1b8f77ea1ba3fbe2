"""Voices for all windows beside pyannote.audio's own `SpeakerDiarization.get_embeddings`, nearly all its work on a CPU.

Bars (C1): the exact mode ≥ 6 x faster, every vector within 1e-4 and of cosine ≥ 0.9999; the fast mode ≥ 30 x. A
full-size WeSpeaker ResNet34 with random weights hears 20 s of noise in windows of 10 s every second, each with three
voices that talk at random. The peer hears 32 voices at once, as its published pipelines say; `--single` shows one at
once beside it, the default of its class. Both take two threads, in one process, in rotation: the peer's one round of
about half a minute has two of ours before it and three after it, of which the median counts. `--rounds` repeats that.
Random weights cost what trained ones do; how near the fast mode comes for real voices they cannot tell.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import torch
from pyannote.audio import Audio
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.pipelines.speaker_diarization import SpeakerDiarization
from pyannote.audio.pipelines.speaker_verification import PretrainedSpeakerEmbedding
from pyannote.core import SlidingWindow, SlidingWindowFeature

from adapters.diarization.executor import export
from adapters.diarization.executor.exported import Embedding, Segmentation
from adapters.diarization.executor.networks import Trunk
from adapters.diarization.executor.pooling import Head
from adapters.diarization.executor.sound import padded, window_starts
from adapters.diarization.executor.voices import Exact, Fast, spoken
from tests.bench.figures import tell

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))  # noqa: TID251 - as the peer's libraries read it
SECONDS, WINDOW, RATE = 20, 10, 16_000
HEARD = Segmentation(
    file="", window=WINDOW * RATE, step=RATE, frames=589, frame_step=0.016875, frame_duration=0.0619375, slots=3,
    at_once=3, min_duration_off=0.0,
)  # fmt: skip

Run = Callable[[], np.ndarray[Any, Any]]


def talk(windows: int, seed: int) -> np.ndarray[Any, Any]:
    """Who talks in each frame, as bits: each voice of a window talks for about half of it, in stretches of 0.3 s."""
    random = np.random.default_rng(seed)
    stretches = random.integers(0, 2, (windows, 31, 3)).astype(np.uint8)
    frames = np.repeat(stretches, 19, axis=1)
    return frames[:, :, 0] | frames[:, :, 1] << 1 | frames[:, :, 2] << 2


def peer(model: Any, sound: np.ndarray[Any, Any], active: np.ndarray[Any, Any], batch: int) -> Run:
    """Give the published way, which takes nothing of its pipeline but these."""
    embedding = PretrainedSpeakerEmbedding(model)
    pipeline = SimpleNamespace(
        training=False, embedding_batch_size=batch, _embedding=embedding, _audio=Audio(RATE, mono="downmix")
    )
    masks = np.stack([active >> slot & 1 for slot in range(3)], axis=-1).astype(np.float32)
    binary = SlidingWindowFeature(masks, SlidingWindow(start=0.0, duration=float(WINDOW), step=1.0))
    file = {"waveform": torch.from_numpy(sound)[None], "sample_rate": RATE}
    return lambda: SpeakerDiarization.get_embeddings(pipeline, file, binary)


def ours(
    folder: Path, given: Embedding, sound: np.ndarray[Any, Any], active: np.ndarray[Any, Any], *, fast: bool
) -> Run:
    """Give ours, with its networks loaded."""
    trunk, head = Trunk(folder, given, THREADS), Head(folder / given.head)
    starts = window_starts(len(sound), HEARD.window, HEARD.step)

    def read(start: int, length: int) -> np.ndarray[Any, Any]:
        return padded(sound, start, length)

    def run() -> np.ndarray[Any, Any]:
        frames = (
            Fast(read, starts, HEARD, given, trunk, total=len(sound))
            if fast
            else Exact(read, starts, HEARD, given, trunk)
        )
        return spoken(active, frames, head, given, lambda _: None).vectors.reshape(len(starts), 3, -1)

    return run


def cosines(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Compare vectors one by one."""
    product = (first * second).sum(axis=-1)
    near: np.ndarray[Any, Any] = product / np.linalg.norm(first, axis=-1) / np.linalg.norm(second, axis=-1)
    return near


def main() -> None:
    """Print every figure, the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--single", action="store_true")
    given_arguments = parser.parse_args()
    rounds, single = given_arguments.rounds, ["peer, 1 at once"] if given_arguments.single else []
    pair = ["exact", "fast"]
    warnings.simplefilter("ignore")
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = WeSpeakerResNet34()
    model.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    model.eval()
    sound = np.random.default_rng(0).normal(0, 0.1, SECONDS * RATE).astype(np.float32)
    active = talk(SECONDS - WINDOW + 1, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The bench hears voices through overlap, as `get_embeddings` does unless told otherwise.
        embedding = SimpleNamespace(model_=model, min_num_samples=400)
        parts = SimpleNamespace(_embedding=embedding, embedding_exclude_overlap=False)
        given = msgspec.structs.replace(export._embedding(parts, folder, HEARD), exclude_overlap=False)
        ways: dict[str, Run] = {
            "exact": ours(folder, given, sound, active, fast=False),
            "fast": ours(folder, given, sound, active, fast=True),
            "peer, 1 at once": peer(model, sound, active, 1),
            "peer, 32 at once": peer(model, sound, active, 32),
        }
        clock: dict[str, list[float]] = {way: [] for way in (*pair, *single, "peer, 32 at once")}
        cpu: dict[str, list[float]] = {way: [] for way in clock}
        found: dict[str, np.ndarray[Any, Any]] = {}
        for way in [*pair, *pair, "peer, 32 at once", *pair, *pair, *single, *pair] * rounds:
            started, worked = time.perf_counter(), time.process_time()
            found[way] = ways[way]()
            clock[way].append(time.perf_counter() - started)
            cpu[way].append(time.process_time() - worked)
    for way, seconds in clock.items():
        print(
            f"{way}: median {median(seconds):.2f} s, best {min(seconds):.2f} s of {len(seconds)}; "
            f"of two processors {median(cpu[way]):.2f} s"
        )
    reference = found["peer, 32 at once"]
    difference = float(np.abs(found["exact"] - reference).max())
    print(f"exact: largest difference {difference:.1e}, least cosine {cosines(found['exact'], reference).min():.6f}")
    near = cosines(found["fast"], reference)
    print(f"fast: cosine to the peer's: median {np.median(near):.4f}, least {near.min():.4f} (random weights)")
    for way in pair if single else []:
        ratio = median(clock["peer, 1 at once"]) / median(clock[way])
        work = median(cpu["peer, 1 at once"]) / median(cpu[way])
        print(f"{way}, to the peer that takes one at once: {ratio:.1f} x by the clock, {work:.1f} x in processor time")
    tell("C1 voices, exact: difference", difference, 1e-4, better="less", detail="pyannote.audio's vectors")
    for what, taken in (("processor time", cpu), ("clock", clock)):
        for way, bar in (("fast", 30.0), ("exact", 6.0)):
            ratio = median(taken["peer, 32 at once"]) / median(taken[way])
            tell(f"C1 voices, {way}, {what}", ratio, bar, better="more", detail="pyannote.audio, 32 at once")


if __name__ == "__main__":
    main()
