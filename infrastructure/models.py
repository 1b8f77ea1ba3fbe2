"""What the commands and the API do with weights, by the settings: list, fetch, check, pack and take in.

It must not load a model.
"""

import importlib.util
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from adapters.asr.weights import MODELS, find_weights
from adapters.catalogue import CATALOGUE, Weights
from adapters.catalogue.shelf import Manifest, describe, find, verify
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hub import Hub, Report, fetch, refuse_licence, size_of
from adapters.parcel import pack, unpack
from application.list_models import ShelvedModel
from domain.errors import EngineUnavailable, ModelNotFound
from infrastructure.settings import Settings

_PACKAGES = {
    "faster_whisper": ("faster_whisper", "faster-whisper"),
    "pyannote": ("pyannote.audio", "--editable '.[pyannote]'"),
    "sherpa_onnx": ("sherpa_onnx", "--editable '.[sherpa]'"),
}
_SIGNS = (
    ("executor.json", "diarization", "pyannote_onnx"),
    ("model.bin", "asr", "faster_whisper"),
    ("tokens.txt", "asr", "sherpa_onnx"),
    ("segmentation.onnx", "diarization", "sherpa_onnx"),
    ("config.yaml", "diarization", "pyannote"),
)
"""By which file a directory that the catalogue does not know is taken for an engine's; the first that is there."""


def hub(settings: Settings) -> Hub:
    """The hub as it is configured."""
    models = settings.models
    return Hub(models.hub_url, models.hub_token, models.allow_non_commercial)


def shelf(settings: Settings) -> list[ShelvedModel]:
    """List the catalogue, then what else lies in the models folder, and a default that is given as a path."""
    known = [_shelved(settings, weights) for weights in CATALOGUE.values()]
    return [*known, *_strangers(settings)]


def locate(settings: Settings, name: str) -> Path | None:
    """Return the directory of a model, by its name or its path; None when it is not whole on this machine.

    Raises:
        ModelNotFound: there is no such model, here or in the catalogue.
    """
    if name in MODELS:
        return find_weights(name, settings.models_dir)
    if name in CATALOGUE:
        return find(CATALOGUE[name], settings.models_dir)
    folder = settings.models_dir / name if Path(name).name == name else Path(name).expanduser()
    if not name or name.startswith(".") or not folder.is_dir():
        raise ModelNotFound(f"there is no model '{name}'; there are: {', '.join(CATALOGUE)}")
    return folder


def pull(settings: Settings, name: str, report: Report, *, again: bool = False) -> Path:
    """Fetch a model of the catalogue into the models folder.

    Raises:
        ModelNotFound: the catalogue has none of that name.
        EngineUnavailable: it may not or cannot be had.
    """
    if name not in CATALOGUE:
        raise ModelNotFound(f"the catalogue has no model '{name}'; it has: {', '.join(CATALOGUE)}")
    if not settings.models.download:
        raise EngineUnavailable("MODELS_DOWNLOAD is off: nothing is asked of the hub")
    return fetch(CATALOGUE[name], settings.models_dir, hub(settings), report, again=again)


def faults(settings: Settings, name: str) -> Iterator[str]:
    """Compare a model with what was published, file by file, and yield what is wrong.

    Raises:
        ModelNotFound: there is none of that name.
    """
    folder = locate(settings, name)
    if folder is None:
        yield "it is not on this machine"
    else:
        yield from verify(folder, CATALOGUE.get(name))


def export(settings: Settings, name: str, parcel: Path) -> int:
    """Write a model into one tar file and return its bytes.

    Raises:
        ModelNotFound: there is none of that name.
        EngineUnavailable: it is not here or not what it was, or the file cannot be written.
    """
    folder = locate(settings, name)
    if folder is None:
        raise EngineUnavailable(f"model '{name}' is not on this machine")
    if name in CATALOGUE:
        refuse_licence(CATALOGUE[name], hub(settings))
    return pack(Path(name).name, folder, parcel)


def take_in(settings: Settings, parcel: Path, report: Callable[[int], None], *, again: bool = False) -> str:
    """Take the model of a tar file into the models folder and return its name.

    Raises:
        EngineUnavailable: it is no parcel, or not what it says it is, or there is no room.
    """

    def admit(name: str) -> None:
        if name in CATALOGUE:
            refuse_licence(CATALOGUE[name], hub(settings))

    return unpack(parcel, settings.models_dir, report, admit=admit, again=again)


def convert(settings: Settings, name: str, into: Path | None) -> Path:
    """Turn a pyannote pipeline that is here into ONNX files, and return their directory.

    Raises:
        ModelNotFound: there is none of that name.
        EngineUnavailable: it is not here, or what converts is not installed.
    """
    source = locate(settings, name)
    if source is None:
        raise EngineUnavailable(f"model '{name}' is not on this machine: colloquy models pull {name}")
    if why := _missing_package("pyannote"):
        raise EngineUnavailable(f"converting needs torch and pyannote.audio: {why}")
    from adapters.diarization.executor.export import export_pipeline  # noqa: PLC0415 - it brings torch

    target = into or settings.models_dir / f"{source.name if Path(name).name != name else name}-onnx"
    export_pipeline(source, target)
    describe(target.name, target).write(target)
    return target


def in_memory(asr: HostedTranscriptionEngine, diarizer: HostedDiarizationEngine) -> Collection[tuple[str, str]]:
    """Give the models that the engines' processes hold, by kind and name."""
    held = (("asr", asr.holds()), ("diarization", diarizer.holds()))
    return {(kind, name) for kind, name in held if name is not None}


def _shelved(settings: Settings, weights: Weights) -> ShelvedModel:
    here = locate(settings, weights.name) is not None
    return ShelvedModel(
        name=weights.name,
        kind=weights.kind,
        engine=weights.engine,
        here=here,
        absent=_missing_package(weights.engine) or ("" if here else _why_absent(settings, weights)),
        size=weights.size,
        licence=weights.licence,
        languages=weights.languages,
        non_commercial=weights.non_commercial,
        gated=weights.gated,
    )


def _why_absent(settings: Settings, weights: Weights) -> str:
    if not settings.models.download:
        return "its weights are not here, and MODELS_DOWNLOAD is off"
    if weights.non_commercial and not settings.models.allow_non_commercial:
        return "its licence forbids commercial use, and MODELS_ALLOW_NON_COMMERCIAL is off"
    if weights.gated and not settings.models.hub_token:
        return "its weights are not here, and it is gated: MODELS_HUB_TOKEN is not set"
    return ""


def _missing_package(engine: str) -> str:
    module, package = _PACKAGES[engine]
    try:
        there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        there = False
    return "" if there else f"pip install {package}"


def _strangers(settings: Settings) -> Iterator[ShelvedModel]:
    folders = [*settings.models_dir.glob("*/")] if settings.models_dir.is_dir() else []
    named = Path(settings.asr.model).expanduser()
    if named.name != settings.asr.model or named.name not in {*MODELS, *(folder.name for folder in folders)}:
        folders.append(named if named.name != settings.asr.model else settings.models_dir / named)
    for folder in folders:
        if (folder.name in CATALOGUE and folder.parent == settings.models_dir) or folder.name.startswith("."):
            continue
        there = folder.is_dir()
        for sign, kind, engine in _SIGNS:
            if (folder / sign).is_file() or not there:
                manifest = Manifest.read(folder)
                licence, why = manifest.licence if manifest else "", "" if there else "there is no such directory"
                size = size_of(folder) if there else None
                yield ShelvedModel(
                    name=folder.name, kind=kind, engine=engine, here=there, absent=why, size=size, licence=licence
                )
                break
