"""`/asr` and `/detect-language`, as Bazarr and other programs written for whisper-asr-webservice call them.

The call lasts until the text is there, however long that takes: those programs know no other answer.
"""

import asyncio
import struct
from typing import Annotated, Any, Literal

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import Parameter
from msgspec import Meta, Struct

from application.check_options import CheckOptions
from application.delete_task import DeleteTask
from application.rendering import asr as rendering
from domain.access import Caller
from domain.language_names import NAMES
from domain.media import SAMPLE_RATE, ChannelMode
from domain.options import MAX_PROMPT, MAX_SPEAKERS, Goal, TranscriptionOptions
from domain.task import Task
from entrypoints.http.calls import Calls
from entrypoints.http.compat.fields import no_fields, only_parameters
from entrypoints.http.compat.operations import FAILURES, TAG, AsrOperation, DetectOperation
from entrypoints.http.filenames import attachment
from entrypoints.http.openapi import problems
from entrypoints.http.rates import Zone
from entrypoints.http.upload_form import Part

_GLANCE = 30_000
"""Milliseconds that a language is told from, there as here."""
_UNKNOWN_SIZE = 0xFFFFFFFF
_RAW = (
    struct.pack("<4sI4s4sI", b"RIFF", _UNKNOWN_SIZE, b"WAVE", b"fmt ", 16)
    + struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    + struct.pack("<4sI", b"data", _UNKNOWN_SIZE)
)
"""What makes a WAV file of 16-bit mono samples that are still coming."""
_COMMON = ("encode", "video_file")

Encode = Annotated[
    bool, Parameter(description="`false`: the file is raw samples, 16 kHz, one channel, 16 bits, little-endian.")
]
VideoFile = Annotated[
    str, Parameter(max_length=4096, description="The video that the sound is of: a name for showing, never opened.")
]
Speakers = Annotated[int | None, Parameter(ge=1, le=MAX_SPEAKERS, description="Of the speakers; with `diarize`.")]


class DetectedLanguage(Struct, frozen=True, kw_only=True):
    """What is spoken."""

    detected_language: Annotated[str, Meta(description="In English; `unknown` if nobody speaks.", examples=["english"])]
    language_code: Annotated[str, Meta(description="`und` if nobody speaks.", examples=["en"])]
    confidence: Annotated[
        float | None, Meta(description="0 to 1; null where the engine does not tell.", examples=[0.98])
    ]


class AnswerAsr:
    """Does what such a program asks for."""

    def __init__(self, *, calls: Calls, check: CheckOptions, delete: DeleteTask) -> None:
        self._calls = calls
        self._check = check
        self._delete = delete

    async def transcribe(
        self, request: Request[Caller, Any, Any], caller: Caller, options: TranscriptionOptions, *, raw: bool
    ) -> Task | None:
        """Return the task once it has ended; None if nobody waits for it any more."""
        task, _ = await self._calls.take(request, caller, no_fields, lambda _: options, part=_part(raw=raw))
        return task if await self._calls.ended(request, task, for_ever=True) else None

    async def answer(self, task: Task, output: str, *, words: bool, name: str) -> Response[bytes]:
        """Write the text as that program does: everything is `text/plain`."""
        transcript = await self._calls.transcript(task)
        body = await asyncio.to_thread(rendering.write, transcript, output, words=words)
        engine = next((stage.engine for stage in transcript.stages if stage.name == "recognition"), "")
        headers = {
            "Asr-Engine": engine,
            "Content-Disposition": attachment(f"{name or task.media.filename}.{output}"),
            "X-Task-ID": str(task.id),
        }
        return Response(body, media_type="text/plain", status_code=200, headers=headers)

    async def language(self, request: Request[Caller, Any, Any], caller: Caller, *, raw: bool) -> DetectedLanguage:
        """Hear the beginning, and forget it; what an engine that knows one language would say is no detection.

        Raises:
            InvalidOptions: the engine cannot tell languages apart.
        """
        self._check.detection()
        options = TranscriptionOptions(diarization=False, channels=ChannelMode.MIX, only_first=_GLANCE)
        task, _ = await self._calls.take(request, caller, no_fields, lambda _: options, part=_part(raw=raw))
        try:
            await self._calls.ended(request, task, for_ever=True)
            heard = await self._calls.transcript(task)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._delete(task.owner, task.id)))
        name = NAMES.get(heard.language, heard.language if heard.segments else "unknown")
        confidence = heard.language_probability if heard.segments else 0.0
        return DetectedLanguage(detected_language=name, language_code=heard.language, confidence=confidence)


def _part(*, raw: bool) -> Part:
    return Part(DetectOperation.recording.name, _RAW if raw else b"")


@post(
    "/asr",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,  # the receiver counts what arrives
    operation_class=AsrOperation,
    summary="Transcribe, as whisper-asr-webservice does",
    tags=[TAG],
    response_description="The text.",
    responses=problems(*FAILURES),
)
async def asr(
    request: Request[Caller, Any, Any],
    *,
    caller: NamedDependency[Caller],
    whisper_asr: NamedDependency[AnswerAsr],
    task: Annotated[Goal, Parameter(description="`translate` writes English, where the model can.")] = Goal.TRANSCRIBE,
    language: Annotated[str, Parameter(max_length=16, description="Code; left out, it is found out.")] = "",
    initial_prompt: Annotated[
        str, Parameter(max_length=MAX_PROMPT, description="Sets vocabulary and style, where the engine takes one.")
    ] = "",
    encode: Encode = True,
    output: Annotated[Literal["txt", "vtt", "srt", "tsv", "json"], Parameter(description="The format.")] = "txt",
    word_timestamps: Annotated[bool, Parameter(description="Whether words have times in `json`.")] = False,
    vad_filter: Annotated[bool, Parameter(description="Without effect: only speech is ever listened to.")] = False,
    diarize: Annotated[bool, Parameter(description="Whether to tell speakers apart.")] = False,
    min_speakers: Speakers = None,
    max_speakers: Speakers = None,
    video_file: VideoFile = "",
) -> Response[Any]:
    """Send the recording as `audio_file` and get its text. Who hangs up before has the work cancelled."""
    del vad_filter
    only_parameters(
        request,
        ("task", "language", "initial_prompt", "output", "word_timestamps", "vad_filter", "diarize", "min_speakers",
         "max_speakers", *_COMMON),
    )  # fmt: skip
    options = TranscriptionOptions(
        language=language or "auto",
        goal=task,
        initial_prompt=initial_prompt,
        diarization=diarize,
        # Without speakers it is text in one stream; channels would give it two.
        channels=ChannelMode.AUTO if diarize else ChannelMode.MIX,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
    )
    ended = await whisper_asr.transcribe(request, caller, options, raw=not encode)
    if ended is None:
        return Response(None, status_code=204)
    return await whisper_asr.answer(ended, output, words=word_timestamps, name=video_file)


@post(
    "/detect-language",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,
    operation_class=DetectOperation,
    summary="Tell the language, as whisper-asr-webservice does",
    tags=[TAG],
    response_description="What is spoken.",
    responses=problems(*FAILURES),
)
async def detect_language(
    request: Request[Caller, Any, Any],
    *,
    caller: NamedDependency[Caller],
    whisper_asr: NamedDependency[AnswerAsr],
    encode: Encode = True,
    video_file: VideoFile = "",
) -> DetectedLanguage:
    """Send a recording as `audio_file`; its first half minute is listened to, and nothing of it is kept.

    An engine that knows one language only cannot tell: then this is refused.
    """
    del video_file
    only_parameters(request, _COMMON)
    return await whisper_asr.language(request, caller, raw=not encode)
