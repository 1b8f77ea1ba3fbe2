"""How an engine child is run: what it inherits, how patient its parent is, when it is replaced.

It must not read the environment of this process: the container says what a child may see.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_EXPRESS_SECONDS = 60.0
"""Long enough for the next short recording of a burst, too short for its memory to be missed elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """How an engine child is run.

    `environment` is all that the child inherits; a CUDA engine needs its library paths there, and no secret belongs in
    it. `threads` sizes the OpenMP and BLAS pools; None leaves that to the libraries. `preload` loads an adapter that
    has a `load()` method before its first call.

    `stall_seconds` without progress end a child; a call that has made longer pauses before may take ten times its
    usual one, and so may one that computes on the CPU. After `max_calls`, or when a call leaves it with over
    `max_memory` bytes of its own (mapped files do not count), the child is replaced. After `idle_seconds` without a
    call it is ended: 0 is at once after each call, None is never. An engine that did with less for want of memory is
    tried as it was configured after `reduced_seconds`.

    So many calls as `concurrency` says run at once, each in a child of its own. A call of a short recording may have
    one more where a child needs no more than `express_memory` bytes; 0 is never.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    downloads: bool = False
    preload: bool = False
    stall_seconds: float = 120.0
    max_calls: int | None = None
    max_memory: int | None = None
    idle_seconds: float | None = None
    reduced_seconds: float = 600.0
    reducible: bool = True
    concurrency: int = 1
    express_memory: int = 0

    def for_express(self) -> "Hosting":
        """Give the policy of a child that is only there while others are busy, and must not do with less for memory."""
        idle = _EXPRESS_SECONDS if self.idle_seconds is None else min(self.idle_seconds, _EXPRESS_SECONDS)
        return replace(self, idle_seconds=idle, max_memory=self.express_memory, reducible=False)

    def worn(self, calls: int, memory: int) -> bool:
        """Whether a child that has done so many calls, and holds so many bytes, is to be replaced."""
        too_old = self.max_calls is not None and calls >= self.max_calls
        return too_old or (self.max_memory is not None and memory > self.max_memory)

    def child_environment(self) -> dict[str, str]:
        """Give the child's whole environment; what keeps it quiet and offline cannot be overridden."""
        pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        search = [str(_ROOT), *filter(None, [self.environment.get("PYTHONPATH")])]
        return {
            **self.environment,
            **({} if self.threads is None else dict.fromkeys(pools, str(self.threads))),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            # Else ONNX Runtime writes to its makers as soon as it is imported, whatever it is told afterwards.
            "ORT_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0" if self.downloads else "1",
            "PYANNOTE_METRICS_ENABLED": "0",
            "PYTHONPATH": os.pathsep.join(search),
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
