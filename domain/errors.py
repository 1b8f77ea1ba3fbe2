"""The errors of the domain; each has a stable `code` that clients may rely on.

ColloquyError
├── InvalidOptions           what was asked for contradicts itself or cannot be done
├── InvalidSpan              an interval that ends before it starts
├── MediaRejected            the recording cannot be transcribed: empty, not media, too long, …
├── UploadRefused            an upload that is not there, not complete, or not what was announced
├── ModelNotFound            no engine knows a model of that name
├── EngineUnavailable        an engine or its weights are missing on this machine
│   └── DeviceUnavailable    its device is out of service for a while, after errors in a row
├── EngineFailed             an engine raised, ran out of memory, crashed or hung
├── TaskNotFound             no such task, or not the caller's
├── ClipNotFound             no such clip, or not the caller's
├── TaskNotReady             the result was asked for before it exists
├── WrongState               a transition that the task's life does not have
├── SpeakerNotFound          a transcript has no speaker under that label
├── EditConflict             somebody else changed the speakers since they were looked at
├── ParentGone               what a revision would revise is no more
├── LeaseLost                another worker holds the task now: stop and write nothing
├── Interrupted              work was stopped on purpose: cancellation or shutdown
├── QueueFull                so many tasks wait that no more are taken
│   └── QuotaExceeded        the owner has used up what it may use
├── KeyReused                a request's key names another request
├── StorageFull              a write failed for lack of space
├── StorageUnavailable       the object store is away, or refuses
├── DatabaseUnavailable      the database is away, restarting or overloaded: try again
├── WebhookNotFound          no such webhook or delivery, or not the caller's
├── NotConfigured            the installation lacks a setting that this needs
├── UrlNotAllowed            a URL leads where no request may go
├── FetchFailed              nothing can be fetched from a URL
│   └── FetchUnavailable     not just now, at least
├── KeyNotFound              no such API key, or not the caller's
├── EmailTaken               somebody has registered with this address
├── CallerRefused            no valid credential
└── ScopeLacking             a valid credential that is not good for this
"""

from typing import ClassVar


