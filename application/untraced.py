"""Where nothing is traced: spans that cost nothing and tell nobody."""

from contextlib import AbstractContextManager, nullcontext

from application.ports.tracing import Attribute, Side, Span, Tracer


class Untraced(Tracer, Span):
    """The tracer, and its only span."""

    @property
    def traceparent(self) -> str:
        """None."""
        return ""

    def note(self, **_: Attribute) -> None:
        """Forget it."""

    def rename(self, name: str) -> None:
        """Forget it."""

    def span(
        self,
        name: str,  # noqa: ARG002 - the port's
        *,
        side: Side = "inside",  # noqa: ARG002
        parent: str = "",  # noqa: ARG002
        **_: Attribute,
    ) -> AbstractContextManager[Span]:
        """Do the work."""
        return nullcontext(self)

    def close(self) -> None:
        """There is nothing to send."""


UNTRACED = Untraced()
