"""Which engines this machine can run, and which of them `auto` takes; nothing is imported or loaded to find out."""

import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from adapters.asr import sherpa_models
from adapters.asr.weights import MODELS, find_weights
from adapters.diarization import sherpa
from adapters.diarization.executor.exported import find_exported
from adapters.diarization.pyannote_weights import find_pipeline, name_of
from infrastructure.hub import hub_answers
from infrastructure.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and why it was taken; `fix` is one line on how to get a better one, empty where there is none."""

    engine: str
    reason: str
    fix: str = ""


def installed(module: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def choose_asr(
    settings: Settings, ask_hub: Callable[[Settings], bool] | None = None, *, elsewhere: bool = False
) -> Choice:
    """Resolve `ASR_ENGINE`; an engine that was named is taken as it is and never replaced.

    `auto` is faster-whisper when its weights are here or can be had, else PocketSphinx, whose model is in its package.
    `elsewhere` says that others do the work: the packages of the default install are theirs, and need not be here.
    """
    asr = settings.asr
    if asr.engine != "auto":
        remote = asr.engine == "openai_compatible"
        where = f"; speech is sent to {urlsplit(asr.remote.url).hostname}" if remote else ""
        return Choice(asr.engine, f"named by ASR_ENGINE{where}")
    if not elsewhere and not installed("faster_whisper"):
        return Choice("pocketsphinx", "faster-whisper is not installed", "pip install faster-whisper")
    if weights := find_weights(asr.model, settings.models_dir):
        return Choice("faster_whisper", f"the weights of '{asr.model}' are here: {weights}")
    fix = f"colloquy models pull {asr.model} (or import, from a file), or name a CTranslate2 directory in ASR_MODEL"
    if not settings.models.download:
        return Choice("pocketsphinx", f"there are no weights of '{asr.model}' and MODELS_DOWNLOAD is off", fix)
    if (ask_hub or hub_is_there)(settings):
        return Choice("faster_whisper", f"the weights of '{asr.model}' can be had from {settings.models.hub_url}")
    return Choice(
        "pocketsphinx", f"there are no weights of '{asr.model}' and {settings.models.hub_url} does not answer", fix
    )


def choose_diarizer(settings: Settings, ask_hub: Callable[[Settings], bool] | None = None) -> Choice:
    """Resolve `DIARIZATION_ENGINE`; an engine that was named is taken as it is and never replaced.

    `auto` is pyannote as ONNX when it was converted, unless a GPU is named; else pyannote when it is installed and its
    weights are here, which are never fetched unasked; else sherpa-onnx when it is installed and its weights are here or
    can be had; else the built-in acoustic one.
    """
    model = settings.diarization.model
    if settings.diarization.engine != "auto":
        named = Choice(settings.diarization.engine, "named by DIARIZATION_ENGINE")
        if (
            named.engine == "pyannote"
            and not settings.models.download
            and not find_pipeline(model, settings.models_dir)
        ):
            fix = f"bring '{model}' into {settings.models_dir} (README: Models), or allow MODELS_DOWNLOAD"
            return Choice(named.engine, f"{named.reason}, but its weights '{name_of(model)}' are not here", fix)
        return named
    gpu = settings.diarization.device.startswith("cuda")
    if not gpu and (folder := find_exported(model, settings.models_dir)):
        return Choice("pyannote_onnx", f"'{name_of(model)}' is here as ONNX: {folder}")
    if installed("torch") and installed("pyannote.audio") and (folder := find_pipeline(model, settings.models_dir)):
        return Choice("pyannote", f"the weights of '{name_of(model)}' are here: {folder}")
    return _ungated_diarizer(settings, ask_hub or hub_is_there)


def _ungated_diarizer(settings: Settings, ask_hub: Callable[[Settings], bool]) -> Choice:
    if not installed("sherpa_onnx"):
        return Choice("acoustic", "built in; it needs no weights")
    name = settings.diarization.sherpa_model
    if weights := sherpa.find_networks(name, settings.models_dir):
        return Choice("sherpa_onnx", f"the weights of '{name}' are here: {weights}")
    fix = f"colloquy models pull {sherpa.DEFAULT}, on a machine that reaches the hub"
    if not settings.models.download or name not in sherpa.NAMES:
        return Choice("acoustic", f"there are no weights of '{name}', and they may not be fetched", fix)
    if ask_hub(settings):
        return Choice("sherpa_onnx", f"the weights of '{name}' can be had from {settings.models.hub_url}")
    return Choice("acoustic", f"there are no weights of '{name}' and {settings.models.hub_url} does not answer", fix)


def absent_models(asr: Choice, present: Collection[str]) -> dict[str, str]:
    """Map the Whisper models that a request may name, but that are not `present`, to the reason."""
    if asr.engine == "faster_whisper":
        why = "its weights are not here, and downloads are off"
    else:
        why = f"{asr.engine} is in use because {asr.reason}"
    return {name: why for name in MODELS if name not in present}


def missing_models(settings: Settings) -> list[str]:
    """Name the models of engines that were named, so never replaced, that are not here and may not be fetched."""
    if settings.models.download:
        return []
    asr, diarization, folder = settings.asr, settings.diarization, settings.models_dir
    wanted: dict[str, tuple[str, Callable[[], Path | None]]] = {
        "faster_whisper": (asr.model, lambda: find_weights(asr.model, folder)),
        "sherpa_onnx": (asr.sherpa_model, lambda: sherpa_models.find_model(asr.sherpa_model, folder)),
    }
    told: dict[str, tuple[str, Callable[[], Path | None]]] = {
        "pyannote": (diarization.model, lambda: find_pipeline(diarization.model, folder)),
        "pyannote_onnx": (diarization.model, lambda: find_exported(diarization.model, folder)),
        "sherpa_onnx": (diarization.sherpa_model, lambda: sherpa.find_networks(diarization.sherpa_model, folder)),
    }
    named = [engines[name] for engines, name in ((wanted, asr.engine), (told, diarization.engine)) if name in engines]
    return [Path(model).name for model, find in named if not find()]


def hub_is_there(settings: Settings) -> bool:
    """Whether the model hub answers, as remembered beside the models, which the command and the service share."""
    return hub_answers(settings.models.hub_url, settings.models_dir / ".hub.json")
