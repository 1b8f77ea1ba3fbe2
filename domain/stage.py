"""What became of each stage that a result was asked for, so that none is ever skipped silently."""

from dataclasses import dataclass
from enum import StrEnum


class StageName(StrEnum):
    """The stages a recording can go through, in their order."""

    DECODE = "decode"
    VOICE_ACTIVITY = "voice_activity"
    RECOGNITION = "recognition"
    DIARIZATION = "diarization"
    ATTRIBUTION = "attribution"
    SECOND_LOOK = "second_look"


class StageStatus(StrEnum):
    """How a stage ended."""

    RAN = "ran"
    SKIPPED = "skipped"
    DEGRADED = "degraded"
    FAILED = "failed"
    REUSED = "reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage's outcome; `seconds` is wall time, `reason` is empty only for a plain `ran`."""

    name: StageName
    status: StageStatus
    engine: str = ""
    model: str = ""
    device: str = ""
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that travels with the result: a stable code and a sentence for a person."""

    code: str
    detail: str