class ColloquyError(Exception):
    """Base of every error that the domain and the application raise on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        """Keep `detail`, which is shown to callers and so holds no path and no secret."""
        super().__init__(detail)
        self.detail = detail
        self.reason = code or self.code

    def __reduce__(self) -> tuple[object, tuple[type["ColloquyError"], str, str]]:
        """Survive pickling: engine children send their errors to the parent."""
        return _rebuild, (type(self), self.detail, self.reason)


def _rebuild(kind: type[ColloquyError], detail: str, reason: str) -> ColloquyError:
    return kind(detail, code=reason)


class InvalidOptions(ColloquyError):
    """The options contradict each other or ask for what the chosen engine cannot do."""

    code = "invalid_options"


class InvalidSpan(ColloquyError):
    """A span must start at zero or later and must not end before it starts."""

    code = "invalid_span"


class MediaRejected(ColloquyError):
    """The recording cannot be transcribed.

    Codes: `empty_file`, `not_media`, `no_audio_stream`, `no_audio_frames`, `too_long`, `too_large`,
    `decode_failed`, `input_changed` (it is no longer what was accepted).
    """

    code = "not_media"


class UploadRefused(ColloquyError):
    """An upload cannot be used.

    Codes: `not_found` (or somebody else's), `upload_incomplete`, `upload_mismatch`, `too_many_uploads`; of one that
    comes in pieces `upload_offset`, `upload_locked`, `upload_expired`, `piece_mismatch`.
    """

    code = "upload_incomplete"


class ModelNotFound(ColloquyError):
    """No configured engine knows a model of that name."""

    code = "model_not_found"


class EngineUnavailable(ColloquyError):
    """The engine, or the weights it needs, are not to be had on this machine."""

    code = "model_unavailable"


class DeviceUnavailable(EngineUnavailable):
    """The engine's device is out of service for a while, because it failed several times in a row."""

    code = "device_unavailable"


class EngineFailed(ColloquyError):
    """An engine failed while working.

    Codes: `engine_failed` (it raised), `out_of_memory`, `worker_crashed` (its process died),
    `engine_hung` (no progress until the watchdog ended it); of an engine on another machine `remote_timeout`,
    `remote_unreachable`, `remote_failed` (it fails again and again), `remote_refused` and `remote_garbled`.
    """

    code = "engine_failed"


class TaskNotFound(ColloquyError):
    """There is no such task, or it belongs to somebody else; the two are not told apart."""

    code = "not_found"


class ClipNotFound(ColloquyError):
    """There is no such clip, its time has come, or it belongs to somebody else; they are not told apart."""

    code = "not_found"


class TaskNotReady(ColloquyError):
    """The task has no result (yet)."""

    code = "not_ready"


class WrongState(ColloquyError):
    """The task's life has no such transition from where it is."""

    code = "wrong_state"


class SpeakerNotFound(ColloquyError):
    """The transcript, as it is edited, has no speaker under that label."""

    code = "speaker_not_found"


class EditConflict(ColloquyError):
    """The speakers were changed by somebody else since the caller looked at them; nothing was changed."""

    code = "edit_conflict"


class ParentGone(ColloquyError):
    """The task whose transcript was to be revised, or its transcript, has been deleted meanwhile."""

    code = "parent_gone"


class LeaseLost(ColloquyError):
    """The task was taken over by another worker; the holder must stop and write nothing more."""

    code = "lease_lost"


class Interrupted(ColloquyError):
    """The work was stopped on purpose: the task was cancelled or the process is shutting down."""

    code = "interrupted"


class QueueFull(ColloquyError):
    """So many tasks wait that no more are taken: everybody's (`queue_full`), or the caller's (`too_many_queued`)."""

    code = "queue_full"


class QuotaExceeded(QueueFull):
    """The owner has used what it may use; after `retry_after` seconds, at least 1, some of it comes free."""

    code = "quota_exceeded"
    retry_after = 1


class KeyReused(ColloquyError):
    """The caller's key for a request names an earlier one that asked for something else."""

    code = "idempotency_mismatch"


class StorageFull(ColloquyError):
    """There is no room left to write to."""

    code = "storage_full"


class StorageUnavailable(ColloquyError):
    """The object store does not answer, or refuses; what was asked may be asked again in a moment."""

    code = "storage_unavailable"


class DatabaseUnavailable(ColloquyError):
    """The database does not answer; what was asked may be asked again in a moment."""

    code = "database_unavailable"


class WebhookNotFound(ColloquyError):
    """There is no such webhook or delivery, or it belongs to somebody else; the two are not told apart."""

    code = "not_found"


class NotConfigured(ColloquyError):
    """The installation lacks a setting that this needs; the detail names it."""

    code = "not_configured"


class UrlNotAllowed(ColloquyError):
    """A URL is malformed, or leads to a scheme, an address or a port to which no request may go."""

    code = "url_not_allowed"


class FetchFailed(ColloquyError):
    """Nothing can be fetched from a URL, and asking again would not help. Codes: `fetch_failed`, `live_stream`."""

    code = "fetch_failed"


class FetchUnavailable(FetchFailed):
    """Nothing can be fetched just now: the server, or what leads to it, does not answer as it should."""

    code = "fetch_unavailable"


class CallerRefused(ColloquyError):
    """The caller has shown no valid credential."""

    code = "unauthorized"


class ScopeLacking(ColloquyError):
    """The caller's credential is valid, but not good for what it asked for."""

    code = "forbidden"


class KeyNotFound(ColloquyError):
    """There is no such API key, or it belongs to somebody else; the two are not told apart."""

    code = "not_found"


class EmailTaken(ColloquyError):
    """Somebody has registered with this address already."""

    code = "email_taken"
