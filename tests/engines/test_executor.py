"""The executor of exported pipelines against pyannote.audio itself: the same weights, the same turns."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torchaudio
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from pyannote.audio.utils.vbx import cluster_vbx, vbx_setup
from pyannote.core import Annotation

from adapters.diarization.executor import vbx
from adapters.diarization.executor.clustering import centroids_of, distances
from adapters.diarization.executor.engine import ExecutorOptions, PyannoteOnnxDiarizer
from adapters.diarization.executor.export import export_pipeline
from adapters.diarization.executor.exported import Clustering, read_exported
from adapters.diarization.executor.fbank import fbank
from adapters.diarization.executor.pipeline import Pipeline
from adapters.diarization.executor.sound import reader
from adapters.diarization.pyannote_pipeline import LoadedPipeline
from adapters.pcm import samples
from application.ports.diarization import DiarizationRequest
from domain.errors import EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints, SpeakerTurn
from tests.adapters.test_diarization import DATA, decoded
from tests.conversations import conversation
from tests.engines.pipelines import build_pipeline

pytestmark = pytest.mark.timeout(300)  # importing torch takes seconds on a busy machine, and the peer is slow

LAYOUTS = ("community-1", "speaker-diarization-3.1")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both layouts with few mel bands, the one with the published step, and what is made of them."""
    folder = tmp_path_factory.mktemp("models")
    for layout, step in zip(LAYOUTS, (0.1, 0.25), strict=True):
        build_pipeline(folder / layout, layout, mel_bins=8, step=step)  # type: ignore[arg-type]
        export_pipeline(folder / layout, folder / f"{layout}-onnx")
    return folder


@pytest.fixture(scope="module", params=["call", "told"])
def audio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    if request.param == "call":
        return decoded(DATA / "call.flac", tmp_path_factory.mktemp("call"))
    return conversation(tmp_path_factory.mktemp("told") / "audio", seconds=30, speakers=3, seed=0).audio


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def heard(models: Path, layout: str, audio: DecodedAudio, least: int, most: int) -> tuple[Any, dict[str, Any]]:
    """What pyannote.audio makes of it, and what its steps made on the way."""
    pipeline = LoadedPipeline(models / layout, device="cpu", segmentation_batch=16, embedding_batch=4)._pipeline
    steps: dict[str, Any] = {}

    def keep(step: str, made: Any, **rest: Any) -> None:
        if "completed" not in rest:
            steps[step] = made

    sound = torch.from_numpy(samples(audio, Span(0, audio.duration)))[None]
    file = {"waveform": sound, "sample_rate": 16_000, "uri": "recording"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipeline(file, min_speakers=least, max_speakers=most, hook=keep), steps


def lines(annotation: Annotation, duration: int) -> Iterator[tuple[int, int, str]]:
    for segment, _, label in annotation.itertracks(yield_label=True):
        start, end = round(segment.start * 1000), min(duration, round(segment.end * 1000))
        if start < end:
            yield start, end, str(label)


def same(theirs: Annotation, ours: tuple[SpeakerTurn, ...], duration: int) -> None:
    """Turn by turn, to the millisecond, under one mapping of labels."""
    expected = sorted(lines(theirs, duration))
    found = sorted((turn.span.start, turn.span.end, turn.speaker) for turn in ours)
    assert [line[:2] for line in found] == [line[:2] for line in expected]
    by_span = {line[:2]: line[2] for line in expected if sum(other[:2] == line[:2] for other in expected) == 1}
    mapping = {(by_span[line[:2]], line[2]) for line in found if line[:2] in by_span}
    assert len(mapping) == len({theirs for theirs, _ in mapping}) == len({ours for _, ours in mapping})


@pytest.mark.parametrize("bounds", [(1, 20), (3, 3)])
def test_its_turns_are_pyannotes_to_the_millisecond(
    models: Path, audio: DecodedAudio, layout: str, bounds: tuple[int, int]
) -> None:
    output, steps = heard(models, layout, audio, *bounds)
    engine = PyannoteOnnxDiarizer(ExecutorOptions(model=layout, models_dir=models, threads=2))
    hints = SpeakerHints(at_least=bounds[0], at_most=bounds[1])
    answer = engine.diarize(audio, DiarizationRequest(speech=(Span(0, 1_000),), hints=hints), lambda _: None)
    assert len(answer.turns) > 5
    same(output.speaker_diarization, answer.turns, audio.duration)
    same(output.exclusive_speaker_diarization, answer.exclusive, audio.duration)
    centroids = np.array([row for _, row in answer.centroids])
    assert centroids.shape == output.speaker_embeddings.shape
    apart = np.abs(centroids[:, None] - output.speaker_embeddings[None]).max(axis=2)
    assert (apart.min(axis=0) < 1e-4).all()
    assert (apart.min(axis=1) < 1e-4).all()
    folder = models / f"{layout}-onnx"
    pipeline = Pipeline(folder, read_exported(folder), fast=False, threads=2)
    active = pipeline.active(reader(audio), audio.duration * 16, lambda _: None)
    assert np.array_equal(np.stack([active >> slot & 1 for slot in range(3)], axis=-1), steps["segmentation"].data)
    found = pipeline.voices(reader(audio), audio.duration * 16, active, lambda _: None)
    expected = steps["embeddings"][found.window, found.slot]
    assert np.abs(found.vectors - expected).max() <= 1e-4
    norms = np.linalg.norm(found.vectors, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found.vectors * expected).sum(axis=1) / norms).min() >= 0.9999


