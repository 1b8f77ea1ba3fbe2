"""What answers look like that come piece by piece, written by what really writes them."""

from uuid import UUID

import msgspec

from application.ports.notify import TaskEvent
from domain.task import Phase, TaskId, TaskStatus
from entrypoints.http.event_stream import event, named_event
from entrypoints.http.live import segment_fields, state_fields
from entrypoints.http.sample import sample_transcript

_TASK = TaskId(UUID("0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"))


def stream_example(path: str, media_type: str) -> str | None:
    """Return an example of a text that a path answers with; None where there is nothing to show."""
    match media_type:
        case "text/event-stream" if path.startswith("/v1/"):
            return _openai()
        case "text/event-stream":
            return _events()
        case "application/x-ndjson":
            return _lines()
        case "text/plain":
            return sample_transcript().segments[0].text
    return None


def _state(status: TaskStatus, progress: float) -> TaskEvent:
    phase = Phase.TRANSCRIBING if progress < 1 else Phase.FINISHING
    return TaskEvent(
        task_id=_TASK, status=status, phase=phase, phase_fraction=progress, progress=progress,
        eta_ms=round((1 - progress) * 60_000), duration=61_500,
    )  # fmt: skip


def _events() -> str:
    told = [("progress", _state(TaskStatus.PROCESSING, 0.5)), ("done", _state(TaskStatus.DONE, 1.0))]
    return b"".join(
        named_event(name, state_fields(state), number + 7) for number, (name, state) in enumerate(told)
    ).decode()


def _lines() -> str:
    began, ended = _state(TaskStatus.PROCESSING, 0.5), _state(TaskStatus.DONE, 1.0)
    lines = [
        {"type": "started", **state_fields(began)},
        {"type": "segment", "index": 0, **segment_fields(sample_transcript().segments[0])},
        {"type": "completed", **state_fields(ended), "segments": 1},
    ]
    return b"\n".join(msgspec.json.encode(line) for line in lines).decode() + "\n"


def _openai() -> str:
    text = sample_transcript().segments[0].text
    return (event(type="transcript.text.delta", delta=text) + event(type="transcript.text.done", text=text)).decode()
