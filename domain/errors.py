"""The errors of the domain; each has a stable `code` that clients may rely on.

ColloquyError
├── InvalidOptions           what was asked for contradicts itself or cannot be done
├── InvalidSpan              an interval that ends before it starts
├── MediaRejected            the recording cannot be transcribed: empty, not media, too long, …
├── ModelNotFound            no engine knows a model of that name
├── EngineUnavailable        an engine or its weights are missing on this machine
│   └── DeviceUnavailable    its device is out of service for a while, after errors in a row
├── EngineFailed             an engine raised, ran out of memory, crashed or hung
├── TaskNotFound             no such task, or not the caller's
├── TaskNotReady             the result was asked for before it exists
├── WrongState               a transition that the task's life does not have
├── LeaseLost                another worker holds the task now: stop and write nothing
├── Interrupted              work was stopped on purpose: cancellation or shutdown
├── StorageFull              a write failed for lack of space
├── StorageUnavailable       the object store is away, or refuses
├── DatabaseUnavailable      the database is away, restarting or overloaded: try again
└── CallerRefused            no valid credential
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
    `decode_failed`.
    """

    code = "not_media"


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


class TaskNotReady(ColloquyError):
    """The task has no result (yet)."""

    code = "not_ready"


class WrongState(ColloquyError):
    """The task's life has no such transition from where it is."""

    code = "wrong_state"


class LeaseLost(ColloquyError):
    """The task was taken over by another worker; the holder must stop and write nothing more."""

    code = "lease_lost"


class Interrupted(ColloquyError):
    """The work was stopped on purpose: the task was cancelled or the process is shutting down."""

    code = "interrupted"


class StorageFull(ColloquyError):
    """There is no room left to write to."""

    code = "storage_full"


class StorageUnavailable(ColloquyError):
    """The object store does not answer, or refuses; what was asked may be asked again in a moment."""

    code = "storage_unavailable"


class DatabaseUnavailable(ColloquyError):
    """The database does not answer; what was asked may be asked again in a moment."""

    code = "database_unavailable"


class CallerRefused(ColloquyError):
    """The caller has shown no valid credential."""

    code = "unauthorized"
