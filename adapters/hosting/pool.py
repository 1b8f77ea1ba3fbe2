"""The children of one engine, and who may call them next: short recordings do not wait behind long ones.

It must not know what the calls are about.
"""

from collections.abc import Callable

import structlog

from adapters.hosting.child import EngineChild
from adapters.hosting.conversation import BEAT_SECONDS
from adapters.hosting.devices import Devices
from adapters.hosting.line import Line, Wish
from adapters.hosting.messages import Outcome
from adapters.hosting.notes import Notes
from adapters.hosting.policy import Hosting
from adapters.progress import Rising
from application.ports.system import ProgressSink
from domain.errors import EngineFailed

_MS = 1000


class EnginePool:
    """`hosting.concurrency` children that hold the same engine; a later one is started when the earlier are busy.

    Beside them an express child is started, and ended again when it is idle, while a short recording waits behind a
    call that lasts as long as its recording does, as diarization's. It is one at most; it is not started where the
    calls under way need more memory than `hosting.express_memory`, of which a copy would need about as much, nor on a
    GPU, whose memory is not seen from here. What fails there is repeated in the line, as if it had never been.

    `device` names the device that an adapter computes on. Thread-safe.
    """

    def __init__(
        self,
        adapter: object,
        hosting: Hosting,
        *,
        devices: Devices | None,
        device: Callable[[object], str],
        notes: Notes | None = None,
    ) -> None:
        devices = Devices() if devices is None else devices
        self.children = tuple(
            EngineChild(adapter, hosting, devices=devices, device=device, notes=notes)
            for _ in range(hosting.concurrency)
        )
        self.express = (
            EngineChild(adapter, hosting.for_express(), devices=devices, device=device, notes=notes)
            if hosting.express_memory
            else None
        )
        self._adapter = adapter
        self._device = device
        self._most = hosting.express_memory
        self._line = Line(self.children, beat=BEAT_SECONDS, aside=self.express, spare=self._has_room)
        self._log = structlog.get_logger(engine=type(adapter).__name__)

    def start(self) -> None:
        """Start the children ahead of their first calls, without waiting for them.

        Raises:
            EngineFailed: `worker_crashed`, a process could not be started.
        """
        for child in self.children:
            child.start()

    def close(self) -> None:
        """End the children, each after the call that it may be busy with."""
        for child in (*self.children, *filter(None, [self.express])):
            child.close()

    @property
    def holds(self) -> str | None:
        """The model in the first child that has one: None for none, empty for the adapter's default."""
        return next((held for child in self.children if (held := child.holds) is not None), None)

    @property
    def resident(self) -> int:
        """Bytes of memory that the children take together."""
        return sum(child.resident for child in (*self.children, *filter(None, [self.express])))

    def outcome(
        self,
        method: str,
        *arguments: object,
        on_progress: ProgressSink,
        size: int,
        left: int | None = None,
        model: str = "",
    ) -> Outcome:
        """Have a child do the call, as `EngineChild.outcome` says.

        `size` is the ms of audio in the call, and `left` those which the recording has with it, where it is more.
        """
        report = Rising(on_progress)  # a call that is repeated begins at 0 again

        def line(*, aside: bool) -> Wish:
            return Wish(left=(size if left is None else left) / _MS, size=size / _MS, aside=aside)

        def outcome(child: EngineChild) -> Outcome:
            return child.outcome(method, *arguments, on_progress=report, model=model)

        with self._line.place(line(aside=True), while_waiting=lambda: report(0.0)) as child:
            try:
                return outcome(child)
            except EngineFailed as error:
                if child is not self.express:
                    raise
                self._log.warning("express call failed", call=method, code=error.reason)
        with self._line.place(line(aside=False), while_waiting=lambda: report(0.0)) as child:
            return outcome(child)

    def _has_room(self) -> bool:
        loads = [child.load for child in self.children]
        known = all(load is not None and load <= self._most for load in loads)
        return known and not self._device(self._adapter).startswith("cuda")
