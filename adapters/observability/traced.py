"""A port whose calls are spans: whatever implements it, and without its knowing."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from application.ports.tracing import Attribute, Tracer


class Traced:
    """Stands before `inner`; of its methods, those that `spans` names are spans of that name, the others pass.

    `about` gives the attributes of each. Methods that return streams must not be named: a span that is left in the
    middle of one would be the current one for whoever reads.
    """

    def __init__(
        self,
        inner: object,
        tracer: Tracer,
        spans: Mapping[str, str],
        about: Callable[[], Mapping[str, Attribute]] = dict,
    ) -> None:
        self._inner = inner
        self._tracer = tracer
        self._spans = spans
        self._about = about

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Whoever asks which adapter it is, means the one inside."""
        return type(self._inner)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - it is whatever the port says
        method = getattr(self._inner, name)
        span = self._spans.get(name)
        if span is None:
            return method
        return self._awaited(span, method) if inspect.iscoroutinefunction(method) else self._called(span, method)

    def _called(self, span: str, method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            with self._tracer.span(span) as here:
                here.note(**self._about())
                return method(*arguments, **named)

        return call

    def _awaited(self, span: str, method: Callable[..., Any]) -> Callable[..., object]:
        async def call(*arguments: object, **named: object) -> object:
            with self._tracer.span(span) as here:
                here.note(**self._about())
                return await method(*arguments, **named)

        return call
