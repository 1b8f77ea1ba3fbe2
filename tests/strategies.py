"""Hypothesis strategies for what is stored: every value that the domain allows, the odd ones too."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from domain.access import ApiKey, Scope
from domain.attempts import Attempt, Outcome
from domain.media import ChannelMode
from domain.options import MAX_SPEAKERS, Goal, TranscriptionOptions
from domain.origin import Origin
from domain.task import Lease, MediaSource, Phase, Retention, Task, TaskError, TaskKind, TaskStatus

INDIA = timezone(timedelta(hours=5, minutes=30))

texts = st.text(max_size=30)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
"""What goes into a text column of its own: PostgreSQL has no NUL there. Callers' texts are stored as JSON."""
instants = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - the zone is drawn beside it
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, INDIA]),
)
counts = st.integers(0, 2**31 - 1)
milliseconds = st.integers(0, 2**53)
fractions = st.floats(0.0, 1.0)


@st.composite
def options(draw: st.DrawFn) -> TranscriptionOptions:
    """Options without contradictions."""
    speakers = st.integers(1, MAX_SPEAKERS)
    hints: dict[str, int | None] = {}
    diarization = draw(st.booleans())
    if diarization and draw(st.booleans()):
        hints["num_speakers"] = draw(speakers)
    elif diarization:
        hints["min_speakers"] = draw(st.none() | speakers)
        hints["max_speakers"] = draw(st.none() | st.integers(hints["min_speakers"] or 1, MAX_SPEAKERS))
    codes = st.from_regex(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", fullmatch=True)
    language = draw(st.just("auto") | codes)
    return TranscriptionOptions(
        language=language,
        languages=tuple(draw(st.lists(codes, max_size=3))) if language == "auto" else (),
        goal=draw(st.sampled_from(Goal)),
        temperature=draw(st.none() | fractions),
        model=draw(texts),
        diarization=diarization,
        channels=draw(st.sampled_from(ChannelMode)),
        initial_prompt=draw(texts),
        hotwords=tuple(draw(st.lists(texts, max_size=3))),
        format=draw(texts),
        only_first=draw(st.none() | st.integers(1, 2**53)),
        num_speakers=hints.get("num_speakers"),
        min_speakers=hints.get("min_speakers"),
        max_speakers=hints.get("max_speakers"),
    )


media_sources = st.builds(MediaSource, key=words, filename=texts, size=milliseconds, sha256=texts, url=words)
leases = st.builds(Lease, worker=words, token=milliseconds, until=instants)
ages = st.integers(0, 10**9).map(lambda seconds: timedelta(seconds=seconds))
task_errors = st.builds(TaskError, code=texts, detail=texts)
attempts = st.builds(
    Attempt, number=counts, worker=texts, started_at=instants, ended_at=st.none() | instants,
    outcome=st.sampled_from(Outcome), code=texts, stage=texts,
)  # fmt: skip

TASK_FIELDS: dict[str, st.SearchStrategy[object]] = {
    "id": st.uuids(),
    "owner": st.uuids(),
    "options": options(),
    "media": media_sources,
    "created_at": instants,
    "updated_at": instants,
    "run_after": instants,
    "status": st.sampled_from(TaskStatus),
    "started_at": st.none() | instants,
    "finished_at": st.none() | instants,
    "attempt": counts,
    "crashes": counts,
    "strikes": counts,
    "token": milliseconds,
    "lease": st.none() | leases,
    "phase": st.sampled_from(Phase),
    "phase_fraction": fractions,
    "progress": fractions,
    "eta_ms": st.none() | milliseconds,
    "cancel_requested": st.booleans(),
    "duration": st.none() | milliseconds,
    "language": st.none() | words,
    "revision": counts,
    "processing_ms": milliseconds,
    "error": st.none() | task_errors,
    "kind": st.sampled_from(TaskKind),
    "parent": st.none() | st.uuids(),
    "priority": st.integers(-(2**31), 2**31 - 1),
    "retention": st.builds(Retention, media=st.none() | ages, transcript=st.none() | ages),
    "media_purged_at": st.none() | instants,
    "quarantined": st.booleans(),
    "stalled": st.booleans(),
    "attempts": st.lists(attempts, max_size=3).map(tuple),
    "title": words,
    "tags": st.lists(words, max_size=3, unique=True).map(tuple),
    "batch": st.none() | st.uuids(),
    "origin": st.builds(Origin, words, words),
    "version": milliseconds,
}
tasks = st.builds(Task, **TASK_FIELDS)

API_KEY_FIELDS: dict[str, st.SearchStrategy[object]] = {
    "id": st.uuids(),
    "owner": st.uuids(),
    "name": words,
    "digest": words,
    "hint": words,
    "created_at": instants,
    "revoked_at": st.none() | instants,
    "last_used_at": st.none() | instants,
    "priority": st.integers(-(2**31), 2**31 - 1),
    "scopes": st.frozensets(st.sampled_from(Scope)),
    "expires_at": st.none() | instants,
    "replaced_by": st.none() | st.uuids(),
}
api_keys = st.builds(ApiKey, **API_KEY_FIELDS)
