"""Which models for sherpa-onnx there are by name, where their files lie, of which kind they are, what they understand.

It must not import a vendor nor touch the network: the API process asks it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from adapters.catalogue import CATALOGUE
from adapters.catalogue.shelf import find
from domain.errors import EngineUnavailable

NAMES = tuple(name for name, weights in CATALOGUE.items() if (weights.engine, weights.kind) == ("sherpa_onnx", "asr"))
"""Models that can be had by name."""
LANGUAGES_FILE = "languages.json"
"""Beside weights that the catalogue does not know: a list of the codes of the languages they know."""


class Kind(StrEnum):
    """How a model is built, which the files in its directory tell."""

    TRANSDUCER = "transducer"
    CTC = "ctc"
    MOONSHINE = "moonshine"
    MOONSHINE_V2 = "moonshine_v2"


_PARTS: dict[Kind, dict[str, tuple[str, ...]]] = {
    Kind.TRANSDUCER: {
        "encoder": ("encoder*.onnx",), "decoder": ("decoder*.onnx",), "joiner": ("joiner*.onnx",),
    },
    Kind.MOONSHINE: {
        "preprocessor": ("preprocess*.onnx",), "encoder": ("encode*.onnx",),
        "uncached_decoder": ("uncached_decode*.onnx",), "cached_decoder": ("cached_decode*.onnx",),
    },
    Kind.MOONSHINE_V2: {
        "encoder": ("encoder_model*.ort",), "decoder": ("decoder_model_merged*.ort",),
    },
    Kind.CTC: {"model": ("model*.onnx",)},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """A model's files: `parts` by the names of the library's parameters."""

    kind: Kind
    parts: dict[str, Path]
    tokens: Path


def files_of(folder: Path) -> Files | None:
    """Tell a model by its files, or return None where one is missing; of two precisions the 8-bit one is taken."""
    tokens = folder / "tokens.txt"
    if not tokens.is_file():
        return None
    for kind, patterns in _PARTS.items():
        found = {name: path for name, several in patterns.items() if (path := _one(folder, several))}
        if len(found) == len(patterns):
            return Files(kind, found, tokens)
    return None


def find_model(model: str, models_dir: Path) -> Path | None:
    """Return the directory of a model's files, or None when they are not whole on this machine.

    `model` is one of `NAMES`, a directory in `models_dir`, or the path of a directory.
    """
    if Path(model).name == model and model in NAMES:
        return find(CATALOGUE[model], models_dir, whole=_is_whole)
    folder = Path(model).expanduser() if Path(model).name != model else models_dir / model
    return folder if _is_whole(folder) else None


def languages_of(model: str, folder: Path | None) -> frozenset[str] | None:
    """Return the languages that a model knows, by its directory or the catalogue; None where nobody says.

    Raises:
        EngineUnavailable: what its directory says is no list of codes.
    """
    if folder is not None and (file := folder / LANGUAGES_FILE).is_file():
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            told = None
        if not isinstance(told, list) or not told or not all(isinstance(code, str) for code in told):
            raise EngineUnavailable(
                f"{LANGUAGES_FILE} of '{Path(model).name}' must be a list of codes such as [\"en\"]"
            )
        return frozenset(told)
    return CATALOGUE[model].languages if model in NAMES else None


def _is_whole(folder: Path) -> bool:
    return files_of(folder) is not None


def _one(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return min(found, key=lambda path: ".int8." not in path.name, default=None)
