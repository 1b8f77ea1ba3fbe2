"""What this installation can and cannot do, found out without loading a model or changing anything but a cache."""

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from adapters.media.av import AvDecoder
from infrastructure.engine_choice import Choice, choose_asr, choose_diarizer, installed
from infrastructure.settings import Settings

_LITTLE_SPACE = 5 << 30
"""Bytes; an eight-hour recording takes up to 3 GB while it is worked on, when its channels are split."""
_SAFE_SQLITE = (3, 51, 3)
"""Older ones can corrupt a database when a checkpoint races a write; the single writer avoids that."""


_MODULES = {
    "faster_whisper": "faster_whisper", "pocketsphinx": "pocketsphinx", "acoustic": "sklearn",
    "sherpa_onnx": "sherpa_onnx", "pyannote": "pyannote.audio",
}  # fmt: skip
"""What an engine cannot do without."""
_EXTRAS = {"pyannote.audio": "pip install -c constraints.txt -c constraints-engines.txt -e '.[pyannote]'"}
"""How to install what works with few versions of others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: `ok`, `warn` for what can be lived with, or `fail`; and one line on how to mend it."""

    state: Literal["ok", "warn", "fail"]
    part: str
    found: str
    fix: str = ""


def examine_installation(settings: Settings) -> list[Finding]:
    """Return the findings, most basic first."""
    asr, diarizer = choose_asr(settings), choose_diarizer(settings)
    return [
        Finding("ok", "python", f"{platform.python_version()} at {sys.executable}"),
        Finding("ok", "cores", f"{os.cpu_count()}"),
        *_folder(settings.data),
        _sqlite(),
        _package("av", "decodes recordings", "fail"),
        _package("onnxruntime", "runs the voice activity detector", "fail"),
        _package("faster-whisper", "recognises about a hundred languages, with weights", "warn"),
        _package("pocketsphinx", "recognises English, its model included", "warn"),
        _package("scikit-learn", "tells speakers apart", "fail"),
        _package("pyannote.audio", "tells speakers apart, with weights; an extra of 6 GB", "warn"),
        _package("sherpa-onnx", "recognises speech and tells speakers apart, with ungated weights", "warn"),
        _confinement(),
        *_engine("recognition", "ASR_ENGINE", settings.asr.engine, asr),
        *_engine("diarization", "DIARIZATION_ENGINE", settings.diarization.engine, diarizer),
    ]


def _folder(path: Path) -> Iterator[Finding]:
    existing = next(parent for parent in (path, *path.parents) if parent.is_dir())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        yield Finding("fail", "data folder", f"{path}: {error.strerror}", "set DATA_DIR to a folder of yours")
        return
    free = shutil.disk_usage(existing).free
    yield Finding(
        "ok" if free > _LITTLE_SPACE else "warn", "data folder", f"{path}, {free >> 30} GiB free",
        "" if free > _LITTLE_SPACE else "set DATA_DIR to a larger volume",
    )  # fmt: skip


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info >= _SAFE_SQLITE:
        return Finding("ok", "sqlite", sqlite3.sqlite_version)
    return Finding("ok", "sqlite", f"{sqlite3.sqlite_version}; older than 3.51.3, so one connection does all writing")


def _package(name: str, purpose: str, otherwise: Literal["warn", "fail"]) -> Finding:
    try:
        return Finding("ok", name, f"{version(name)}; {purpose}")
    except PackageNotFoundError:
        return Finding(otherwise, name, f"not installed; {purpose}", _EXTRAS.get(name, f"pip install {name}"))


def _confinement() -> Finding:
    layers = AvDecoder().confinement()
    absent = [name for name, held in layers.items() if not held]
    if layers and not absent:
        return Finding("ok", "decoder's cage", ", ".join(layers))
    why = f"this kernel does not grant: {', '.join(absent)}" if layers else "the decoder does not start"
    return Finding("warn" if layers else "fail", "decoder's cage", why, "use a newer kernel, or no container")


def _engine(part: str, setting: str, wanted: str, choice: Choice) -> Iterator[Finding]:
    module = _MODULES.get(choice.engine)
    if module is not None and not installed(module):
        fix = _EXTRAS.get(module, f"pip install {module.replace('_', '-')}")
        yield Finding("fail", part, f"{setting}={wanted} needs {module}", fix)
        return
    yield Finding("warn" if choice.fix else "ok", part, f"{choice.engine}: {choice.reason}", choice.fix)
