"""What a parent and its engine child say to each other, as pickles; nothing here does any work.

The parent sends the pickled adapter first and then one `Call` at a time. The child answers the adapter with `Ready`
(or `Failed`), and each call with `Taken`, any number of `Progress` and one `Done` or `Failed`. `Loaded` comes before
the answer in which the loading was done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.errors import ColloquyError

STICKY_ERROR_EXIT = 86
"""Exit code of a child that met a CUDA error after which every later call in the same process would fail too."""


@dataclass(frozen=True, slots=True)
class Call:
    """Asks for a method of the adapter; a progress sink is put behind `arguments`.

    `context` names the request and the task that it is for, for the child's log.
    """

    method: str
    arguments: tuple[object, ...]
    context: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """The adapter is there; `loaded` says that it has brought its default model into memory, as was asked for."""

    loaded: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """The adapter has brought a model into memory, which took so many seconds."""

    model: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Taken:
    """The call has arrived and its work begins: a child that dies without saying so died of something else."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The done fraction of the current call, 0 to 1: the only sign of life that counts."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Done:
    """The call's result, and the last fraction it reported."""

    result: object
    fraction: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The call's error as the caller shall see it; `trace` is the child's traceback, for the log alone."""

    error: ColloquyError
    trace: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the parent makes of a call: its result, and a sentence for each thing the engine did without for memory."""

    result: object
    degraded: tuple[str, ...]


Message = Ready | Loaded | Taken | Progress | Done | Failed
