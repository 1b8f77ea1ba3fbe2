"""How the place stands where work is done, looked at whenever somebody scrapes: slots, devices, memory, GPUs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from adapters.observability import catalogue
from adapters.observability.gpus import Gpu
from adapters.observability.whole import labelled


class Workplace(Collector):
    """Asks what it was made of.

    `busy` of `slots` slots; the `devices` in use and those that are `out` of service; the bytes of each process; GPUs.
    """

    def __init__(
        self,
        *,
        slots: int,
        busy: Callable[[], int],
        devices: Callable[[], Collection[str]],
        out: Callable[[], Collection[str]],
        memory: Callable[[], Mapping[str, int]],
        gpus: Callable[[], Sequence[Gpu]],
    ) -> None:
        self._slots = slots
        self._busy = busy
        self._devices = devices
        self._out = out
        self._memory = memory
        self._gpus = gpus

    def collect(self) -> Iterator[Metric]:
        """Look."""
        busy, out = self._busy(), self._out()
        yield labelled(catalogue.SLOTS, {"busy": busy, "free": max(0, self._slots - busy)})
        yield labelled(catalogue.DEVICE_OUT, {device: device in out for device in {*self._devices(), *out}})
        yield labelled(catalogue.MEMORY, self._memory())
        if seen := self._gpus():
            yield labelled(catalogue.GPU_USED, {gpu.index: gpu.used for gpu in seen})
            yield labelled(catalogue.GPU_TOTAL, {gpu.index: gpu.total for gpu in seen})
            yield labelled(catalogue.GPU_LOAD, {gpu.index: gpu.load for gpu in seen})
