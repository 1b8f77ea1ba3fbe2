"""Turns a local pyannote pipeline directory into what the executor runs: ONNX, arrays, one description.

It needs pyannote.audio, torch and onnx, and runs where they are installed; nothing else here imports them.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from adapters.diarization.executor.exported import (
    DESCRIPTION,
    FORMAT,
    Clustering,
    Embedding,
    Exported,
    Segmentation,
    digest_of,
)
from adapters.diarization.pyannote_weights import CONFIG
from domain.errors import EngineUnavailable
from domain.media import SAMPLE_RATE

if TYPE_CHECKING:
    import torch

_OPSET = 17
_KINDS = {"AgglomerativeClustering": "ahc", "VBxClustering": "vbx"}
_SEGMENTATION, _TRUNK, _HEAD, _PLDA = "segmentation.onnx", "embedding.onnx", "embedding_head.npz", "plda.npz"


def export_pipeline(source: Path, into: Path) -> None:
    """Export the pipeline in `source` (the layout of 3.1 or of community-1) into the new directory `into`.

    It appears complete or not at all.

    Raises:
        EngineUnavailable: packages are missing, or it is a pipeline of networks that the executor does not know.
    """
    try:
        import onnx  # noqa: F401 - torch needs it, but says so late

        from adapters.diarization.pyannote_pipeline import LoadedPipeline
    except ImportError as error:
        raise EngineUnavailable(f"Exporting needs the pyannote extra: {error}.") from error
    if into.exists():
        raise EngineUnavailable(f"{into} exists already; remove it to export again.")
    if not (source / CONFIG).is_file():
        raise EngineUnavailable(f"{source} holds no {CONFIG}: it is no pyannote pipeline.")
    loaded = LoadedPipeline(source, device="cpu", segmentation_batch=1, embedding_batch=1)
    into.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a length is fixed is meant: every window has it
            export_loaded(loaded._pipeline, part, source.name)  # noqa: SLF001
        part.chmod(0o755)
        part.rename(into)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def export_loaded(pipeline: Any, into: Path, name: str) -> None:  # noqa: ANN401 - pyannote.audio has no types
    """Export a loaded pipeline into an empty directory."""
    segmentation = _segmentation(pipeline, into / _SEGMENTATION)
    embedding = _embedding(pipeline, into, segmentation)
    clustering = _clustering(pipeline, into / _PLDA)
    digests = {path.name: digest_of(path) for path in sorted(into.iterdir())}
    exported = Exported(
        format=FORMAT, name=name, segmentation=segmentation, embedding=embedding, clustering=clustering, digests=digests
    )
    (into / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(exported), indent=2) + b"\n")


def _segmentation(pipeline: Any, path: Path) -> Segmentation:  # noqa: ANN401
    import torch

    inference = pipeline._segmentation  # noqa: SLF001 - pyannote.audio's only way to its parts
    network, frame = inference.model, inference.model.receptive_field
    known = network.specifications
    if not known.powerset:
        raise EngineUnavailable("The segmentation network is older than segmentation-3.0: it cannot be exported.")
    window = network.audio.get_num_samples(inference.duration)
    with torch.no_grad(), _plain_filters(network):
        sound = torch.zeros(2, 1, window)
        frames = network(sound).shape[1]
        _save(network, sound, path, {0: "windows"}, {0: "windows"})
    return Segmentation(
        file=path.name,
        window=window,
        step=round(inference.step * SAMPLE_RATE),
        frames=frames,
        frame_step=frame.step,
        frame_duration=frame.duration,
        slots=len(known.classes),
        at_once=known.powerset_max_classes,
        min_duration_off=pipeline.segmentation.min_duration_off,
    )


@contextmanager
def _plain_filters(network: Any) -> Iterator[None]:  # noqa: ANN401
    """Have SincNet's computed filters stand as a plain convolution, which exports and runs without the maths."""
    import torch

    layers = getattr(getattr(network, "sincnet", None), "conv1d", None)
    if layers is None:
        yield
        return
    computed = layers[0]
    filters = computed.filterbank.filters().detach()
    plain = torch.nn.Conv1d(1, len(filters), filters.shape[2], stride=computed.stride, bias=False)
    plain.weight = torch.nn.Parameter(filters, requires_grad=False)
    layers[0] = plain
    try:
        yield
    finally:
        layers[0] = computed


