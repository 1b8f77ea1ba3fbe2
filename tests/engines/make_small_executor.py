"""Makes `tests/data/small-executor`: python -m tests.engines.make_small_executor, in the environment of the engines.

Networks of the true kinds, but narrow: their trunks are random, and only the last layers are fitted, to the call of the
tests. They must never be taken for trained models: of any other voice they know nothing.
"""

import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import torch
from pyannote.audio import Inference
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from pyannote.audio.models.segmentation import PyanNet

from adapters.diarization.executor.export import export_loaded
from tests.engines import pipelines

TARGET = Path(__file__).parents[1] / "data" / "small-executor"
_UNITS = 48
_CHANNELS = 3
_DIMENSION = 256


def main() -> None:
    torch.manual_seed(0)
    with torch.no_grad(), TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lessons = pipelines._lessons(Path(folder), 0)
        segmentation = PyanNet(lstm={"num_layers": 2, "hidden_size": _UNITS, "monolithic": True})
        segmentation.specifications = Specifications(
            problem=Problem.MONO_LABEL_CLASSIFICATION,
            resolution=Resolution.FRAME,
            duration=float(pipelines.WINDOW),
            classes=["speaker#1", "speaker#2", "speaker#3"],
            powerset_max_classes=2,
            permutation_invariant=True,
        )
        segmentation.setup()
        segmentation.eval()
        for name, values in segmentation.lstm.named_parameters():
            if "weight_ih" in name:
                values.mul_(4.0)
            elif "bias_hh" in name:
                values[_UNITS : 2 * _UNITS] += 3.0
        pipelines._fit_segmentation(segmentation, lessons)
        embedding = WeSpeakerResNet34()
        embedding.resnet = ResNet(
            BasicBlock, [1, 1, 1, 1], m_channels=_CHANNELS, feat_dim=80, embed_dim=_DIMENSION, two_emb_layer=False
        )
        embedding.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0
        )
        embedding.eval()
        pipelines._fit_embedding(embedding, lessons, 0)
        shutil.rmtree(TARGET, ignore_errors=True)
        TARGET.mkdir()
        pipeline = SimpleNamespace(
            _segmentation=Inference(segmentation, duration=10.0, step=1.0, skip_aggregation=True),
            segmentation=SimpleNamespace(min_duration_off=0.0),
            _embedding=SimpleNamespace(model_=embedding, min_num_samples=400),
            embedding_exclude_overlap=True,
            klustering="AgglomerativeClustering",
            clustering=SimpleNamespace(method="centroid", min_cluster_size=12, threshold=0.7045654963945799),
        )
        export_loaded(pipeline, TARGET, TARGET.name)


if __name__ == "__main__":
    main()
