"""The one table of what can go wrong: each stable code with its HTTP status and title; it answers nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.task import TaskError
from entrypoints.http.schemas import JobProblem

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: the HTTP status, the title that never varies, and the type's name if it is not the code."""

    status: int
    title: str
    name: str = ""


KINDS: Mapping[str, Kind] = {
    "malformed_request": Kind(400, "The request cannot be read"),
    "checksum_mismatch": Kind(400, "The bytes are not those that were sent"),
    "unauthorized": Kind(401, "A valid credential is required"),
    "forbidden": Kind(403, "The credential is not good for this"),
    "not_found": Kind(404, "There is no such thing"),
    "model_not_found": Kind(404, "There is no such model"),
    "speaker_not_found": Kind(404, "There is no such speaker"),
    "method_not_allowed": Kind(405, "The method is not allowed here"),
    "request_timeout": Kind(408, "The request came too slowly"),
    "not_ready": Kind(409, "The result does not exist yet"),
    "wrong_state": Kind(409, "The task's state does not allow this"),
    "recording_purged": Kind(409, "The recording has been removed"),
    "quarantined": Kind(409, "The task was set apart"),
    "parent_gone": Kind(409, "What was to be revised is gone"),
    "email_taken": Kind(409, "The address has a user already"),
    "webhook_disabled": Kind(409, "The webhook is disabled"),
    "too_many_webhooks": Kind(409, "There are too many webhooks"),
    "edit_conflict": Kind(412, "The speakers were changed meanwhile"),
    "too_large": Kind(413, "The recording is too large", "audio-too-large"),
    "upload_offset": Kind(409, "The piece begins where the upload does not end"),
    "upload_incomplete": Kind(409, "The upload is not complete"),
    "upload_expired": Kind(410, "The upload's time is over"),
    "tus_version": Kind(412, "The version of tus is not supported"),
    "media_purged": Kind(410, "The recording is no longer kept"),
    "form_too_large": Kind(413, "The form's text is too large"),
    "unsupported_media": Kind(415, "The body's media type is not supported"),
    "upload_locked": Kind(423, "Another request writes to the upload"),
    "piece_mismatch": Kind(460, "The piece is not what its checksum says"),
    "invalid_options": Kind(422, "The options are not valid"),
    "unsupported_language": Kind(422, "The language is not supported"),
    "upload_mismatch": Kind(422, "The upload is not what was announced"),
    "input_changed": Kind(422, "The recording was changed after it was accepted"),
    "empty_file": Kind(422, "The recording is empty"),
    "not_media": Kind(422, "The file is neither audio nor video"),
    "no_audio_stream": Kind(422, "The file has no audio"),
    "no_audio_frames": Kind(422, "The file's audio is empty"),
    "too_long": Kind(422, "The recording is too long", "audio-too-long"),
    "decode_failed": Kind(422, "The recording cannot be decoded", "undecodable-audio"),
    "url_not_allowed": Kind(422, "No request may go where the URL leads"),
    "fetch_failed": Kind(422, "Nothing can be fetched from the URL"),
    "live_stream": Kind(422, "A live stream has no end yet"),
    "too_many_uploads": Kind(429, "Too many uploads wait for their tasks"),
    "idempotency_mismatch": Kind(422, "The key names another request"),
    "rate_limited": Kind(429, "Too many requests"),
    "quota_exceeded": Kind(429, "Your quota is used up"),
    "queue_full": Kind(429, "Too many tasks wait"),
    "too_many_subscriptions": Kind(429, "One connection follows too many tasks"),
    "too_many_queued": Kind(429, "Too many of your tasks wait"),
    "headers_too_large": Kind(431, "The request's headers are too large"),
    "engine_failed": Kind(500, "An engine failed"),
    "engine_hung": Kind(500, "An engine made no progress and was stopped"),
    "out_of_memory": Kind(500, "The engine ran out of memory"),
    "worker_crashed": Kind(500, "The process working on the task died"),
    "remote_failed": Kind(502, "The remote engine's server fails"),
    "remote_garbled": Kind(502, "The remote engine's server answers what cannot be understood"),
    "remote_refused": Kind(502, "The remote engine's server refused the speech"),
    "remote_unreachable": Kind(502, "The remote engine's server cannot be reached"),
    "remote_timeout": Kind(504, "The remote engine's server did not answer in time"),
    "fetch_unavailable": Kind(502, "The URL's server does not answer as it should"),
    # The edge's own, when it has nobody's answer to pass on.
    "broken_off": Kind(502, "The service broke off"),
    "no_answer": Kind(504, "The service did not answer in time"),
    "internal_error": Kind(500, "Something went wrong on our side"),
    "restarting": Kind(503, "The service restarts"),
    "model_unavailable": Kind(503, "The model is not available here"),
    "storage_unavailable": Kind(503, "The object store does not answer"),
    "database_unavailable": Kind(503, "The database does not answer"),
    "not_configured": Kind(503, "The installation lacks a setting for this"),
    "storage_full": Kind(507, "There is no room left"),
}


def problem_type(code: str) -> str:
    """Return the type of a problem: a path on this server that explains it."""
    return f"/problems/{KINDS[code].name or code.replace('_', '-')}"


def job_problem(error: TaskError) -> JobProblem:
    """Show why a task ended in error."""
    code = error.code if error.code in KINDS else "internal_error"
    kind = KINDS[code]
    return JobProblem(
        type=problem_type(code), title=kind.title, status=kind.status, detail=error.detail, code=error.code
    )
