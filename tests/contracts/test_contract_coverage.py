"""Every adapter is bound to the contract of its port; one that is not fails here by name."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest

import adapters
import tests.adapters
from application.ports.voice_activity import VoiceActivityDetector
from tests.contracts.suite import BINDINGS

pytestmark = pytest.mark.timeout(60)  # everything there is gets imported
ELSEWHERE: set[str] = {
    "adapters.asr.sherpa.SherpaOnnxEngine",
    "adapters.diarization.pyannote.PyannoteDiarizer",
    "adapters.diarization.sherpa.SherpaOnnxDiarizer",
}
"""Adapters that only an extra can run: bound in `tests/engines`, where a test holds this list against the bindings."""

EXTRAS = {"onnx", "pyannote", "sherpa_onnx", "torch", "yaml"}
"""What only the extras install: a module that needs one of them is walked by `make test-engines`."""


def adapter_modules() -> list[ModuleType]:
    found = []
    for module in pkgutil.walk_packages(adapters.__path__, "adapters."):
        try:
            found.append(importlib.import_module(module.name))
        except ModuleNotFoundError as exc:
            if exc.name not in EXTRAS:
                raise
    return found


def bind_all() -> None:
    """Import every module of bindings, which is what fills BINDINGS."""
    for path in sorted(Path(next(iter(tests.adapters.__path__))).glob("test_*.py")):
        importlib.import_module(f"tests.adapters.{path.stem}")


def implementations(modules: Iterable[ModuleType]) -> set[type]:
    """Concrete classes, defined in these modules, that have a port among their bases."""
    return {
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and not inspect.isabstract(kind)
        if any(is_port(base) for base in kind.__mro__[1:])
    }


def is_port(kind: type) -> bool:
    return getattr(kind, "_is_protocol", False) and kind.__module__.startswith("application.ports.")


def names(kinds: Iterable[type]) -> list[str]:
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)


def test_every_adapter_is_bound_to_its_contract() -> None:
    bind_all()
    found = implementations(adapter_modules())
    assert len(found) > 10, "the walk found next to nothing, so it proves nothing"
    assert set(names(found)) >= ELSEWHERE
    assert set(names(found - BINDINGS)) <= ELSEWHERE


def test_an_unbound_adapter_is_noticed() -> None:
    module = ModuleType("adapters.stray")

    class Helper: ...

    class Unfinished(VoiceActivityDetector, Protocol): ...

    class Stray(VoiceActivityDetector):
        def speech(self, audio: object, on_progress: object) -> object: ...  # type: ignore[override]

    class Child(Stray): ...

    class Borrowed(Stray): ...

    for kind in (Helper, Unfinished, Stray, Child):
        kind.__module__ = module.__name__
    for kind in (Helper, Unfinished, Stray, Child, Borrowed):
        setattr(module, kind.__name__, kind)
    assert implementations([module]) - BINDINGS == {Stray, Child}
