"""The curl lines of five earlier services' descriptions, and what each is answered: the table of `test_seed_curls`.

Commands are as they were written for `localhost:8000`; requests that were shown without a command have one here. What
an answer must have is written as an example of types: a type, a set of values, a test, or a structure of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


def some_id(value: object) -> bool:
    return isinstance(value, str) and str(UUID(value)) == value


def a_time(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value) is not None


def between(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def percent(value: object) -> bool:
    return type(value) is int and 0 <= value <= 100


def a_float(value: object) -> bool:
    return type(value) is float


def seconds_or_none(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


def line_of_a_speaker(value: object) -> bool:
    """As `Speaker_01 [0.00s - 5.23s]: Hello`."""
    import re  # noqa: PLC0415 - this is its only use

    pattern = r"Speaker_\d\d \[\d+\.\d\ds - \d+\.\d\ds\]: \S.*"
    return isinstance(value, str) and all(re.fullmatch(pattern, line) for line in value.splitlines())


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line: whose it is, what it does, and what its answer has; `until` are statuses for which it is repeated.

    `home` is the prefix that stands in the place of the host; `key` says whether the service knew keys.
    """

    seed: str
    does: str
    command: str
    answer: object
    home: str = ""
    until: tuple[str, ...] = ()
    key: bool = True
    status: int = 200

    @property
    def name(self) -> str:
        return f"{self.seed}{self.home.replace('/compat/', ' ')}: {self.does}"


SEGMENT = {"start": a_float, "end": a_float, "speaker": lambda value: str(value).startswith("spk_"), "text": str}
S0_RESULT = {
    "task_id": some_id, "status": {"done"}, "language": {"en"}, "model": {"large"}, "segments": [SEGMENT],
    "full_text": str, "processing_time": a_float,
}  # fmt: skip
S0_STATUS = {"task_id": some_id, "status": {"queued", "processing", "done"}, "progress": percent,
             "eta_seconds": seconds_or_none}  # fmt: skip
S0_ACCEPTED = {"task_id": some_id, "status": {"queued"}, "message": str}
HEALTH = {"status": {"healthy"}, "version": str}

S0 = [
    Line(
        seed="S0", does="submit", status=202, answer=S0_ACCEPTED,
        command='''curl -X POST "http://localhost:8000/api/v1/transcribe" \\
  -H "Authorization: Bearer mvp-api-key-123" \\
  -F "file=@audio.mp3" \\
  -F "lang=auto" \\
  -F "format=json" \\
  -F "diarization=true"''',
    ),
    Line(
        seed="S0", does="status", answer=S0_STATUS, until=("done",),
        command='''curl "http://localhost:8000/api/v1/status/{task_id}" \\
  -H "Authorization: Bearer mvp-api-key-123"''',
    ),
    Line(
        seed="S0", does="result", answer=S0_RESULT,
        command='''curl "http://localhost:8000/api/v1/result/{task_id}" \\
  -H "Authorization: Bearer mvp-api-key-123"''',
    ),
    Line(
        seed="S0", does="submit, without a version and with a model", status=202, answer=S0_ACCEPTED,
        command='''curl -X POST "https://api.example.com/transcribe" \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -F "file=@meeting.mp3" \\
  -F "lang=auto" \\
  -F "model=large" \\
  -F "format=json" \\
  -F "diarization=true"''',
    ),
    Line(
        seed="S0", does="status, without a version", answer=S0_STATUS, until=("done",),
        command='curl "https://api.example.com/status/{task_id}" -H "Authorization: Bearer YOUR_API_KEY"',
    ),
    Line(
        seed="S0", does="result, without a version", answer=S0_RESULT,
        command='curl "https://api.example.com/result/{task_id}" -H "Authorization: Bearer YOUR_API_KEY"',
    ),
    Line(seed="S0", does="health", answer=HEALTH, command="curl http://localhost:8000/health", key=False),
]  # fmt: skip

S1_RESULT = {
    "text": str, "language": str, "segments": [{"start": a_float, "end": a_float, "speaker": str, "text": str}]
}  # fmt: skip
S1_STATUSES = {"queued", "processing", "transcribing", "diarizing", "completed"}
S1_JOB = {
    "id": some_id, "status": S1_STATUSES, "progress": between(0, 100), "stage_detail": str,
    "result": lambda value: value is None or isinstance(value, dict), "error": {None}, "created_at": a_time,
    "updated_at": a_time,
}  # fmt: skip


