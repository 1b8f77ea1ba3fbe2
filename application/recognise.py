"""Recognition, window by window; each finished window is stored, and a restart goes on after the last one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from application.hold import Hold
from application.ports.asr import RecognitionRequest, TranscriptionEngine
from application.ports.system import Clock
from application.ports.voice_activity import VoiceActivityDetector
from domain.media import DecodedAudio
from domain.pace import Work
from domain.span import Span, covered, restricted
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase
from domain.transcript import Recognition
from domain.windows import plan_windows

Speech = tuple[tuple[Span, ...], ...]
"""For each track, the regions that hold speech."""
_SPEECH = "speech"
_DETECTION = Stage(name=StageName.VOICE_ACTIVITY, status=StageStatus.RAN, engine="silero", device="cpu")


class Recognise:
    """Finds the speech of each track, then recognises it in windows of at most `longest` ms."""

    def __init__(self, *, vad: VoiceActivityDetector, asr: TranscriptionEngine, longest: int, clock: Clock) -> None:
        self._vad = vad
        self._asr = asr
        self._longest = longest
        self._clock = clock

    def expect(self, hold: Hold) -> None:
        """Tell the attempt what is to come."""
        hold.progress.expect(Phase.DETECTING, Work.of(_DETECTION))
        able, model = self._asr.capabilities(), hold.task.options.model
        work = Work(
            stage=StageName.RECOGNITION, engine=able.engine, model=model or able.models[0], device=able.device
        )  # fmt: skip
        hold.progress.expect(Phase.TRANSCRIBING, work, step=self._longest)

    async def speech(self, hold: Hold, tracks: Sequence[DecodedAudio]) -> tuple[Speech, Stage]:
        """Return the speech regions of each track, from the checkpoint where an earlier attempt found them."""
        started = self._clock.monotonic()
        hold.progress.begin(Phase.DETECTING)
        stored = (await hold.checkpoints()).get(_SPEECH)
        if stored is not None and len(found := msgspec.json.decode(stored, type=Speech)) == len(tracks):
            hold.progress.report(Phase.DETECTING, 1.0)
            return found, Stage(
                name=StageName.VOICE_ACTIVITY, status=StageStatus.REUSED, reason="from an earlier attempt"
            )
        regions = []
        for number, track in enumerate(tracks):
            sink = hold.sink(Phase.DETECTING, number / len(tracks), (number + 1) / len(tracks))
            with hold.stage(_SPEECH):
                regions.append(await asyncio.to_thread(self._vad.speech, track, sink))
        speech = tuple(regions)
        await hold.checkpoint(_SPEECH, msgspec.json.encode(speech))
        stage = replace(_DETECTION, seconds=round(self._clock.monotonic() - started, 3))
        await hold.learn(stage)
        return speech, stage

    async def __call__(
        self, hold: Hold, tracks: Sequence[DecodedAudio], speech: Speech
    ) -> tuple[tuple[tuple[Recognition, ...], ...], Stage]:
        """Return each track's recognitions, in the order of its windows.

        A language that was not asked for is the one heard in the first window with words, so that a recording does
        not change its language from window to window, unless several are allowed.
        """
        started = self._clock.monotonic()
        hold.progress.begin(Phase.TRANSCRIBING)
        options, able = hold.task.options, self._asr.capabilities()
        language, *others = (code.partition("-")[0] for code in options.languages or (options.language,))
        languages = tuple(dict.fromkeys((language, *others))) if others else ()
        language, model = "auto" if others else language, options.model or able.models[0]
        stored = await hold.checkpoints()
        total, done, reused, planned = sum(covered(regions) for regions in speech), 0, 0, 0
        kept = 0
        hold.progress.measure(Phase.TRANSCRIBING, total)
        heard: list[tuple[Recognition, ...]] = []
        for number, (track, regions) in enumerate(zip(tracks, speech, strict=True)):
            request = RecognitionRequest(
                speech=regions, language=language, languages=languages, goal=options.goal, model=model,
                temperature=options.temperature, initial_prompt=options.initial_prompt, hotwords=options.hotwords,
            )  # fmt: skip
            recognitions = []
            for window in plan_windows(regions, self._longest):
                name, planned = f"window/{number}/{window.start}-{window.end}", planned + 1
                share = covered(restricted(regions, window))
                if payload := stored.get(name):
                    recognition, reused = msgspec.json.decode(payload, type=Recognition), reused + 1
                    kept += share
                else:
                    sink = hold.sink(Phase.TRANSCRIBING, done / total, (done + share) / total)
                    request = replace(request, language=language)
                    with hold.stage("window"):
                        recognition = await asyncio.to_thread(self._asr.transcribe, track, window, request, sink)
                    await hold.checkpoint(name, msgspec.json.encode(recognition))
                if language == "auto" and not languages and recognition.segments:
                    language = recognition.language
                recognitions.append(recognition)
                done += share
                hold.progress.report(Phase.TRANSCRIBING, done / total)
            heard.append(tuple(recognitions))
        hold.progress.report(Phase.TRANSCRIBING, 1.0)
        reasons = [f"{reused} of {planned} windows from an earlier attempt"] if reused else []
        # Each window says it again; once is enough.
        degraded = dict.fromkeys(note for track in heard for recognition in track for note in recognition.degraded)
        whole = StageStatus.REUSED if planned and reused == planned else StageStatus.RAN
        stage = Stage(
            name=StageName.RECOGNITION,
            status=StageStatus.DEGRADED if degraded else whole,
            engine=able.engine,
            model=model,
            device=able.device,
            seconds=round(self._clock.monotonic() - started, 3),
            reason="; ".join([*degraded, *reasons]),
        )
        await hold.learn(stage, total - kept)
        return tuple(heard), stage
