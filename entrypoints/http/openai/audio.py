"""OpenAI's `/v1/audio`: a recording in, its text out by the same call, or by events while it is recognised.

Each call is a task like any other, so that nothing is lost when it outlasts the caller's patience.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.response import Stream

from application.follow_segments import FollowSegments
from application.rendering import openai as rendering
from application.rendering.registry import FORMATS
from domain.access import Caller
from domain.options import Goal
from domain.task import Task
from domain.transcript import Segment, Transcript
from entrypoints.http.acceptance import LOCATION, accepted
from entrypoints.http.calls import Calls
from entrypoints.http.errors import explained
from entrypoints.http.event_stream import STREAM_HEADERS, event, with_pings
from entrypoints.http.openai.errors import envelope
from entrypoints.http.openai.form import AudioRequest, look_at_audio_fields, parse_audio_fields
from entrypoints.http.openai.operations import AudioOperation, failures
from entrypoints.http.openai.voices import REFERENCES, KeepVoices
from entrypoints.http.upload_form import Part

_RECORDING = Part(long=REFERENCES)


class AnswerAudio:
    """Does what an audio request asks for, and answers it with the text."""

    def __init__(self, *, calls: Calls, segments: FollowSegments, voices: KeepVoices) -> None:
        self._calls = calls
        self._segments = segments
        self._voices = voices

    async def __call__(self, request: Request[Caller, Any, Any], caller: Caller, goal: Goal) -> Response[Any]:
        """Receive the recording, submit it, and answer when it is done, or that it takes longer."""
        task, asked = await self._calls.take(
            request,
            caller,
            lambda pairs: parse_audio_fields(pairs, goal),
            lambda asked: asked.options,
            look=look_at_audio_fields,
            part=_RECORDING,
            complete=lambda upload: self._voices(caller.owner, upload.asked.options, upload.asked.known, upload.long),
        )
        if asked.stream:
            return Stream(self._events(task, asked), media_type="text/event-stream", headers=STREAM_HEADERS)
        if not await self._calls.ended(request, task):
            return accepted(task)
        return await self._answer(task, asked)

    async def _answer(self, task: Task, asked: AudioRequest) -> Response[bytes]:
        transcript = await self._calls.transcript(task)
        media_type, render = _renderer(asked)
        # Eight hours of speech take longer to write out than the event loop may stand still.
        body = await asyncio.to_thread(render, transcript)
        return Response(body, media_type=media_type, status_code=200, headers={"X-Task-ID": str(task.id)})

    async def _events(self, task: Task, asked: AudioRequest) -> AsyncIterator[bytes]:
        """Give the text as it is recognised and then what is known at the end; who stops listening has it cancelled."""
        ended = False
        try:
            async for message in with_pings(self._messages(task, asked)):
                yield message
            ended = True
        finally:
            if not ended:
                await asyncio.shield(asyncio.ensure_future(self._calls.give_up(task)))

    async def _messages(self, task: Task, asked: AudioRequest) -> AsyncIterator[bytes]:
        said: list[str] = []
        try:
            async for item in self._segments(task.owner, task.id):
                if isinstance(item, Segment):
                    delta = rendering.follow_on(item) if said else item.text
                    said.append(delta)
                    yield event(type="transcript.text.delta", delta=delta)
            transcript = await self._calls.transcript(task)
        except Exception as error:  # noqa: BLE001 - the status is sent, so that any failure must be told here
            code, detail, fields = explained(error)
            yield event(error=envelope(code, detail, next(iter(fields), None))[1].error)
            return
        if asked.response_format == "diarized_json":
            for segment in rendering.diarized_segments(transcript):
                yield event(**segment)
        yield event(type="transcript.text.done", text="".join(said))


@post(
    "/audio/transcriptions",
    status_code=200,
    request_max_body_size=None,  # UploadReceiver counts what arrives
    operation_class=AudioOperation,
    summary="Transcribe, as OpenAI's API does",
    tags=["OpenAI"],
    response_headers=[LOCATION],
    responses=failures(),
)
async def create_transcription(
    request: Request[Caller, Any, Any], caller: NamedDependency[Caller], audio: NamedDependency[AnswerAudio]
) -> Response[Any]:
    """Send a recording as `file` and get its text, in the format that OpenAI's clients ask for.

    What takes longer than the service lets a call wait is answered 202 with `Location`: it goes on as a task, which
    `/api/v1` tells of. Who hangs up before has it cancelled. Speakers are told apart where `diarized_json`,
    `diarize=true`, a number of speakers or samples of their voices ask for it; who is known by a sample is called by
    name, and the others `A`, `B` and so on. Samples are kept as clips for a week, so that a task can be tried again.
    """
    return await audio(request, caller, Goal.TRANSCRIBE)


@post(
    "/audio/translations",
    status_code=200,
    request_max_body_size=None,
    operation_class=AudioOperation,
    summary="Translate into English, as OpenAI's API does",
    tags=["OpenAI"],
    response_headers=[LOCATION],
    responses=failures(),
)
async def create_translation(
    request: Request[Caller, Any, Any], caller: NamedDependency[Caller], audio: NamedDependency[AnswerAudio]
) -> Response[Any]:
    """Send a recording as `file` and get what is said in it in English, where the model can translate."""
    return await audio(request, caller, Goal.TRANSLATE)


def _renderer(asked: AudioRequest) -> tuple[str, Callable[[Transcript], bytes]]:
    goal = asked.options.goal
    match asked.response_format:
        case "json":
            return "application/json", rendering.brief
        case "verbose_json":
            return "application/json", lambda transcript: rendering.verbose(
                transcript, goal=goal, words=asked.words, segments=asked.segments
            )
        case "diarized_json":
            return "application/json", lambda transcript: rendering.diarized(transcript, goal=goal)
        case "text":
            return "text/plain", lambda transcript: f"{rendering.flowing(transcript)}\n".encode()
        case name:
            chosen = FORMATS[name]
            return chosen.media_type, chosen.render
