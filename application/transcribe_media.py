"""The way of one recording: decoded once, listened to once, recognised and diarized side by side, then put together."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast

from application.assemble import assemble
from application.attribute_tracks import Heard, attribute_tracks
from application.decode_media import DecodeMedia, has_parties
from application.diarize import Diarize
from application.hold import Hold
from application.ports.system import Clock
from application.recognise import Recognise
from application.second_look import SecondLook
from domain.errors import Interrupted
from domain.media import DecodedMedia
from domain.span import merged
from domain.stage import Stage
from domain.task import Phase
from domain.transcript import Transcript

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")


class TranscribeMedia:
    """Makes a transcript of a held task's recording; leaves nothing behind in the working folder."""

    def __init__(
        self, *, decode: DecodeMedia, recognise: Recognise, diarize: Diarize, second_look: SecondLook, clock: Clock
    ) -> None:
        self._decode = decode
        self._recognise = recognise
        self._diarize = diarize
        self._second_look = second_look
        self._clock = clock

    async def __call__(self, hold: Hold) -> Transcript:
        """Return the transcript.

        Raises:
            MediaRejected, EngineFailed, EngineUnavailable, ModelNotFound, StorageFull: as the ports say.
            Interrupted, LeaseLost: the work was stopped.
        """
        self._recognise.expect(hold)
        if hold.task.options.diarization:
            self._diarize.expect(hold)
        async with self._decode(hold) as (media, decoding):
            return await self._transcribe(hold, media, decoding)

    async def _transcribe(self, hold: Hold, media: DecodedMedia, decoding: Stage) -> Transcript:
        options = hold.task.options
        split = has_parties(options, media)
        tracks = media.channels if split else (media.mix,)
        if options.diarization and not split:
            self._second_look.expect(hold)
        speech, detecting = await self._recognise.speech(hold, tracks)
        recognising = self._recognise(hold, tracks, speech)
        if options.diarization:
            diarizing = self._diarize(
                hold, media, merged(span for regions in speech for span in regions), speech if split else ()
            )
            (recognitions, recognition), (diarization, diarized) = await _side_by_side(hold, recognising, diarizing)
            stages = [decoding, detecting, recognition, diarized]
        else:
            recognitions, recognition = await recognising
            diarization, stages = None, [decoding, detecting, recognition]
        hold.progress.begin(Phase.FINISHING)
        heard = Heard(
            recognitions=recognitions, diarization=diarization, split=split, stages=tuple(stages), speech=speech
        )
        attributed = await asyncio.to_thread(attribute_tracks, heard, asked=options.diarization)
        attributed = await self._second_look(hold, media, heard, attributed)
        return await asyncio.to_thread(assemble, hold.task, media.facts, heard, attributed, self._elapsed_ms(hold))

    def _elapsed_ms(self, hold: Hold) -> int:
        return int((self._clock.monotonic() - hold.started) * 1000)


async def _side_by_side(hold: Hold, first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Await both; when one fails the other is stopped, and the failure that came first is raised."""

    async def guarded(work: Awaitable[T]) -> T:
        try:
            return await work
        except BaseException:
            hold.stop("failed")
            raise

    ended = await asyncio.gather(guarded(first), guarded(second), return_exceptions=True)
    failures = [outcome for outcome in ended if isinstance(outcome, BaseException)]
    for failure in sorted(failures, key=lambda error: isinstance(error, Interrupted)):
        raise failure
    return cast("tuple[A, B]", tuple(ended))