def test_features_are_torchaudios() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 48_123).astype(np.float32)
    theirs = torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(sound)[None] * (1 << 15), num_mel_bins=80, frame_length=25, frame_shift=10, dither=0.0,
        sample_frequency=16_000, window_type="hamming", use_energy=False,
    ).numpy()  # fmt: skip
    ours = fbank(sound, bins=80, length=400, shift=160)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-3


def points(sizes: list[int], noise: float, seed: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(sizes), 64))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    made: np.ndarray[Any, Any] = (centres[truth] + random.normal(0, noise / 8, (len(truth), 64))).astype(np.float32)
    return made


@pytest.mark.parametrize(("noise", "bounds"), [(0.4, (1, 20)), (0.9, (1, 20)), (0.9, (3, 3)), (1.2, (2, 4))])
def test_clusters_are_pyannotes(noise: float, bounds: tuple[int, int]) -> None:
    cloud = points([120, 80, 40, 6], noise, 1)
    peer = AgglomerativeClustering().instantiate({"method": "centroid", "threshold": 0.7, "min_cluster_size": 12})
    alone = np.zeros((len(cloud), 5, 1))
    alone[:, :, 0] = 1
    labels, _, centroids = peer(
        embeddings=cloud[:, None].copy(), segmentations=SimpleNamespace(data=alone), min_clusters=bounds[0],
        max_clusters=bounds[1],
    )  # fmt: skip
    given = Clustering(kind="ahc", threshold=0.7, min_size=12)
    ours, _ = centroids_of(cloud, np.arange(len(cloud)), given, Path(), bounds)
    assert np.allclose(ours, centroids, atol=1e-5)
    assert np.array_equal(distances(cloud, ours).argmin(axis=1), labels[:, 0])


def test_the_bayesian_mixture_is_pyannotes(models: Path) -> None:
    folder = models / "community-1" / "plda"
    cloud = np.hstack([points([50, 40, 30], 0.8, seed) for seed in range(4)])
    transform, plda, psi = vbx_setup(folder / "xvec_transform.npz", folder / "plda.npz")
    plane = vbx.plane(models / "community-1-onnx" / "plda.npz")
    projected = plda(transform(cloud), lda_dim=128)
    assert np.allclose(np.abs(plane.project(cloud)), np.abs(projected), atol=1e-6)
    start = np.arange(len(cloud)) % 7
    share, weight = vbx.mixture(projected, psi[:128], start, fa=0.07, fb=0.8)
    theirs = cluster_vbx(start, projected, psi[:128], Fa=0.07, Fb=0.8)
    assert np.allclose(share, theirs[0], atol=1e-8)
    assert np.allclose(weight, theirs[1], atol=1e-8)


def test_what_is_no_pipeline_is_refused_and_nothing_is_left(models: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no pyannote pipeline"):
        export_pipeline(tmp_path, tmp_path / "made")
    with pytest.raises(EngineUnavailable, match="exists already"):
        export_pipeline(models / "community-1", models / "community-1-onnx")
    assert not list(tmp_path.iterdir())
