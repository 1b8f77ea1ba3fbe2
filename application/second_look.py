"""A second look at who spoke, after recognition and diarization: each sentence's voice beside the speakers' voices."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from application.attribute_tracks import Attributed, Heard
from application.hold import Hold
from application.ports.diarization import DiarizationEngine
from application.ports.system import Clock
from domain.errors import EngineFailed, EngineUnavailable
from domain.media import DecodedMedia
from domain.pace import Work
from domain.regrouping import regroup
from domain.second_look import Stretch, Voice, moved, second_look, stretches
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase

_BATCH = 32
"""Stretches that are listened to at once; the time is looked at in between."""
_SHARE, _LEAST_SECONDS = 0.1, 10.0
"""How long the look may take: a tenth of the recording's length, which matters only where an engine is slow."""

_log = structlog.get_logger()


class SecondLook:
    """Gives sentences whose voice is another speaker's to that speaker, and keeps a record of each move."""

    def __init__(self, *, engine: DiarizationEngine, enabled: bool, clock: Clock) -> None:
        self._engine = engine
        self._enabled = enabled
        self._clock = clock

    def expect(self, hold: Hold) -> None:
        """Tell the attempt what is to come."""
        able = self._engine.capabilities()
        if self._enabled and able.embeds:
            work = Work(stage=StageName.SECOND_LOOK, engine=able.engine, model=able.model, device=able.device)
            hold.progress.expect(Phase.FINISHING, work)

    async def __call__(self, hold: Hold, media: DecodedMedia, heard: Heard, attributed: Attributed) -> Attributed:
        """Return the segments after the look, with its stage; as they were where it cannot run or fails.

        Raises:
            Interrupted, LeaseLost: the work was stopped.
        """
        if not hold.task.options.diarization:
            return attributed
        able = self._engine.capabilities()
        stage = Stage(
            name=StageName.SECOND_LOOK, status=StageStatus.SKIPPED, engine=able.engine, model=able.model,
            device=able.device, reason=self._hindrance(heard, embeds=able.embeds),
        )  # fmt: skip
        if stage.reason:
            stage = replace(stage, engine="", model="", device="")
        else:
            attributed, stage = await self._look(hold, media, heard, attributed, stage)
            await hold.learn(stage)
        return replace(attributed, stages=(*attributed.stages, stage))

    def _hindrance(self, heard: Heard, *, embeds: bool) -> str:
        if not self._enabled:
            return "it is turned off"
        if heard.diarization is None:
            return "there are no turns"
        if heard.split:
            return "each speaker has a channel"
        if not embeds:
            return "the diarizer gives no voices to compare"
        if not heard.diarization.centroids and len(heard.diarization.speakers) > 1:
            return "no voices are known: those of an earlier attempt are not kept"
        return "" if len(heard.diarization.centroids) > 1 else "there are no two voices to choose from"

    async def _look(
        self, hold: Hold, media: DecodedMedia, heard: Heard, attributed: Attributed, stage: Stage
    ) -> tuple[Attributed, Stage]:
        started = self._clock.monotonic()
        centroids = dict(heard.diarization.centroids) if heard.diarization else {}
        tracks, moves, status, reason = [list(track) for track in attributed.tracks], [], StageStatus.RAN, ""
        wanted = stretches(attributed.tracks)
        latest = started + max(_LEAST_SECONDS, _SHARE * media.mix.duration / 1000)
        try:
            for first in range(0, len(wanted), _BATCH):
                if self._clock.monotonic() > latest:
                    status, reason = StageStatus.DEGRADED, f"time was up after {first} of {len(wanted)} stretches"
                    break
                batch = wanted[first : first + _BATCH]
                part = (first / len(wanted), (first + len(batch)) / len(wanted))
                for stretch, voice in zip(batch, await self._voices(hold, media, batch, part), strict=True):
                    segment = tracks[stretch.track][stretch.segment]
                    if voice is not None and (move := second_look(segment, voice, centroids)):
                        moves.append(move)
                        tracks[stretch.track][stretch.segment] = moved(segment, move.after)
        except (EngineFailed, EngineUnavailable) as error:
            status, reason = StageStatus.FAILED, f"{error.reason}: {error.detail}"
            _log.warning("second_look_failed", task_id=str(hold.id), reason=reason)
        changed = replace(
            attributed,
            tracks=tuple(regroup(track) for track in tracks),
            moves=tuple(sorted(moves, key=lambda move: move.span)),
        )
        return changed, replace(
            stage, status=status, reason=reason, seconds=round(self._clock.monotonic() - started, 3)
        )

    async def _voices(
        self, hold: Hold, media: DecodedMedia, batch: Sequence[Stretch], part: tuple[float, float]
    ) -> Sequence[Voice | None]:
        sink = hold.sink(Phase.FINISHING, *part)
        return await asyncio.to_thread(self._engine.embed, media.mix, tuple(item.span for item in batch), sink)
