"""Which models there are, what they can do, and where they stand: known, on this machine, in memory.

Nothing is loaded to find out, and no path of this machine is told.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from application.ports.asr import EngineCapabilities, TranscriptionEngine
from application.ports.diarization import DiarizationEngine

_ABILITIES = ("word_timestamps", "detects_language", "translation", "initial_prompt", "hotwords")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedModel:
    """A model as it stands in the catalogue or lies in the models folder.

    `absent` is empty, or why its weights are not here and cannot be had; `size` are bytes, None when not known.
    """

    name: str
    kind: str
    engine: str
    here: bool
    absent: str = ""
    size: int | None = None
    licence: str = ""
    languages: frozenset[str] = frozenset()
    non_commercial: bool = False
    gated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model as a caller sees it.

    `usable` says that a request may name it; `configured` that it is taken when none is named. `abilities`, `device`
    and what `languages` a request may ask for are the engine's in use, so others have none. `reason` says why a model
    cannot be used.
    """

    shelved: ShelvedModel
    configured: bool = False
    usable: bool = False
    loaded: bool = False
    device: str | None = None
    languages: tuple[str, ...] | None = None
    abilities: tuple[str, ...] = ()
    reason: str = ""


class ListModels:
    """Puts together what the engines in use say of themselves, what lies here, and what is in memory.

    `in_memory` gives the loaded models by kind and name.
    """

    def __init__(
        self,
        *,
        asr: TranscriptionEngine,
        diarizer: DiarizationEngine,
        shelf: Callable[[], Sequence[ShelvedModel]],
        in_memory: Callable[[], Collection[tuple[str, str]]],
    ) -> None:
        self._asr = asr
        self._diarizer = diarizer
        self._shelf = shelf
        self._in_memory = in_memory

    def devices(self) -> tuple[str, ...]:
        """Name what the engines in use compute on; loads nothing and looks at no folder."""
        return self._asr.capabilities().device, self._diarizer.capabilities().device

    def __call__(self) -> list[ModelView]:
        """List them, those in use first; blocks for as long as looking at the models folder takes."""
        shelf = {(model.kind, model.engine, model.name): model for model in self._shelf()}
        loaded = self._in_memory()
        heard, told = self._asr.capabilities(), self._diarizer.capabilities()
        used = [("asr", heard.engine, name, heard.device) for name in heard.models]
        used.append(("diarization", told.engine, told.model, told.device))
        views = []
        for kind, engine, name, device in used:
            shelved = shelf.pop((kind, engine, name), None)
            views.append(
                ModelView(
                    shelved=shelved or ShelvedModel(name=name, kind=kind, engine=engine, here=device != "remote"),
                    configured=kind == "diarization" or name == heard.models[0],
                    usable=shelved is None or not shelved.absent,
                    loaded=(kind, name) in loaded,
                    device=device,
                    languages=tuple(sorted(heard.languages)) if kind == "asr" and heard.languages else None,
                    abilities=_abilities(heard) if kind == "asr" else (),
                    reason=shelved.absent if shelved else "",
                )
            )
        in_use = {"asr": heard.engine, "diarization": told.engine}
        views += [ModelView(shelved=model, reason=_why_not(model, in_use)) for model in shelf.values()]
        return views


def _abilities(engine: EngineCapabilities) -> tuple[str, ...]:
    return tuple(ability for ability in _ABILITIES if getattr(engine, ability))


def _why_not(model: ShelvedModel, in_use: dict[str, str]) -> str:
    if model.engine != in_use[model.kind]:
        return f"{in_use[model.kind]} is in use"
    return model.absent or "it is not the one that is configured"
