"""Diarization beside recognition; a recording whose speakers cannot be found still gets its words, and says so."""

import asyncio
from dataclasses import replace

import msgspec
import structlog

from application.hold import Hold
from application.known_voices import with_voices
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from application.ports.system import Clock
from domain.errors import EngineFailed, EngineUnavailable
from domain.media import DecodedAudio, DecodedMedia
from domain.pace import Work
from domain.span import Span
from domain.speaker import Diarization
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase

NOBODY = Diarization(turns=(), exclusive=())
_TRIES = 2
"""A crashed engine is started afresh once: a transient cause is gone by then, a lasting one is not."""
_DIARIZATION = "diarization"
_PARTIES_UNKNOWN = "known speakers are not looked for where each channel is a party"

_log = structlog.get_logger()


class Diarize:
    """Finds the turns of a recording: by channel where each channel is a party, by voice otherwise."""

    def __init__(self, *, by_voice: DiarizationEngine, by_channel: DiarizationEngine, clock: Clock) -> None:
        self._by_voice = by_voice
        self._by_channel = by_channel
        self._clock = clock

    def expect(self, hold: Hold, *, by_channel: bool = False) -> None:
        """Tell the attempt what is to come."""
        able = (self._by_channel if by_channel else self._by_voice).capabilities()
        work = Work(stage=StageName.DIARIZATION, engine=able.engine, model=able.model, device=able.device)
        hold.progress.expect(Phase.DIARIZING, work)

    async def __call__(
        self, hold: Hold, media: DecodedMedia, speech: tuple[Span, ...], channel_speech: tuple[tuple[Span, ...], ...]
    ) -> tuple[Diarization | None, Stage]:
        """Return the turns, or None when the engine failed; `channel_speech` is empty for mixed audio."""
        started = self._clock.monotonic()
        self.expect(hold, by_channel=bool(channel_speech))
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
            with hold.stage(_DIARIZATION):
                diarization, reason = await self._find(hold, engine, media, request)
            if diarization is None:
                status = StageStatus.FAILED
            else:
                # Turns are kept for another attempt, voices never: nobody has asked for that.
                await hold.checkpoint(_DIARIZATION, msgspec.json.encode(replace(diarization, centroids=())))
        if diarization is not None and diarization.degraded:
            status, reason = StageStatus.DEGRADED, "; ".join(filter(None, (*diarization.degraded, reason)))
        hold.progress.report(Phase.DIARIZING, 1.0)
        able = engine.capabilities()
        stage = Stage(
            name=StageName.DIARIZATION, status=status, engine=able.engine, model=able.model, device=able.device,
            seconds=round(self._clock.monotonic() - started, 3), reason=reason,
        )  # fmt: skip
        await hold.learn(stage)
        return diarization, stage

    async def _find(
        self, hold: Hold, engine: DiarizationEngine, media: DecodedMedia, request: DiarizationRequest
    ) -> tuple[Diarization | None, str]:
        if not media.voices:
            return await self._try(hold, engine, media.mix, request)
        if request.channel_speech:
            found, reason = await self._try(hold, engine, media.mix, request)
            return found and replace(found, degraded=(*found.degraded, _PARTIES_UNKNOWN)), reason
        voices = await asyncio.to_thread(with_voices, media)
        found, reason = await self._try(hold, engine, voices.audio, voices.asked(request))
        return found and voices.answered(found, media.mix.duration), reason

    async def _try(
        self, hold: Hold, engine: DiarizationEngine, audio: DecodedAudio, request: DiarizationRequest
    ) -> tuple[Diarization | None, str]:
        reason = ""
        for _ in range(_TRIES):
            try:
                sink = hold.sink(Phase.DIARIZING)
                return await asyncio.to_thread(engine.diarize, audio, request, sink), ""
            except (EngineFailed, EngineUnavailable) as error:
                reason = f"{error.reason}: {error.detail}"
                _log.warning("diarization_failed", task_id=str(hold.id), reason=reason)
        return None, reason
