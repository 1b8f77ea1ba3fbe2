"""What an engine's children go through, noted under the engine's name.

It must not decide anything.
"""

from application.ports.metrics import Metrics


class Notes:
    """Passes on what happens to `metrics`; to nobody where there are none."""

    def __init__(self, engine: str = "", metrics: Metrics | None = None) -> None:
        self._engine = engine
        self._metrics = metrics

    def loaded(self, loads: list[tuple[str, float]]) -> None:
        """Note the models that a child has loaded, with the seconds, and empty the list."""
        while loads:
            model, seconds = loads.pop(0)
            if self._metrics is not None:
                self._metrics.model_loaded(self._engine, model, seconds)

    def did_with_less(self, step: int) -> None:
        """Note a step down for want of memory."""
        if self._metrics is not None:
            self._metrics.did_with_less(self._engine, step)

    def replaced(self, cause: str) -> None:
        """Note that a child ended before its time."""
        if self._metrics is not None:
            self._metrics.engine_replaced(self._engine, cause)
