"""Bringing a recording into the blob store for a task that is about to exist; whoever gives the task up removes it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from application.ports.blobs import BlobStore
from application.query_clips import QueryClips
from application.rendering.plain import one_line
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.submission import Media, Submission
from domain.clip import ClipId, ClipMedia
from domain.egress import EgressPolicy, masked
from domain.errors import ClipNotFound, InvalidOptions
from domain.fetching import MediaUrl
from domain.task import MediaSource, TaskId, media_key


class StoreRecording:
    """Stores what was handed in under the task's own key, whatever form it came in; a clip's bytes are shared.

    What a URL names is fetched when the task is worked on; here the URL itself is judged, as far as it tells by itself.
    """

    def __init__(
        self, *, blobs: BlobStore, stage: StageUpload, clips: QueryClips, egress: EgressPolicy, urls: SecretUrls
    ) -> None:
        self._blobs = blobs
        self._stage = stage
        self._clips = clips
        self._egress = egress
        self._urls = urls

    async def look_for_voices(self, submission: Submission) -> None:
        """Refuse known speakers of whom there is no sample.

        Raises:
            InvalidOptions: a clip is not there.
        """
        for known in submission.options.known_speakers:
            try:
                await self._clips.one(submission.owner, ClipId(known.sample))
            except ClipNotFound as error:
                raise InvalidOptions(f"known_speaker_clips: {error}") from error

    async def __call__(self, task_id: TaskId, submission: Submission, media: Media) -> MediaSource:
        """Return where the recording is.

        Raises:
            StorageFull: there is no room; nothing is kept.
            UploadRefused, MediaRejected: as `StageUpload.take`.
            ClipNotFound: there is no such clip.
            UrlNotAllowed: no request may go where the URL leads.
            NotConfigured: as `SecretUrls.seal`.
        """
        if isinstance(media, ClipMedia):
            return (await self._clips.one(submission.owner, media.id)).clip.source
        key = media_key(task_id)
        if isinstance(media, MediaUrl):
            url = self._egress.destination(media.url).url
            return MediaSource(
                key=key,
                filename=submission.filename or one_line(unquote(urlsplit(url).path.rpartition("/")[2])),
                size=0,
                sha256="",
                url=self._urls.seal(url),
                source_url=masked(url),
            )
        if isinstance(media, UUID):
            return await self._stage.take(submission.owner, media, task_id)
        blob = await (self._blobs.adopt(key, media) if isinstance(media, Path) else self._blobs.put(key, media))
        return MediaSource(key=key, filename=submission.filename, size=blob.size, sha256=blob.sha256)
