"""What NVIDIA's driver tells of this machine's GPUs, where there is one: no figure is worth an error."""

import threading
from dataclasses import dataclass
from typing import Any

import structlog

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU by the driver's number, which `CUDA_VISIBLE_DEVICES` does not change: bytes, and its load from 0 to 1."""

    index: str
    used: int
    total: int
    load: float


class Gpus:
    """Asks the driver, by NVML, and gives what it says; nothing where there is none. It is found once or never."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._vendor: Any = None
        self._looked = False

    def __call__(self) -> list[Gpu]:
        """Return what there is; takes a millisecond a GPU."""
        with self._asking:
            vendor = self._found()
            if vendor is None:
                return []
            try:
                return [_look(vendor, index) for index in range(vendor.nvmlDeviceGetCount())]
            except vendor.NVMLError as error:  # one that has fallen off the bus, say
                _log.debug("gpus_unseen", error=str(error))
                return []

    def _found(self) -> Any:  # noqa: ANN401 - the vendor's module has no types
        if not self._looked:
            self._looked = True
            try:
                import pynvml

                pynvml.nvmlInit()
                self._vendor = pynvml
            except Exception as error:  # noqa: BLE001 - no driver, or an older one: both are common
                _log.debug("gpus_unknown", error=str(error))
        return self._vendor


def _look(vendor: Any, index: int) -> Gpu:  # noqa: ANN401 - as above
    handle = vendor.nvmlDeviceGetHandleByIndex(index)
    memory = vendor.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(str(index), memory.used, memory.total, vendor.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