def _embedding(pipeline: Any, into: Path, heard: Segmentation) -> Embedding:  # noqa: ANN401
    import torch

    model = pipeline._embedding.model_  # noqa: SLF001
    known, resnet = model.hparams, getattr(model, "resnet", None)
    plain = known.get("window_type") == "hamming" and not known.get("use_energy") and not known.get("dither")
    whole = known.get("round_to_power_of_two", True) and known.get("snip_edges", True)
    if resnet is None or resnet.two_emb_layer or not (plain and whole) or known.get("fbank_centering_span"):
        raise EngineUnavailable("The embedding network is not one of WeSpeaker's: it cannot be exported.")

    class Trunk(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.resnet: Any = resnet

        def forward(self, features: Any) -> Any:  # noqa: ANN401
            return self.resnet.forward_frames(features).flatten(1, 2)

    bins = known["num_mel_bins"]
    with torch.no_grad():
        axes = {0: "windows"}
        _save(Trunk().eval(), torch.zeros(1, 200, bins), into / _TRUNK, {**axes, 1: "features"}, {**axes, 2: "frames"})
        np.savez(into / _HEAD, weight=resnet.seg_1.weight.numpy(), bias=resnet.seg_1.bias.numpy())
    stride, reach = _sight(resnet)
    least_frames = ceil(heard.frames * pipeline._embedding.min_num_samples / heard.window)  # noqa: SLF001
    return Embedding(
        trunk=_TRUNK,
        head=_HEAD,
        bins=bins,
        length=int(SAMPLE_RATE * known["frame_length"] * 0.001),
        shift=int(SAMPLE_RATE * known["frame_shift"] * 0.001),
        stride=stride,
        reach=-(-reach // stride) * stride,
        dimension=model.dimension,
        least_frames=least_frames,
        exclude_overlap=pipeline.embedding_exclude_overlap,
    )


def _sight(resnet: Any) -> tuple[int, int]:  # noqa: ANN401
    """Give the features that one frame stands for, and how many it sees to either side."""
    import torch

    stride, reach = 1, 0
    for name, layer in resnet.named_modules():
        if isinstance(layer, torch.nn.Conv2d) and "shortcut" not in name:
            reach += stride * (layer.kernel_size[1] - 1) // 2
            stride *= layer.stride[1]
    return stride, reach


def _clustering(pipeline: Any, plda: Path) -> Clustering:  # noqa: ANN401
    kind = _KINDS.get(pipeline.klustering)
    known = pipeline.clustering
    if kind is None or (kind == "ahc" and known.method not in {"centroid", "median", "ward"}):
        raise EngineUnavailable(f"The executor does not know the clustering {pipeline.klustering}.")
    if kind == "ahc":
        return Clustering(kind=kind, threshold=known.threshold, method=known.method, min_size=known.min_cluster_size)
    found = pipeline.plda
    folder = Path(found["checkpoint"], found.get("subfolder") or "") if isinstance(found, dict) else Path(found)
    with np.load(folder / "xvec_transform.npz") as transform, np.load(folder / "plda.npz") as arrays:
        parts = {name: transform[name] for name in ("mean1", "mean2", "lda")}
        np.savez(plda, **parts, **{name: arrays[name] for name in ("mu", "tr", "psi")})
    return Clustering(kind=kind, threshold=known.threshold, plda=plda.name, fa=known.Fa, fb=known.Fb)


def _save(network: Any, example: "torch.Tensor", path: Path, given: dict[int, str], made: dict[int, str]) -> None:  # noqa: ANN401
    import torch

    torch.onnx.export(
        network.eval(), (example,), str(path), input_names=["given"], output_names=["made"], dynamo=False,
        dynamic_axes={"given": given, "made": made}, opset_version=_OPSET,
    )  # fmt: skip
