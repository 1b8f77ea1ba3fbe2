"""Reading a revision back from the blob store, off the event loop."""

import asyncio

from application.ports.blobs import BlobStore
from application.rendering.transcript_codec import decode_transcript
from domain.task import TaskId, transcript_key
from domain.transcript import Transcript


async def read_transcript(blobs: BlobStore, task_id: TaskId, revision: int) -> Transcript:
    """Return a revision of the task's transcript.

    Raises:
        BlobNotFound: there is none of that number.
    """
    chunks = [chunk async for chunk in blobs.open(transcript_key(task_id, revision))]
    # Hours of words take longer to read back than the event loop may stand still.
    return await asyncio.to_thread(decode_transcript, b"".join(chunks))
