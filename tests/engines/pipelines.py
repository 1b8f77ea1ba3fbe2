"""Small local pyannote pipelines in the layouts of the published ones, made on the spot from seeded networks.

The trunks are random and stay so; only the last layers are fitted, to five voices of the tests, so that turns and
speakers mean something. They must never be taken for trained models: of any other voice they know nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge

from adapters.media.av import AvDecoder
from adapters.pcm import samples
from domain.media import DecodedAudio, DecodeLimits
from domain.span import Span
from tests.conversations import conversation
from tests.e2e.spoken import read_stm

Layout = Literal["speaker-diarization-3.1", "community-1"]
WINDOW = 10
"""Seconds that the segmentation network hears at once, as segmentation-3.0 does."""
_DATA = Path(__file__).parents[1] / "data"
_LSTM_GAIN, _LINEAR_GAIN = 2.0, 3.0
"""Times the usual spread of the weights: a random network is otherwise too quiet to tell anything."""
_MEMORY = 4.0
"""Added to the biases of its forget gates, so that it averages over some tenths of a second, as voices need."""
_HEARD = 0.1
"""Share of a window that a voice must speak in to be learnt from it."""
_DIMENSION = 256
_SLOTS = {"agent": 0, "caller": 1, "0": 0, "1": 1, "2": 2}
"""Which of the network's three speakers each voice is."""


