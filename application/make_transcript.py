"""Which work a held task is: its kind decides."""

from application.collect_recording import CollectRecording
from application.hold import Hold
from application.revise_transcript import ReviseTranscript
from application.transcribe_media import TranscribeMedia
from domain.task import TaskKind
from domain.transcript import Transcript


class MakeTranscript:
    """Transcribes a recording, which may have to be fetched first, or revises a transcript."""

    def __init__(self, *, collect: CollectRecording, transcribe: TranscribeMedia, revise: ReviseTranscript) -> None:
        self._collect = collect
        self._transcribe = transcribe
        self._revise = revise

    async def __call__(self, hold: Hold) -> Transcript:
        """Return the transcript; raises as the three do."""
        if hold.task.kind is TaskKind.REVISE:
            return await self._revise(hold)
        await self._collect(hold)
        return await self._transcribe(hold)
