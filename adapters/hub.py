"""Fetching a model of the catalogue from the model hub: resumed, checked, and whole or not there at all.

Only those who are allowed to download call it; a token is shown to the hub for gated models alone.
"""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from adapters.catalogue import Weights
from adapters.catalogue.shelf import find
from application.ports.system import ProgressSink
from domain.errors import EngineUnavailable

Report = Callable[[int, int | None], None]
"""Hears the bytes that have arrived, and the bytes of the whole once they are known."""

SHARE = 0.1
"""The part of a call's progress that fetching makes; sizes are known beforehand, the time for the rest is not."""
PATIENCE_SECONDS = 60.0
"""Without a new byte for this long the hub counts as gone; left alone, its client tries again for many minutes."""
_BEAT_SECONDS = 0.5
_SPARE_BYTES = 64 << 20
"""Left free on the volume: a disk that is filled to the last byte stops the service beside it."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, and what its models may be had for; `token` is empty or belongs to an account that took the licences."""

    url: str = "https://huggingface.co"
    token: str = field(default="", repr=False)
    allow_non_commercial: bool = False


def fetch(weights: Weights, models_dir: Path, hub: Hub, report: Report, *, again: bool = False) -> Path:
    """Download a model into a directory of its name in `models_dir`, and return that directory.

    What an interrupted download left is taken up again. A file is kept only if it has the digest of the catalogue, or
    else the one that the hub states; the directory has its name only once it is whole. `again` replaces one that is
    there. The calling thread reports, and what the sink raises ends the call, though not the client's own thread.

    Raises:
        EngineUnavailable: the hub does not answer, refuses, or has something else; or it cannot be stored.
    """
    from adapters.hub_client import Download

    refuse_licence(weights, hub)
    final = models_dir / weights.name
    if not again and final.exists() and find(weights, models_dir) is None:
        raise EngineUnavailable(f"there is a directory '{weights.name}' that is not whole: finish or remove it")
    download = Download(weights, final, hub, again=again)
    _have_room(weights, download.partial)
    download.start()
    arrived, since = -1, time.monotonic()
    while download.is_alive():
        download.join(_BEAT_SECONDS)
        if (size := size_of(download.partial)) != arrived or download.busy:
            arrived, since = size, time.monotonic()
        elif time.monotonic() - since > PATIENCE_SECONDS:
            raise EngineUnavailable(f"the hub has stopped sending model '{weights.name}'")
        report(arrived, download.total)
    if download.failure is not None:
        with contextlib.suppress(OSError):  # it holds something to take up again
            download.partial.rmdir()
        if isinstance(download.failure, EngineUnavailable):
            raise download.failure
        raise _explained(weights, hub, download.failure, download.partial) from download.failure
    return final


def scaled(on_progress: ProgressSink) -> Report:
    """Make a report that tells an engine's sink of its call's progress, of which fetching makes the first part."""

    def report(arrived: int, total: int | None) -> None:
        on_progress(SHARE * min(1.0, arrived / total) if total else 0.0)

    return report


def refuse_licence(weights: Weights, hub: Hub) -> None:
    """Stop before weights that may not be used for money, unless somebody has said that they are not.

    Raises:
        EngineUnavailable: they are non-commercial, and nobody has.
    """
    if weights.non_commercial and not hub.allow_non_commercial:
        raise EngineUnavailable(
            f"the licence of '{weights.name}' ({weights.licence}) forbids commercial use: "
            "set MODELS_ALLOW_NON_COMMERCIAL=true if yours is not"
        )


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder; files and folders may come and go while they are counted."""
    size = 0
    for place, _, names in os.walk(folder):  # which leaves out what it cannot read, and `rglob` does not
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += (Path(place) / name).stat().st_size
    return size


def _have_room(weights: Weights, partial: Path) -> None:
    """Refuse before the first byte what will not fit."""
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(partial.parent).free
    except OSError as exc:
        raise EngineUnavailable(f"model '{weights.name}' cannot be stored: {exc.strerror}") from exc
    needed = (weights.size or 0) - size_of(partial) + _SPARE_BYTES
    if free < needed:
        raise EngineUnavailable(
            f"model '{weights.name}' needs {needed / 1e6:,.0f} MB of disk, and {free / 1e6:,.0f} MB are free"
        )


def _explained(weights: Weights, hub: Hub, failure: Exception, partial: Path) -> EngineUnavailable:
    """Say in one sentence what went wrong, and give back the disk if it was full."""
    from adapters.hub_client import status_of

    name, status = f"model '{weights.name}'", status_of(failure)
    if isinstance(failure, OSError) and failure.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        shutil.rmtree(partial, ignore_errors=True)
        return EngineUnavailable(f"{name} could not be stored: the disk is full; what had come is removed")
    if status in {401, 403} and weights.gated:
        fix = "accept its licence there with that account" if hub.token else "set MODELS_HUB_TOKEN"
        return EngineUnavailable(f"{name} is gated, and the hub answered {status}: {fix} ({weights.repository})")
    if status is not None:
        return EngineUnavailable(f"{name} could not be downloaded: the hub answered {status}")
    return EngineUnavailable(f"{name} could not be downloaded from the hub: no answer ({type(failure).__name__})")
