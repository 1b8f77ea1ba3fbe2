"""Where pyannote's pipelines lie on this machine, and what in them is which network.

It must not import a vendor nor touch the network: the API process asks it.
"""

from collections.abc import Mapping
from pathlib import Path

from adapters.catalogue import CATALOGUE, Weights
from adapters.catalogue.shelf import find
from domain.errors import EngineUnavailable

CONFIG = "config.yaml"
DEFAULT = "pyannote-community-1"
_KIND = "pyannote.audio.pipelines.SpeakerDiarization"
_ROLES = ("segmentation", "embedding", "plda")
_OWN = "$model/"
"""How a pipeline's configuration names a folder beside itself."""


def find_pipeline(model: str, models_dir: Path, hub_cache: Path | None = None) -> Path | None:
    """Return the directory of a pipeline, or None when it is not on this machine.

    `model` is a name of the catalogue, a directory in `models_dir`, or the path of a directory or of its `config.yaml`.
    """
    if Path(model).name != model:
        path = Path(model).expanduser()
        path = path.parent if path.name == CONFIG else path
        return path if (path / CONFIG).is_file() else None
    known = published(model)
    if known and (folder := find(known, models_dir, hub_cache)):
        return folder
    return models_dir / model if (models_dir / model / CONFIG).is_file() else None


def published(model: str) -> Weights | None:
    """Return the catalogue's entry of a pipeline, or None."""
    entry = CATALOGUE.get(model)
    return entry if entry and entry.engine == "pyannote" else None


def name_of(model: str) -> str:
    """Give the name that callers know a pipeline by: a path must not reach them.

    >>> name_of("/srv/models/ours/config.yaml"), name_of("pyannote-3.1")
    ('ours', 'pyannote-3.1')
    """
    path = Path(model)
    return path.parent.name if path.name == CONFIG else path.name


def localised(config: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Return a pipeline's configuration with every network as a place on this machine, so that loading asks nobody.

    A network is looked for where the configuration says, relative to `folder` or not; then in the folder of its role;
    then beside `folder` under its name, as the published 3.1 pipeline is three repositories.

    Raises:
        EngineUnavailable: it is no speaker diarization pipeline, or a network is not here.
    """
    pipeline = config.get("pipeline")
    if not isinstance(pipeline, dict) or pipeline.get("name") != _KIND:
        raise EngineUnavailable(f"the model '{folder.name}' is no pyannote speaker diarization pipeline")
    given = pipeline.get("params") or {}
    # "version" is what pyannote.audio 3 called its dependencies; either is checked where the networks are loaded.
    rest = {name: value for name, value in config.items() if name not in {"pipeline", "preprocessors", "device"}}
    params = {**given, **{role: _place(role, given[role], folder) for role in _ROLES if given.get(role)}}
    return {**rest, "pipeline": {"name": _KIND, "params": params}}


def _place(role: str, named: object, folder: Path) -> dict[str, str]:
    told = named.get("checkpoint", "") if isinstance(named, dict) else named
    if not isinstance(told, str):
        raise EngineUnavailable(f"the configuration of '{folder.name}' does not say where its {role} is")
    asked = folder / told.removeprefix(_OWN).partition("@")[0]
    if isinstance(named, dict):
        asked = asked / named.get("subfolder", "")
    places = (asked, folder / role, folder.parent / Path(told).name)
    for place in places:
        if place.is_file() or any((place / name).is_file() for name in ("pytorch_model.bin", "plda.npz")):
            return {"checkpoint": str(place)}
    raise EngineUnavailable(
        f"the {role} of '{folder.name}' is not on this machine: put it into the folder '{role}' beside its {CONFIG}"
    )
