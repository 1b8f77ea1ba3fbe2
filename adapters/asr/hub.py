"""Fetching a named model's weights from the model hub; only engines that are allowed to download call it."""

import contextlib
import functools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from adapters.asr.weights import FILES
from adapters.catalogue import CATALOGUE
from application.ports.system import ProgressSink
from domain.errors import EngineUnavailable

if TYPE_CHECKING:
    from huggingface_hub import DryRunFileInfo

SHARE = 0.1
"""The part of a call's progress that fetching makes; sizes are known beforehand, the time for the rest is not."""
PATIENCE_SECONDS = 60.0
"""Without a new byte for this long the hub counts as gone; left alone, its client tries again for many minutes."""
_BEAT_SECONDS = 0.5


def fetch_weights(model: str, models_dir: Path, hub_url: str, on_progress: ProgressSink) -> Path:
    """Download the weights of one of `weights.MODELS` into `models_dir` and return their directory.

    What an interrupted download left is taken up again. The directory has its final name only once it is whole.

    Raises:
        EngineUnavailable: the hub does not answer or does not have them, or they cannot be stored.
    """
    import structlog

    structlog.get_logger().info("downloading model", model=model, repository=CATALOGUE[model].repository, hub=hub_url)
    download = _Download(CATALOGUE[model].repository, models_dir / model, hub_url)
    download.start()
    fraction, arrived, since = 0.0, -1, time.monotonic()
    while download.is_alive():
        download.join(_BEAT_SECONDS)
        if (size := _size(download.partial)) != arrived:
            arrived, since = size, time.monotonic()
        elif time.monotonic() - since > PATIENCE_SECONDS:
            raise EngineUnavailable(f"the hub has stopped sending model '{model}'")
        fraction = max(fraction, SHARE * min(1.0, arrived / download.total))
        on_progress(fraction)
    if download.failure is not None:
        raise EngineUnavailable(f"model '{model}' could not be downloaded from the hub") from download.failure
    return download.final


class _Download(threading.Thread):
    """The hub's client in a thread of its own: nothing but the end of the process can stop it."""

    def __init__(self, repository: str, final: Path, hub_url: str) -> None:
        super().__init__(daemon=True, name="model-download")
        self.final = final
        self.partial = final.with_name(f".{final.name}.part")
        self.total = float("inf")
        self.failure: Exception | None = None
        self._repository = repository
        self._hub_url = hub_url

    def run(self) -> None:
        """Ask for the sizes, then fetch."""
        from faster_whisper.utils import disabled_tqdm
        from huggingface_hub import snapshot_download

        fetch = functools.partial(
            snapshot_download,
            self._repository,
            local_dir=self.partial,
            endpoint=self._hub_url,
            token=False,  # these models are public: nobody's token leaves the machine
            allow_patterns=[*FILES, "preprocessor_config.json", "vocabulary.*"],
            tqdm_class=disabled_tqdm,
        )
        try:
            plan = cast("list[DryRunFileInfo]", fetch(dry_run=True))
            self.total = max(1, sum(file.file_size or 0 for file in plan))
            fetch(dry_run=False)
            self.partial.rename(self.final)
        except Exception as exc:  # noqa: BLE001 - the thread that waits raises it
            self.failure = exc


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # files move while they are counted
            size += path.stat().st_size
    return size
