"""Diarization beside recognition; a recording whose speakers cannot be found still gets its words, and says so."""

import asyncio

import msgspec
import structlog

from application.hold import Hold
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from application.ports.system import Clock
from domain.errors import EngineFailed, EngineUnavailable
from domain.media import DecodedMedia
from domain.span import Span
from domain.speaker import Diarization
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase

NOBODY = Diarization(turns=(), exclusive=())
_TRIES = 2
"""A crashed engine is started afresh once: a transient cause is gone by then, a lasting one is not."""
_DIARIZATION = "diarization"

_log = structlog.get_logger()


class Diarize:
    """Finds the turns of a recording: by channel where each channel is a party, by voice otherwise."""

    def __init__(self, *, by_voice: DiarizationEngine, by_channel: DiarizationEngine, clock: Clock) -> None:
        self._by_voice = by_voice
        self._by_channel = by_channel
        self._clock = clock

    async def __call__(
        self, hold: Hold, media: DecodedMedia, speech: tuple[Span, ...], channel_speech: tuple[tuple[Span, ...], ...]
    ) -> tuple[Diarization | None, Stage]:
        """Return the turns, or None when the engine failed; `channel_speech` is empty for mixed audio."""
        started = self._clock.monotonic()
        hold.progress.begin(Phase.DIARIZING)
        engine = self._by_channel if channel_speech else self._by_voice
        status, reason, diarization = StageStatus.RAN, "", None
        request = DiarizationRequest(speech=speech, hints=hold.task.options.hints, channel_speech=channel_speech)
        if stored := (await hold.checkpoints()).get(_DIARIZATION):
            diarization = msgspec.json.decode(stored, type=Diarization)
            status, reason = StageStatus.REUSED, "from an earlier attempt"
        elif not speech:
            diarization, status, reason = NOBODY, StageStatus.SKIPPED, "there is no speech"
        else:
            diarization, reason = await self._try(hold, engine, media, request)
            if diarization is None:
                status = StageStatus.FAILED
            else:
                await hold.checkpoint(_DIARIZATION, msgspec.json.encode(diarization))
        if diarization is not None and diarization.degraded:
            status, reason = StageStatus.DEGRADED, "; ".join(filter(None, (*diarization.degraded, reason)))
        hold.progress.report(Phase.DIARIZING, 1.0)
        able = engine.capabilities()
        return diarization, Stage(
            name=StageName.DIARIZATION, status=status, engine=able.engine, model=able.model, device=able.device,
            seconds=round(self._clock.monotonic() - started, 3), reason=reason,
        )  # fmt: skip

    async def _try(
        self, hold: Hold, engine: DiarizationEngine, media: DecodedMedia, request: DiarizationRequest
    ) -> tuple[Diarization | None, str]:
        reason = ""
        for _ in range(_TRIES):
            try:
                sink = hold.sink(Phase.DIARIZING)
                return await asyncio.to_thread(engine.diarize, media.mix, request, sink), ""
            except (EngineFailed, EngineUnavailable) as error:
                reason = f"{error.reason}: {error.detail}"
                _log.warning("diarization_failed", task_id=str(hold.id), reason=reason)
        return None, reason
