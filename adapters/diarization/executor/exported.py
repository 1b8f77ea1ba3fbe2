"""What an exported pipeline directory holds: networks as ONNX, arrays as npz, and the numbers between them as JSON.

It must not load a network: it says which files there are, and whether they are the ones that were exported.
"""

import hashlib
from pathlib import Path

import msgspec

from domain.errors import EngineUnavailable

DESCRIPTION = "executor.json"
FORMAT = 1
SUFFIX = "-onnx"
"""What the name of a pipeline gets when it is exported."""


class Segmentation(msgspec.Struct, frozen=True, kw_only=True):
    """The network that hears windows: up to `slots` voices in each, at most `at_once` of them together.

    `window` and `step` are samples; `frames` a window has, each `frame_duration` seconds long, `frame_step` apart.
    Silences of one voice shorter than `min_duration_off` seconds are bridged.
    """

    file: str
    window: int
    step: int
    frames: int
    frame_step: float
    frame_duration: float
    slots: int
    at_once: int
    min_duration_off: float


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    """The network that knows voices: `trunk` makes frames of features, `head` a vector of their statistics.

    `bins` mel bands, every `shift` samples over `length`. One frame of the trunk stands for `stride` frames of
    features and sees `reach` of them to either side. A voice must have more than
    `least_frames` of a window for itself to be known by them alone, if `exclude_overlap` says so.
    """

    trunk: str
    head: str
    bins: int
    length: int
    shift: int
    stride: int
    reach: int
    dimension: int
    least_frames: int
    exclude_overlap: bool


class Clustering(msgspec.Struct, frozen=True, kw_only=True):
    """How voices are told apart: `ahc`, or `vbx` with a `plda` and its two scales."""

    kind: str
    threshold: float
    method: str = "centroid"
    min_size: int = 1
    plda: str = ""
    fa: float = 0.0
    fb: float = 0.0


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The whole description; `digests` maps each file to its SHA-256."""

    format: int
    name: str
    segmentation: Segmentation
    embedding: Embedding
    clustering: Clustering
    digests: dict[str, str]


def find_exported(model: str, models_dir: Path) -> Path | None:
    """Return the directory of an exported pipeline, or None when it is not on this machine; reads nothing.

    `model` is a name in `models_dir` or a path, of the directory itself or of the pipeline that was exported: then it
    is the one beside it whose name ends in `-onnx`.
    """
    folder = models_dir / model if Path(model).name == model else Path(model).expanduser()
    for place in (folder, folder.with_name(f"{folder.name}{SUFFIX}")):
        if (place / DESCRIPTION).is_file():
            return place
    return None


def read_exported(folder: Path) -> Exported:
    """Read the description and check the files against it; 30 MB take a tenth of a second.

    Raises:
        EngineUnavailable: it is not there, of another version of this program, or its files are not those exported.
    """
    try:
        exported = msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=Exported)
    except OSError as error:
        raise EngineUnavailable(f"There is no exported pipeline in {folder}.") from error
    except msgspec.MsgspecError as error:
        raise EngineUnavailable(f"{folder / DESCRIPTION} is damaged: {error}. Export the pipeline again.") from error
    if exported.format != FORMAT:
        raise EngineUnavailable(f"{folder} was exported by another version of this program. Export it again.")
    for name, digest in exported.digests.items():
        path = folder / name
        if not path.is_file() or digest_of(path) != digest:
            raise EngineUnavailable(f"{path} is missing or not what was exported. Export the pipeline again.")
    return exported


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
