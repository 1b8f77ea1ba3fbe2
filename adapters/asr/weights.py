"""Which Whisper models there are by name, where their CTranslate2 weights lie here, and which languages they know.

It must not import a vendor nor touch the network: the API process asks it.
"""

import json
from functools import lru_cache
from pathlib import Path

from adapters.catalogue import CATALOGUE
from adapters.catalogue.entries import ENGLISH
from adapters.catalogue.shelf import places
from adapters.catalogue.whisper import LANGUAGES, WHISPER

__all__ = ["ENGLISH", "FILES", "LANGUAGES", "MODELS", "find_weights", "languages_of", "name_of"]

MODELS = tuple(weights.name for weights in WHISPER)

FILES = ("config.json", "model.bin", "tokenizer.json")
"""Without its tokenizer a model would load and then ask the hub for one, so it counts as missing."""


def find_weights(model: str, models_dir: Path, hub_cache: Path | None = None) -> Path | None:
    """Return the directory of a model's weights, or None when they are not whole on this machine.

    `model` is one of `MODELS`, a directory in `models_dir`, or the path of a directory. `models_dir` is looked into
    first, then `hub_cache`: the hub library's own cache, by default where it is for a user who has not moved it.
    """
    return next((folder for folder in _places(model, models_dir, hub_cache) if _is_whole(folder)), None)


def name_of(model: str) -> str:
    """Give the name that callers know a model by: a path must not reach them.

    >>> name_of("/srv/models/interviews"), name_of("large-v3")
    ('interviews', 'large-v3')
    """
    return Path(model).name


@lru_cache(maxsize=32)
def languages_of(weights: Path) -> frozenset[str]:
    """Return the languages of a model, told by its vocabulary as CTranslate2 tells it.

    The tokenizer of the multilingual models has an empty token; that of the English ones has not.
    """
    try:
        vocabulary = json.loads((weights / "vocabulary.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        vocabulary = (weights / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return LANGUAGES if "" in vocabulary else ENGLISH


def _places(model: str, models_dir: Path, hub_cache: Path | None) -> list[Path]:
    if name_of(model) != model:
        return [Path(model).expanduser()]
    if model not in MODELS:
        return [models_dir / model]
    weights = CATALOGUE[model]
    return places(model, weights.repository, weights.revision, models_dir, hub_cache)


def _is_whole(folder: Path) -> bool:
    """Whether everything that loading reads is there; an interrupted download leaves less."""
    return all((folder / name).is_file() for name in FILES) and any(folder.glob("vocabulary.*"))
