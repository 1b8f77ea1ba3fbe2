"""Samples of speakers' voices, as OpenAI's clients send them: data URLs, which become clips for a while."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from application.delete_clip import DeleteClip
from application.store_clip import StoreClip
from domain.clip import ClipId
from domain.errors import ClipNotFound
from domain.known_speakers import KnownSpeaker
from domain.options import TranscriptionOptions
from domain.task import OwnerId
from entrypoints.http.errors import InvalidFields

NAMES = "known_speaker_names"
REFERENCES = "known_speaker_references"
KEPT = timedelta(days=7)
"""A task may wait for a worker, and be tried again; nobody retries it after longer than that."""
_DATA_URL = re.compile(rb"data:[\w.+/-]*(;[\w=.+-]+)*;base64,")


class KeepVoices:
    """Keeps samples while a task needs them."""

    def __init__(self, *, store: StoreClip, delete: DeleteClip) -> None:
        self._store = store.for_at_most(KEPT)
        self._delete = delete

    @asynccontextmanager
    async def __call__(
        self, owner: OwnerId, options: TranscriptionOptions, names: Sequence[str], references: Sequence[Path]
    ) -> AsyncIterator[TranscriptionOptions]:
        """Give the options with the speakers whom the files' data URLs let know; if the context fails, none is kept.

        Raises:
            InvalidFields: there are not as many as names, or one is no data URL.
            InvalidOptions: as the options say.
        """
        if len(names) != len(references):
            raise InvalidFields({REFERENCES: f"{REFERENCES}: {len(references)} for {len(names)} {NAMES}"})
        # Names that cannot be are refused before anything is kept.
        replace(options, known_speakers=tuple(KnownSpeaker(name=name, sample=owner) for name in names))
        clips: list[ClipId] = []
        try:
            for name, reference in zip(names, references, strict=True):
                await asyncio.to_thread(_decode, reference)
                clips.append((await self._store(owner, reference, filename=name)).id)
            known = [KnownSpeaker(name=name, sample=clip) for name, clip in zip(names, clips, strict=True)]
            yield replace(options, known_speakers=tuple(known))
        except BaseException:
            for clip in clips:
                with suppress(ClipNotFound):
                    await self._delete(owner, clip)
            raise


def _decode(file: Path) -> None:
    """Put what a data URL holds in its place."""
    text = file.read_bytes().strip()
    head = _DATA_URL.match(text)
    if head is None:
        raise InvalidFields({REFERENCES: f"{REFERENCES}: data URLs in base64, such as data:audio/wav;base64,…"})
    try:
        content = base64.b64decode(text[head.end() :], validate=True)
    except ValueError as error:
        raise InvalidFields({REFERENCES: f"{REFERENCES}: {error}"}) from error
    if not content:
        raise InvalidFields({REFERENCES: f"{REFERENCES}: one is empty"})
    file.write_bytes(content)
