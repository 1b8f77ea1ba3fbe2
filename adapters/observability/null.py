"""Numbers that nobody asks for."""

from application.ports.metrics import Metrics
from domain.stage import Stage
from domain.task import TaskStatus


class NullMetrics(Metrics):
    """Forgets everything at once."""

    def request_began(self) -> None:
        """Forget it."""

    def request_ended(self) -> None:
        """Forget it."""

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Forget it."""

    def turned_away(self, zone: str) -> None:
        """Forget it."""

    def loop_late(self, seconds: float) -> None:
        """Forget it."""

    def stage_ran(self, stage: Stage, *, audio_ms: int) -> None:
        """Forget it."""

    def task_ended(self, status: TaskStatus) -> None:
        """Forget it."""

    def model_loaded(self, engine: str, model: str, seconds: float) -> None:
        """Forget it."""

    def did_with_less(self, engine: str, step: int) -> None:
        """Forget it."""

    def engine_replaced(self, engine: str, cause: str) -> None:
        """Forget it."""

    def webhook_attempted(self, outcome: str) -> None:
        """Forget it."""
