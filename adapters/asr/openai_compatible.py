"""Recognition by another machine: any server with OpenAI's `/v1/audio/transcriptions` and `/translations`.

The speech leaves this machine, so the engine is never taken by `auto`. It must not send anything but the pieces that
hold speech, nor keep a connection from call to call.
"""

import asyncio
import io
import wave
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from adapters.asr.openai_answers import Heard, code_of, read_reply
from adapters.asr.openai_refusals import minds_the_form, refusal
from adapters.asr.openai_wire import Wire
from adapters.asr.pieces import pieces
from adapters.pcm import SAMPLES_PER_MS, mapped
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import ModelNotFound
from domain.media import SAMPLE_RATE, DecodedAudio
from domain.options import Goal
from domain.span import Span, restricted
from domain.transcript import Recognition

UNKNOWN = "und"
"""ISO 639's code for a language that nobody has determined: some servers do not say what they heard."""
_PATHS = {Goal.TRANSCRIBE: "audio/transcriptions", Goal.TRANSLATE: "audio/translations"}
_FORMS: tuple[dict[str, str | list[str]], ...] = (
    {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]},
    {"response_format": "verbose_json"},
    {"response_format": "json"},
    {"response_format": "text"},
)
"""What is asked for, best first: not every server, nor every model of one, gives all."""
_LONGEST = 30_000
"""Milliseconds; what Whisper hears at once, and a megabyte to send."""
_PAUSE = 3_000
"""Milliseconds; as for Whisper at home."""
_BEAT = 0.25
"""Seconds between two looks at whether to stop."""
_SUCCESS = range(200, 300)


