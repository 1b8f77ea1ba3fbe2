"""pyannote's pipelines, each laid out as one directory that loads without asking the hub for anything.

Their checkpoints are pickles: a file that does not have the digest written here is never kept.
"""

from adapters.catalogue.entries import WeightFile, Weights

_COMMUNITY_1 = Weights(
    name="pyannote-community-1",
    kind="diarization",
    engine="pyannote",
    repository="pyannote/speaker-diarization-community-1",
    revision="3533c8cf8e369892e6b79ff1bf80f7b0286a54ee",
    files=(
        WeightFile("config.yaml", 444, "5ce2bfa9a938dc132cec1172592d65173cbb8f444ea1e4133f10f9391de155be"),
        WeightFile(
            "segmentation/pytorch_model.bin",
            5_906_507,
            "7ad24338d844fb95985486eb1a464e32d229f6d7a03c9abe60f978bacf3f816e",
        ),
        WeightFile(
            "embedding/pytorch_model.bin",
            26_646_242,
            "6f10ff60898a1d185fa22e1d11e0bfa8a92efec811f11bca48cb8cafebefd929",
        ),
        WeightFile("plda/plda.npz", 133_852, "9b77bcd840692710dd3496f62ecfeed8d8e5f002fd991b785079b244eab7d255"),
        WeightFile(
            "plda/xvec_transform.npz", 134_376, "325f1ce8e48f7e55e9c8aa47e05d2766b7c48c4b25b8de8dd751e7a4cc5fbe8f"
        ),
    ),
    licence="CC-BY-4.0",
    gated=True,
)

_CONFIG_3_1 = """\
version: 3.1.0

pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: $model/embedding
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: $model/segmentation
    segmentation_batch_size: 32

params:
  clustering:
    method: centroid
    min_cluster_size: 12
    threshold: 0.7045654963945799
  segmentation:
    min_duration_off: 0.0
"""
"""The published parameters. The published file names two other repositories, so loading it would ask the hub."""

_3_1 = Weights(
    name="pyannote-3.1",
    kind="diarization",
    engine="pyannote",
    repository="pyannote/speaker-diarization-3.1",
    revision="84fd25912480287da0247647c3d2b4853cb3ee5d",
    files=(
        WeightFile("config.yaml", text=_CONFIG_3_1),
        WeightFile(
            "segmentation/pytorch_model.bin",
            5_905_440,
            "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
            source="pytorch_model.bin",
            repository="pyannote/segmentation-3.0",
            revision="e66f3d3b9eb0873085418a7b813d3b369bf160bb",
        ),
        WeightFile(
            "embedding/pytorch_model.bin",
            26_645_418,
            "366edf44f4c80889a3eb7a9d7bdf02c4aede3127f7dd15e274dcdb826b143c56",
            source="pytorch_model.bin",
            repository="pyannote/wespeaker-voxceleb-resnet34-LM",
            revision="837717ddb9ff5507820346191109dc79c958d614",
        ),
    ),
    licence="MIT; its speaker embedding CC-BY-4.0",
    gated=True,
)

PYANNOTE = (_COMMUNITY_1, _3_1)
