from datetime import timedelta

from domain.attempts import KEPT, Outcome
from domain.backoff import after_crash, after_failure
from domain.task import MAX_CRASHES, MAX_STRIKES, Task, TaskError, TaskStatus
from tests.builders import NOW, a_task

SECOND = timedelta(seconds=1)
CRASH = TaskError("worker_crashed", "the engine's process died")
FULL = TaskError("storage_full", "there is no room")


def claimed(task: Task) -> Task:
    task.run_after = NOW
    task.claim(worker="w", now=NOW)
    return task


def fail(task: Task, error: TaskError = CRASH, *, stage: str = "window", strike: bool = True) -> None:
    task.retry(token=claimed(task).token, error=error, delay=SECOND, now=NOW + SECOND, strike=strike, stage=stage)


def test_the_history_tells_how_each_attempt_ended() -> None:
    task = a_task()
    task.release(token=claimed(task).token, now=NOW + SECOND)
    fail(task)
    claimed(task)
    task.expire(now=NOW + SECOND, delay=SECOND, gone=True)
    task.complete(
        token=claimed(task).token, now=NOW + SECOND, language="en", duration=1, processing_ms=1
    )  # fmt: skip
    assert [(past.number, past.outcome, past.code, past.stage) for past in task.attempts] == [
        (1, Outcome.RELEASED, "", ""),
        (1, Outcome.FAILED, "worker_crashed", "window"),
        (2, Outcome.CRASHED, "worker_crashed", ""),
        (3, Outcome.COMPLETED, "", ""),
    ]
    assert {(past.worker, past.started_at, past.ended_at) for past in task.attempts} == {("w", NOW, NOW + SECOND)}


def test_the_history_holds_so_many_and_no_more() -> None:
    task = a_task()
    for _ in range(KEPT + 5):
        fail(task, FULL, strike=False)
    assert [past.number for past in task.attempts] == list(range(6, KEPT + 6))


def test_an_attempt_that_nobody_closed_has_crashed() -> None:
    """A process of the release before knows no history: what it ends stays open."""
    task = claimed(a_task())
    task.status, task.lease = TaskStatus.QUEUED, None
    claimed(task)
    assert [past.outcome for past in task.attempts] == [Outcome.CRASHED, Outcome.RUNNING]


def test_a_stage_strikes_out_whatever_the_one_beside_it_finishes() -> None:
    task = a_task()
    for _ in range(MAX_STRIKES - 1):
        fail(task)
        task.checkpointed(token=claimed(task).token, stage="diarization")
        task.release(token=task.token, now=NOW)
    assert task.strikes == MAX_STRIKES - 1
    fail(task)
    assert (task.status, task.error, task.quarantined) == (TaskStatus.ERROR, CRASH, True)


def test_a_stage_that_gets_further_is_forgiven() -> None:
    task = a_task()
    fail(task)
    task.checkpointed(token=claimed(task).token, stage="window")
    assert task.strikes == 0


def test_strikes_of_several_stages_add_up() -> None:
    task = a_task()
    for stage in ("window", "speech", "window"):
        fail(task, stage=stage)
    assert task.status is TaskStatus.ERROR


def test_a_recording_that_kills_is_set_apart_and_one_that_fails_is_not() -> None:
    killing, failing = a_task(), a_task()
    for _ in range(MAX_CRASHES):
        claimed(killing)
        killing.expire(now=NOW, delay=SECOND, gone=True)
    for _ in range(MAX_STRIKES):
        fail(failing, TaskError("engine_failed", "it raised"))
    assert (killing.status, killing.quarantined) == (TaskStatus.ERROR, True)
    assert (failing.status, failing.quarantined) == (TaskStatus.ERROR, False)


def test_the_same_reason_in_a_row_doubles_the_wait_up_to_a_bound() -> None:
    task, waits = a_task(), []
    for _ in range(8):
        waits.append(after_failure(task, "storage_full").total_seconds())
        fail(task, FULL, strike=False)
    for wait, expected in zip(waits, [60, 120, 240, 480, 900, 900, 900, 900], strict=True):
        assert expected <= wait <= expected * 1.25
    assert 5 <= after_failure(task, "engine_failed").total_seconds() <= 6.25, "another reason starts anew"


def test_tasks_that_one_outage_sent_back_do_not_come_back_together() -> None:
    waits = {after_failure(a_task(token=1), "storage_unavailable") for _ in range(20)}
    assert len(waits) == 20


def test_after_its_first_crash_a_task_goes_on_at_once() -> None:
    assert after_crash(a_task()) == timedelta()
    seconds = [after_crash(a_task(crashes=crashes)).total_seconds() for crashes in (1, 2, 9)]
    assert all(low <= wait <= 1.25 * low for wait, low in zip(seconds, (5, 10, 60), strict=True))