class OpenAICompatibleEngine(TranscriptionEngine):
    """Has pieces of up to half a minute recognised by the server at `url`, which ends in `/v1`.

    `key` is sent as a bearer token, where there is one. `timeout` is how long a try may be silent, `patience` how long
    a piece may take with all its tries, both in s; `concurrency` is how many pieces are under way at once.
    """

    def __init__(
        self, *, url: str, key: str = "", model: str = "whisper-1", timeout: float = 60.0, patience: float = 110.0,
        concurrency: int = 2,
    ) -> None:  # fmt: skip
        self._url = url
        self._key = key
        self._model = model
        self._timeout = timeout
        self._patience = patience
        self._concurrency = concurrency
        self._forms = {Goal.TRANSCRIBE: 0, Goal.TRANSLATE: 1}  # translations know no granularities

    def capabilities(self) -> EngineCapabilities:
        """Promise one model; which languages it knows, the server alone can say."""
        return EngineCapabilities(
            engine="openai_compatible",
            models=(self._model,),
            device="remote",
            detects_language=True,
            translation=True,
            initial_prompt=True,
            hotwords=True,
        )

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Have the window's pieces recognised, the longest first.

        Its language, if it was not given, is what the others are then taken to be in, unless several were allowed.
        """
        if request.model not in {"", self._model}:
            raise ModelNotFound(f"the remote engine has no model '{request.model}'; there is: {self._model}")
        regions = restricted(request.speech, window.clamp(Span(0, audio.duration)))
        found = pieces(audio, regions, longest=_LONGEST, pause=_PAUSE)
        if not found:
            on_progress(1.0)
            return Recognition(segments=(), language=_asked(request) or UNKNOWN)
        return asyncio.run(self._recognise(audio, found, request, on_progress))

    async def _recognise(
        self, audio: DecodedAudio, found: Sequence[Span], request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        language = _asked(request)
        async with Wire(self._url, self._key, timeout=self._timeout, patience=self._patience) as wire:
            call = _Call(wire, audio, request, self._model, self._forms)
            gate = asyncio.Semaphore(self._concurrency)

            async def one(piece: Span) -> Heard:
                async with gate:
                    return await call.hear(piece, language)

            heard: dict[Span, Heard] = {}
            if language is None and not request.languages:
                first = max(found, key=lambda piece: piece.duration)
                await _watched({first: one(first)}, heard, found, on_progress)
                language = heard[first].language if heard[first].segments else None
            await _watched({piece: one(piece) for piece in found if piece not in heard}, heard, found, on_progress)
        spoken: dict[str, int] = {}
        for piece, answer in heard.items():
            if answer.segments and answer.language:
                spoken[answer.language] = spoken.get(answer.language, 0) + piece.duration
        return Recognition(
            segments=tuple(segment for piece in found for segment in heard[piece].segments),
            language=max(spoken, key=lambda code: spoken[code], default=language or UNKNOWN),
        )


async def _watched(
    work: Mapping[Span, Coroutine[Any, Any, Heard]],
    heard: dict[Span, Heard],
    found: Sequence[Span],
    on_progress: ProgressSink,
) -> None:
    """Put into `heard` what the pieces hold; the first failure, or what the sink raises, ends them all."""
    tasks = {asyncio.ensure_future(coroutine): piece for piece, coroutine in work.items()}
    total, pending = sum(piece.duration for piece in found), set(tasks)
    try:
        while True:
            on_progress(sum(piece.duration for piece in heard) / total)
            if not pending:
                return
            done, pending = await asyncio.wait(pending, timeout=_BEAT, return_when=asyncio.FIRST_COMPLETED)
            heard.update({tasks[task]: task.result() for task in done})
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Call:
    """What the pieces of one call have in common; `forms` remembers which form of an answer the server gives."""

    def __init__(
        self, wire: Wire, audio: DecodedAudio, request: RecognitionRequest, model: str, forms: dict[Goal, int]
    ) -> None:
        self._wire = wire
        self._audio = audio
        self._request = request
        self._forms = forms
        prompt = ", ".join(filter(None, [request.initial_prompt, *request.hotwords]))
        self._fields: dict[str, str | list[str]] = {"model": model, **({"prompt": prompt} if prompt else {})}
        if request.temperature is not None:
            self._fields["temperature"] = str(request.temperature)

    async def hear(self, piece: Span, language: str | None) -> Heard:
        """Ask for one piece; again in an allowed language, if it is heard in none of those."""
        allowed, translates = self._request.languages, self._request.goal is Goal.TRANSLATE
        ask = partial(self._ask, piece, _wav(self._audio, piece), self._wire.deadline())
        if translates:
            heard = await ask(None)
            segments = tuple(replace(segment, language="en") for segment in heard.segments)
            return Heard(segments, "en" if segments else None)
        heard = await ask(language)
        if allowed and heard.segments and heard.language not in {code_of(code) for code in allowed}:
            heard = await ask(allowed[0])
        known = heard.language or language
        return Heard(tuple(replace(segment, language=known) for segment in heard.segments), known)

    async def _ask(self, piece: Span, wav: bytes, until: float, language: str | None) -> Heard:
        goal = self._request.goal
        fields = {**self._fields, **({"language": language} if language else {})}
        while True:
            form = self._forms[goal]
            reply = await self._wire.ask(_PATHS[goal], {**fields, **_FORMS[form]}, wav, until)
            if reply.status in _SUCCESS:
                return read_reply(reply, piece, asked_for_text=form == len(_FORMS) - 1)
            if form + 1 == len(_FORMS) or not minds_the_form(reply):
                raise refusal(reply, str(self._fields["model"]))
            self._forms[goal] = max(self._forms[goal], form + 1)


def _asked(request: RecognitionRequest) -> str | None:
    only = request.languages[0] if len(request.languages) == 1 else request.language
    return "en" if request.goal is Goal.TRANSLATE else None if only in {"auto", UNKNOWN} else only


def _wav(audio: DecodedAudio, piece: Span) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE)
        target.writeframes(mapped(audio)[piece.start * SAMPLES_PER_MS : piece.end * SAMPLES_PER_MS].tobytes())
    return file.getvalue()