def _s1(home: str) -> list[Line]:
    lines = [
        Line(
            seed="S1", does="submit a job", answer={"job_id": some_id},
            command='curl -X POST -F "file=@long_audio.wav" http://localhost:8000/jobs',
        ),
        Line(seed="S1", does="poll a job", answer=S1_JOB, command="curl http://localhost:8000/jobs/<job_id>"),
        Line(
            seed="S1", does="poll a job to its end", until=("completed",), answer=S1_JOB | {"result": S1_RESULT},
            command="curl http://localhost:8000/jobs/<job_id>",
        ),
        Line(
            seed="S1", does="delete a job", answer={"job_id": some_id},
            command="curl -X DELETE http://localhost:8000/jobs/<job_id>",
        ),
        Line(
            seed="S1", does="a deleted job is gone", status=404, answer={"detail": str},
            command="curl http://localhost:8000/jobs/<job_id>",
        ),
        Line(seed="S1", does="health", answer=HEALTH, command="curl http://localhost:8000/health"),
    ]  # fmt: skip
    if home:  # at the root this is another service's
        lines.append(
            Line(
                seed="S1", does="transcribe at once", answer=S1_RESULT,
                command='curl -X POST -F "file=@audio.wav" http://localhost:8000/transcribe',
            )
        )  # fmt: skip
    return [Line(**{**vars(line), "home": home, "key": False}) for line in lines]


S2_SPEAKER = {"total_duration": a_float, "percentage": between(0, 100), "segment_count": int, "word_count": int}
S2_RESULT = {
    "transcript": line_of_a_speaker, "speakers": {"Speaker_01": S2_SPEAKER}, "segments": [{"text": str}],
    "processing_time": a_float, "audio_duration": a_float, "total_speakers": int,
}  # fmt: skip


def _s2(home: str) -> list[Line]:
    lines = [
        Line(
            seed="S2", does="diarize", answer={"job_id": some_id, "status": {"queued"}},
            command='''curl -X POST "http://localhost:8000/diarize" \\
     -H "accept: application/json" \\
     -H "Content-Type: multipart/form-data" \\
     -F "audio_file=@sample_call.wav"''',
        ),
        Line(seed="S2", does="health", answer=HEALTH, command="curl http://localhost:8000/health"),
    ]  # fmt: skip
    if home:  # at the root this is another service's
        lines[1:1] = [
            Line(
                seed="S2", does="status", command='curl "http://localhost:8000/status/{job_id}"',
                answer={
                    "job_id": some_id, "status": {"queued", "processing", "completed"}, "progress": between(0, 1),
                },
            ),
            Line(
                seed="S2", does="status and result", until=("completed",),
                command='curl "http://localhost:8000/status/{job_id}"',
                answer={"job_id": some_id, "status": {"completed"}, "progress": {1.0}, "result": S2_RESULT},
            ),
        ]  # fmt: skip
    return [Line(**{**vars(line), "home": home, "key": False}) for line in lines]


S3_SEGMENT = {
    "speaker": lambda value: str(value).startswith("SPEAKER_0"), "start": a_float, "end": a_float, "text": str
}  # fmt: skip


def _s3(home: str) -> list[Line]:
    lines = [
        Line(
            seed="S3", does="send a recording", answer={"clip_id": some_id, "message": {"File uploaded successfully."}},
            command='curl -X POST -F "file=@audio.wav" http://localhost:8000/api/audio',
        ),
        Line(
            seed="S3", does="transcribe it", answer={"segments": [S3_SEGMENT]},
            command='curl -X POST "http://localhost:8000/api/transcribe?clip_id={clip_id}"',
        ),
        Line(
            seed="S3", does="about the recording", answer={"clip_id": some_id, "filename": str},
            command="curl http://localhost:8000/api/audio/{clip_id}",
        ),
        Line(
            seed="S3", does="delete the recording", answer={"clip_id": some_id},
            command="curl -X DELETE http://localhost:8000/api/audio/{clip_id}",
        ),
        Line(
            seed="S3", does="a deleted recording is gone", answer={"detail": str}, status=404,
            command="curl http://localhost:8000/api/audio/{clip_id}",
        ),
    ]  # fmt: skip
    if home:
        lines.insert(
            2,
            Line(
                seed="S3", does="transcribe it without speakers",
                answer={"segments": [S3_SEGMENT | {"speaker": {None}}]},
                command='curl -X POST "http://localhost:8000/api/transcribe?clip_id={clip_id}&diarize=false"',
            ),
        )  # fmt: skip
    return [Line(**{**vars(line), "home": home, "key": False}) for line in lines]