@dataclass(frozen=True)
class Lesson:
    """A recording and who speaks in it."""

    audio: DecodedAudio
    turns: tuple[tuple[Span, str], ...]

    def windows(self, hop: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Windows, `hop` ms apart, with the class of each of 589 frames: 0 is silence, the others one of the slots."""
        for start in range(0, self.audio.duration - WINDOW * 1000 + 1, hop):
            centres = start + (np.arange(589) * 270 + 495) / 16
            classes = np.zeros(589, np.int64)
            for span, voice in self.turns:
                classes[(centres >= span.start) & (centres < span.end)] = 1 + _SLOTS[voice]
            yield samples(self.audio, Span(start, start + WINDOW * 1000)), classes


def build_pipeline(folder: Path, layout: Layout, *, mel_bins: int = 80, step: float = 0.1, seed: int = 0) -> Path:
    """Save a pipeline into `folder` and return it; `Pipeline.from_pretrained(folder)` needs no network.

    `mel_bins` (a multiple of 8) and `step` make it cheaper than the published ones, which have 80 and 0.1.
    """
    segmentation, embedding = _networks(mel_bins, seed)
    # The 3.1 layout names its networks by path; community-1 by folders of its own.
    places = {name: folder / name for name in ("segmentation", "embedding", "plda")}
    for place in places.values():
        place.mkdir(parents=True)
    _save(segmentation, places["segmentation"] / "pytorch_model.bin")
    _save(embedding, places["embedding"] / "pytorch_model.bin")
    _save_plda(places["plda"], embedding.resnet.seg_1.weight.detach().numpy(), seed)
    (folder / "config.yaml").write_text(_config(layout, folder.resolve(), step), encoding="utf-8")
    return folder


def _config(layout: Layout, folder: Path, step: float) -> str:
    if layout == "community-1":
        head, where = "dependencies:\n  pyannote.audio: 4.0.0\n", "$model"
        clustering = "VBxClustering"
        parameters: dict[str, object] = {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8}
    else:
        head, where = "version: 3.1.0\n", str(folder)
        clustering = "AgglomerativeClustering"
        parameters = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799}
    files = ("/segmentation/pytorch_model.bin", "/embedding/pytorch_model.bin") if where != "$model" else (
        "/segmentation", "/embedding"
    )  # fmt: skip
    clusters = "".join(f"    {name}: {value}\n" for name, value in parameters.items())
    return (
        f"{head}pipeline:\n  name: pyannote.audio.pipelines.SpeakerDiarization\n  params:\n"
        f"    clustering: {clustering}\n    segmentation: {where}{files[0]}\n    segmentation_batch_size: 32\n"
        f"    segmentation_step: {step}\n    embedding: {where}{files[1]}\n    embedding_batch_size: 32\n"
        f"    embedding_exclude_overlap: true\n    plda: {where}/plda\n"
        f"params:\n  clustering:\n{clusters}  segmentation:\n    min_duration_off: 0.0\n"
    )


@lru_cache(maxsize=4)
def _networks(mel_bins: int, seed: int) -> tuple[Any, Any]:
    torch.set_num_threads(1)  # networks as small as these lose more by waiting for a second core than they gain
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        segmentation, embedding = _segmentation(), WeSpeakerResNet34(num_mel_bins=mel_bins)
        embedding.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0
        )
        embedding.eval()
        with TemporaryDirectory() as folder:
            lessons = _lessons(Path(folder), seed)
            _fit_segmentation(segmentation, lessons)
            _fit_embedding(embedding, lessons, seed)
    return segmentation, embedding


def _lessons(folder: Path, seed: int) -> list[Lesson]:
    limits = DecodeLimits(max_duration=10_000_000, max_memory=1 << 30, max_seconds=60.0)
    call = AvDecoder().decode(_DATA / "call.flac", folder, limits, lambda _: None).mix
    lines = read_stm(_DATA / "call.stm")
    told = conversation(folder / "vowels", seconds=60, speakers=3, seed=seed)
    return [
        Lesson(call, tuple((Span(round(ln.start * 1000), round(ln.end * 1000)), ln.speaker) for ln in lines)),
        Lesson(told.audio, tuple((turn.span, turn.speaker) for turn in told.turns)),
    ]


def _segmentation() -> Any:
    network = PyanNet()
    network.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=float(WINDOW),
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    network.setup()
    network.eval()
    units = network.hparams.lstm["hidden_size"]
    for name, values in network.lstm.named_parameters():
        if "weight_ih" in name:
            values.mul_(_LSTM_GAIN)
        elif "bias_hh" in name:
            values[units : 2 * units] += _MEMORY
    for layer in network.linear:
        layer.weight.mul_(_LINEAR_GAIN)
    return network


def _fit_segmentation(network: Any, lessons: list[Lesson]) -> None:
    """Fit the classifier alone, by logistic regression on what the random layers make of the lessons."""
    heard: list[Any] = []
    hook = network.classifier.register_forward_pre_hook(lambda _, given: heard.append(given[0][0].numpy()))
    classes = []
    for sound, truth in (window for lesson in lessons for window in lesson.windows(hop=1000)):
        network(torch.from_numpy(sound.copy())[None, None])
        classes.append(truth)
    hook.remove()
    features = np.concatenate(heard)
    mean, spread = features.mean(0), features.std(0) + 1e-6
    fitted = LogisticRegression(max_iter=300).fit((features - mean) / spread, np.concatenate(classes))
    weights = fitted.coef_ / spread
    network.classifier.weight.zero_()
    network.classifier.bias.fill_(-20.0)  # two at once are possible, but never found in these voices
    network.classifier.weight[: len(weights)] = torch.from_numpy(weights)
    network.classifier.bias[: len(weights)] = torch.from_numpy(fitted.intercept_ - weights @ mean)


def _fit_embedding(network: Any, lessons: list[Lesson], seed: int) -> None:
    """Fit the last layer alone: a direction for each voice in what the random trunk pools of it."""
    pooled, voices = [], []
    for number, lesson in enumerate(lessons):
        for sound, truth in lesson.windows(hop=2500):
            frames = network.forward_frames(torch.from_numpy(sound.copy())[None, None])
            for slot in range(1, 4):
                mask = (truth == slot).astype(np.float32)
                if mask.mean() > _HEARD:
                    pooled.append(network.resnet.pool(frames, weights=torch.from_numpy(mask)[None])[0].numpy())
                    voices.append(f"{number} {slot}")
    stack = np.stack(pooled)
    names = sorted(set(voices))
    targets = np.array([[float(voice == name) for name in names] for voice in voices])
    main = PCA(n_components=20, whiten=True, random_state=0).fit(stack)
    fitted = Ridge(alpha=1.0).fit(main.transform(stack), targets)
    directions = (fitted.coef_ / np.sqrt(main.explained_variance_)) @ main.components_
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(_DIMENSION, len(names))))
    weight, bias = turned @ directions, turned @ (fitted.intercept_ - directions @ main.mean_)
    network.resnet.seg_1.weight.copy_(torch.from_numpy(weight))
    network.resnet.seg_1.bias.copy_(torch.from_numpy(bias))


def _save(network: Model, path: Path) -> None:
    checkpoint: dict[str, Any] = {
        "state_dict": {name: value.clone() for name, value in network.state_dict().items()},
        "hyper_parameters": dict(network.hparams),
        "pytorch-lightning_version": "2.0.0",
    }
    network.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)


def _save_plda(folder: Path, weight: NDArray[np.float32], seed: int) -> None:
    """Save a transform to 128 dimensions, and a model of voices there that vary where the last layer's outputs do."""
    strong = np.linalg.svd(weight, full_matrices=False)[0][:, : len(_SLOTS)]
    rest = np.random.default_rng(seed).normal(size=(_DIMENSION, 128 - strong.shape[1]))
    lda, _ = np.linalg.qr(np.hstack([strong, rest]))
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(_DIMENSION), mean2=np.zeros(128), lda=lda)
    psi = np.concatenate([np.linspace(30.0, 24.0, strong.shape[1]), np.geomspace(1.0, 0.01, rest.shape[1])])
    np.savez(folder / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=psi)
