"""The port to the numbers of a process: what happened in it, for somebody elsewhere who adds it up."""

from abc import abstractmethod
from typing import Protocol

from domain.stage import Stage
from domain.task import TaskStatus


class Metrics(Protocol):
    """Takes note of what happens. No call waits or fails, whatever it is given; any thread may call.

    Words are this program's own or come from its configuration, so that they are few: never an id, a path as it was
    asked for, an owner, or a name that a caller chose. An adapter must hold even if one slips through. What a restart
    of the process would make a lie of is not noted here but counted in the database: `CounterRepository`.
    """

    @abstractmethod
    def request_began(self) -> None:
        """A request is being answered; `request_ended` follows."""

    @abstractmethod
    def request_ended(self) -> None:
        """One of those is over."""

    @abstractmethod
    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """An answer began, so long after its request; `route` is the path's template, empty where none matched."""

    @abstractmethod
    def turned_away(self, zone: str) -> None:
        """A request was one too many in its zone."""

    @abstractmethod
    def loop_late(self, seconds: float) -> None:
        """The event loop came back so much later than it was asked to."""

    @abstractmethod
    def stage_ran(self, stage: Stage, *, audio_ms: int) -> None:
        """A stage did its work, on so much audio."""

    @abstractmethod
    def task_ended(self, status: TaskStatus) -> None:
        """A task that this process worked on came to its end."""

    @abstractmethod
    def model_loaded(self, engine: str, model: str, seconds: float) -> None:
        """An engine brought a model into memory, which took so long."""

    @abstractmethod
    def did_with_less(self, engine: str, step: int) -> None:
        """An engine went down to that step, the first is 1, because memory had run out."""

    @abstractmethod
    def engine_replaced(self, engine: str, cause: str) -> None:
        """An engine's process was ended to be replaced, or was found dead."""

    @abstractmethod
    def webhook_attempted(self, outcome: str) -> None:
        """A webhook was sent: `delivered`, `failed` or `given_up`."""
