"""An event as a line for people; what needs more lines, a trace say, follows on lines that no event begins like."""

from infrastructure.logs.escaping import one_line
from infrastructure.logs.event import TRACE, Event

_PLAIN, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_WIDTH = 30


class ConsoleLines:
    """Writes events for people, in colours if they see them."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, event: Event) -> str:
        """Return the line, and the trace below it, without its end."""
        fields = dict(event)
        when, level = fields.pop("timestamp", ""), str(fields.pop("level", "info"))
        what, trace = one_line(str(fields.pop("event", ""))), fields.pop(TRACE, "")
        said = " ".join(f"{name}={self._shown(value)}" for name, value in fields.items())
        line = (
            f"{self._in(_DIM, str(when))} [{self._in(_COLOURS.get(level, _PLAIN), f'{level:<9}')}] "
            f"{self._in(_BOLD, f'{what:<{_WIDTH}}')} {said}"
        ).rstrip()
        return "\n".join([line, *(f"    | {one_line(below)}" for below in str(trace).splitlines())])

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours else text

    def _shown(self, value: object) -> str:
        text = value if isinstance(value, str) else str(value)
        # Two fields cannot be taken for one, nor one for two.
        return repr(text) if text == "" or any(mark in text for mark in " ='\"\n\t") else text
