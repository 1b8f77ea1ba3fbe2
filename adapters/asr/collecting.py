"""A window's answer, put together while it is heard: errors of the vendor become ours, the sink's stay its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from adapters.asr.listening import Listener
from adapters.asr.packs import Pack
from adapters.asr.writing import Written
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, EngineFailed
from domain.transcript import Recognition

_OUT_OF_MEMORY = ("out of memory", "alloc_failed", "bad alloc", "bad_alloc", "failed to allocate", "cannot allocate")


@contextmanager
def translated(otherwise: ColloquyError) -> Iterator[None]:
    """Raise `otherwise` for whatever the vendor raises, but say it where memory ran out."""
    try:
        yield
    except Exception as exc:
        if isinstance(exc, MemoryError) or any(text in str(exc).lower() for text in _OUT_OF_MEMORY):
            raise EngineFailed("faster-whisper ran out of memory", code="out_of_memory") from exc
        raise otherwise from exc


def collected(listener: Listener, heard: Sequence[Pack], report: ProgressSink) -> Recognition:
    """Let the listener hear every pack, and report after each, and on the way there."""
    total, done = sum(pack.duration for pack in heard), 0
    parts: list[Written] = []
    found = listener.hear(heard)
    while step := _next(found):
        number, part = step
        if part is not None:
            parts.append(part)
            done += heard[number].duration
        report(done / total)
    return Recognition(
        segments=tuple(segment for part in parts for segment in part.segments),
        suspects=tuple(suspect for part in parts for suspect in part.suspects),
        language=listener.language,
        language_probability=listener.probability,
    )


def _next(found: Iterator[tuple[int, Written | None]]) -> tuple[int, Written | None] | None:
    with translated(EngineFailed("faster-whisper failed while decoding")):
        return next(found, None)
