"""Which Whisper models there are by name, where their CTranslate2 weights lie here, and which languages they know.

It must not import a vendor nor touch the network: the API process asks it.
"""

import json
from functools import lru_cache
from pathlib import Path

REPOSITORIES = {
    "tiny": "Systran/faster-whisper-tiny",
    "base": "Systran/faster-whisper-base",
    "small": "Systran/faster-whisper-small",
    "medium": "Systran/faster-whisper-medium",
    "large": "Systran/faster-whisper-large-v3",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
"""Where each name's weights are published on the hub: as in `faster_whisper.utils`, version 1.2.1."""

MODELS = tuple(REPOSITORIES)

FILES = ("config.json", "model.bin", "tokenizer.json")
"""Without its tokenizer a model would load and then ask the hub for one, so it counts as missing."""

_CODES = """
af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it ja
jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq
sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh
"""
LANGUAGES = frozenset(_CODES.split())
"""The codes that multilingual Whisper models have tokens for."""

ENGLISH = frozenset({"en"})


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
    places = [models_dir / model]
    if repository := REPOSITORIES.get(model):
        # https://huggingface.co/docs/huggingface_hub/guides/manage-cache: refs/main names the snapshot of the branch.
        cache = hub_cache or Path("~/.cache/huggingface/hub").expanduser()
        entry = cache / f"models--{repository.replace('/', '--')}"
        reference = entry / "refs" / "main"
        if reference.is_file():
            places.append(entry / "snapshots" / reference.read_text(encoding="ascii").strip())
    return places


def _is_whole(folder: Path) -> bool:
    """Whether everything that loading reads is there; an interrupted download leaves less."""
    return all((folder / name).is_file() for name in FILES) and any(folder.glob("vocabulary.*"))
