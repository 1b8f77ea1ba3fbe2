"""From what a call site says to what may be written: plain values, an error's trace without locals, no secrets.

Every line passes here, our own and those of libraries; how it looks in the end is for `ecs` and `console`.
"""

import traceback
from collections.abc import Mapping
from typing import Any

from infrastructure.logs.escaping import lines, one_line
from infrastructure.logs.masking import MASK, Mask, is_secret

Event = dict[str, Any]
TRACE = "trace"
SAID = "output"
_MULTILINE = frozenset({TRACE, SAID})
_OURS = frozenset({"timestamp", "level", "route", "client", "owner", "task_id", "trace_id", "span_id"})
"""What we make up or have parsed ourselves: looking for secrets there would double what a request's line costs."""
_LONGEST = 8_000
"""Characters of one value; of a trace, its end is what counts."""
_READ = 4 * _LONGEST
"""What is looked at for secrets, so that none is cut in two and passes."""
_DEPTH = 4
_LARGEST = 2**63 - 1


def told(event: Mapping[str, Any], mask: Mask) -> Event:
    """Return what may be written of the event; None stays out."""
    fields = {**event, **_failure(event)} if event.get("exc_info") else dict(event)
    fields.pop("exc_info", None)
    return {
        one_line(name): MASK if value and is_secret(name) and isinstance(value, str) else _plain(name, value, mask, 0)
        for name, value in fields.items()
        if value is not None
    }


def _failure(event: Mapping[str, Any]) -> Event:
    """Return the error's type, words and trace; whoever names one of these keeps it."""
    error = event["exc_info"]
    if isinstance(error, tuple):
        error = error[1]
    if not isinstance(error, BaseException):
        return {}
    # No locals: they hold keys, names, and what people have said.
    trace = "".join(traceback.format_exception(error))
    found: Event = {"error_type": type(error).__name__, "error": str(error), TRACE: trace}
    return {name: value for name, value in found.items() if name not in event}


def _plain(name: str, value: object, mask: Mask, depth: int) -> Any:  # noqa: ANN401 - what JSON has
    match value:
        case str() if name in _OURS:
            return one_line(value)
        case int() if abs(value) > _LARGEST:  # more than JSON's writers take for a number
            return str(value)
        case bool() | int() | float():
            return value
        case Mapping() if depth < _DEPTH:
            return {
                one_line(str(key)): MASK
                if is_secret(str(key)) and isinstance(item, str | bytes)
                else _plain(str(key), item, mask, depth + 1)
                for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < _DEPTH:
            return [_plain(name, item, mask, depth + 1) for item in value]
        case _:
            return _masked(_text(value), mask, whole=name in _MULTILINE)


def _masked(text: str, mask: Mask, *, whole: bool) -> str:
    return lines(mask.text(text[-_READ:])[-_LONGEST:]) if whole else one_line(mask.text(text[:_READ])[:_LONGEST])


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - whatever it cannot say must not stop what is being said
        return f"<{type(value).__name__}: {type(error).__name__}>"
