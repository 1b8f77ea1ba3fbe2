"""Diarization error of the plain recipe and of ours on real speech: `python -m tests.bench.bench_diarization`.

Needs COLLOQUY_TEST_SPEECH. Regions come from the product's own voice activity detector for both. pyannote.metrics takes
the whole width of a collar, so its 0.5 is a quarter of a second to each side of every boundary.

The plain recipe: the same cepstra; pieces of two seconds; merging by the Bayesian information criterion, penalty 1.8;
two rounds of mixtures of eight with a Viterbi path.
"""

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from sklearn.mixture import GaussianMixture

from adapters.diarization.acoustic import AcousticDiarizer
from adapters.diarization.clusters import Array, Clusters, groups, merging
from adapters.diarization.mixtures import path
from adapters.diarization.recordings import Block
from adapters.voice_activity.silero import SileroVad
from application.ports.diarization import DiarizationRequest
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
from tests.bench.bench_asr import decoded

Turns = Sequence[tuple[Span, str]]


def ours(audio: DecodedAudio, speech: tuple[Span, ...]) -> Turns:
    """What the product finds."""
    request = DiarizationRequest(speech=speech, hints=SpeakerHints())
    return [(turn.span, turn.speaker) for turn in AcousticDiarizer().diarize(audio, request, lambda _: None).turns]


def plain(audio: DecodedAudio, speech: tuple[Span, ...]) -> Turns:
    """What the recipe finds without any of our changes."""
    block = Block(speech)
    if not speech:
        return []
    frames, _ = block.heard(audio)
    edges = [0]
    for _, part in block.frames():
        pieces = max(1, round(len(part) / 200))
        edges += [first + len(part) * (piece + 1) // pieces for first in edges[-1:] for piece in range(pieces)]
    lengths = np.diff(edges)
    steps = merging(Clusters.of([frames[a:b] for a, b in pairwise(edges)]), 1, _bic)
    apart = next((number for number, step in enumerate(steps) if step[2] >= 0), len(steps))
    labels = np.empty(len(frames), np.int64)
    for speaker, members in enumerate(groups(len(lengths), steps[:apart])):
        for piece in members:
            labels[edges[piece] : edges[piece + 1]] = speaker
    for _ in range(2):
        heard = [speaker for speaker in np.unique(labels) if (labels == speaker).sum() >= 16]
        models = [GaussianMixture(8, covariance_type="diag", random_state=0, reg_covar=1e-2) for _ in heard]
        scores = [
            model.fit(frames[labels == one]).score_samples(frames) for one, model in zip(heard, models, strict=True)
        ]
        labels = np.array(heard)[path(np.stack(scores, axis=1), 50.0)[0]]
    return [(span, str(speaker)) for span, speaker in block.runs(labels.astype(np.int16))]


def _bic(count: Array, other: float, dim: int) -> Array:
    penalty: Array = 1.8 * 0.5 * (dim + dim * (dim + 1) / 2) * np.log(count + other)
    return penalty


def annotation(turns: Iterable[tuple[float, float, str]]) -> Annotation:
    """Turns in seconds as pyannote has them."""
    found = Annotation()
    for number, (start, end, speaker) in enumerate(turns):
        found[Segment(start, end), number] = speaker
    return found


def references(folder: Path) -> dict[str, Annotation]:
    """The turns of every recording that the RTTM files of a folder name."""
    rows: dict[str, list[tuple[float, float, str]]] = {}
    for file in folder.glob("*.rttm"):
        for line in file.read_text().splitlines():
            _, name, _, start, length, _, _, speaker, *_ = line.split()
            rows.setdefault(name, []).append((float(start), float(start) + float(length), speaker))
    return {name: annotation(turns) for name, turns in sorted(rows.items())}


def main() -> None:
    """Print the error of both for each recording, then over all meetings."""
    folder = Path(os.environ["COLLOQUY_TEST_SPEECH"])  # noqa: TID251 - a path for measurements, not a setting
    recipes: dict[str, Callable[[DecodedAudio, tuple[Span, ...]], Turns]] = {"plain": plain, "ours": ours}
    pooled = {name: np.zeros(2) for name in recipes}
    for name, reference in references(folder).items():
        call = name == "telephone"
        source = next(path for path in folder.glob(f"{name}.*") if path.suffix in {".wav", ".flac"})
        with tempfile.TemporaryDirectory() as into:
            audio = decoded(source, Path(into))
            speech = SileroVad().speech(audio, lambda _: None)
            shown = []
            for recipe, find in recipes.items():
                started = time.perf_counter()
                turns = find(audio, speech)
                seconds = time.perf_counter() - started
                metric = DiarizationErrorRate(collar=0.0 if call else 0.5, skip_overlap=not call)
                found = annotation((span.start / 1000, span.end / 1000, speaker) for span, speaker in turns)
                parts = metric(reference, found, uem=Timeline([Segment(0, audio.duration / 1000)]), detailed=True)
                wrong = parts["missed detection"] + parts["false alarm"] + parts["confusion"]
                if not call:
                    pooled[recipe] += wrong, parts["total"]
                count = len({speaker for _, speaker in turns})
                shown.append(f"{recipe} {wrong / parts['total']:.3f} ({count} speakers, {seconds:.1f} s)")
        how = "no collar, overlap scored" if call else "collar 0.25 s, overlap skipped"
        print(f"{name}: {len(reference.labels())} speakers, {parts['total']:.1f} s scored, {how}: {'; '.join(shown)}")
    for recipe, (wrong, total) in pooled.items():
        print(f"all meetings, collar 0.25 s, overlap skipped, {recipe}: {wrong / total:.3f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
