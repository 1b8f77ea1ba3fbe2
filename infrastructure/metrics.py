"""Where numbers are shown, and what those of a worker are looked up in: slots, engines' processes, devices."""

import os
import shutil
from collections.abc import Callable, Sequence

from adapters.hosting.devices import Devices, canonical
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hosting.usage import resident_of
from adapters.observability.gpus import Gpus
from adapters.observability.listener import Listener
from adapters.observability.workplace import Workplace
from application.process_task import ProcessTask
from infrastructure.engines import Hosts
from infrastructure.settings import Settings


def make_workplace(
    settings: Settings,
    *,
    process_task: ProcessTask,
    hosts: Hosts,
    devices: Devices,
    engines: Sequence[HostedTranscriptionEngine | HostedDiarizationEngine],
) -> Workplace:
    """Return what looks at them whenever somebody scrapes."""

    def in_use() -> set[str]:
        return {canonical(engine.capabilities().device) for engine in engines}

    def memory() -> dict[str, int]:
        return {"parent": resident_of(os.getpid()), **hosts.resident()}

    return Workplace(
        slots=settings.max.workers,
        busy=lambda: process_task.busy,
        devices=in_use,
        out=devices.out_of_service,
        memory=memory,
        gpus=Gpus(),
    )


def show_at(settings: Settings, text: Callable[[], bytes]) -> Listener:
    """Show what `text` gives where the settings say, until it is stopped.

    Raises:
        SystemExit: METRICS_PORT is taken.
    """
    host, port = settings.metrics.host, settings.metrics.port
    try:
        return Listener(host, port, text).start()
    except OSError as error:
        raise SystemExit(f"colloquy: METRICS_PORT: cannot listen on {host}:{port}: {error.strerror}") from error


def measure_volumes(settings: Settings) -> dict[str, tuple[int, int]]:
    """Return the free bytes, and all, of the volumes of the data folder and of the blobs; blocking."""
    folders = {"data": settings.data} | ({} if settings.bucket else {"blobs": settings.blob_dir})
    volumes = {name: shutil.disk_usage(folder) for name, folder in folders.items() if folder.is_dir()}
    return {name: (volume.free, volume.total) for name, volume in volumes.items()}