S4_JOB = {"id": some_id, "created_at": a_time, "task_id": some_id}


def _s4(home: str) -> list[Line]:
    lines = [
        Line(
            seed="S4", does="register", status=201,
            answer={"id": some_id, "email": str, "full_name": {"John Doe"}, "created_at": a_time},
            command="""curl -X POST "http://localhost:8000/api/v1/auth/register" \\
     -H "Content-Type: application/json" \\
     -d '{
           "email": "user@example.com",
           "password": "StrongPass123!",
           "full_name": "John Doe"
         }\'""",
        ),
        Line(
            seed="S4", does="log in", answer={"access_token": str, "token_type": {"bearer"}},
            command='''curl -X POST "http://localhost:8000/api/v1/auth/token" \\
     -H "Content-Type: application/x-www-form-urlencoded" \\
     -d "username=user@example.com&password=StrongPass123!"''',
        ),
        Line(
            seed="S4", does="diarize", answer=S4_JOB | {"status": {"pending"}},
            command="""curl -X POST "http://localhost:8000/api/v1/speaker/diarize" \\
-H "Authorization: Bearer ${TOKEN}" \\
-F "file=@audio.wav" \\
-F "num_speakers=3" # Optional""",
        ),
        Line(
            seed="S4", does="diarization results", until=("completed",),
            answer=S4_JOB | {
                "status": {"completed"}, "completed_at": a_time,
                "task_status": {"state": {"SUCCESS"}, "progress": {100}, "error": {None}},
                "result": {"num_speakers": int, "turns": [{"start": a_float, "end": a_float, "speaker": str}]},
            },
            command='''curl -X GET "http://localhost:8000/api/v1/speaker/jobs/1" \\
     -H "Authorization: Bearer ${TOKEN}"''',
        ),
        Line(
            seed="S4", does="an error", status=422,
            answer={
                "error_code": {"INVALID_INPUT"}, "message": str, "details": {"field": {"num_speakers"}, "error": str}
            },
            command='''curl -X POST "http://localhost:8000/api/v1/speaker/diarize" \\
-H "Authorization: Bearer ${TOKEN}" \\
-F "num_speakers=many" \\
-F "file=@audio.wav"''',
        ),
        Line(
            seed="S4", does="health", answer=HEALTH | {"gpu_available": bool},
            command='curl -X GET "http://localhost:8000/api/v1/health"',
        ),
    ]  # fmt: skip
    return [Line(**{**vars(line), "home": home}) for line in lines]


LINES: list[Line] = [
    *S0, *_s1("/compat/jobs"), *_s1(""), *_s2("/compat/diarizer"), *_s2(""), *_s3("/compat/clips"), *_s3(""),
    *_s4("/compat/platform"), *_s4(""),
]  # fmt: skip
"""In the order in which they are run: later ones name what earlier ones made."""


def misfit(value: Any, shape: Any, path: str = "") -> str:
    """Say where `value` is not as `shape`; empty if it is."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or shape.keys() - value.keys():
            return f"{path or 'answer'} lacks {sorted(shape.keys() - dict(value or {}).keys())}: {value!r:.200}"
        return next(filter(None, (misfit(value[name], part, f"{path}/{name}") for name, part in shape.items())), "")
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return f"{path} is no list of anything: {value!r:.200}"
        return next(filter(None, (misfit(item, shape[0], f"{path}/{at}") for at, item in enumerate(value))), "")
    if isinstance(shape, set | frozenset):
        fits = value in shape
    else:
        fits = isinstance(value, shape) if isinstance(shape, type) else shape(value)
    return "" if fits else f"{path} is {value!r:.200}"
