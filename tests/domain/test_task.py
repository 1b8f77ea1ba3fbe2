from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.errors import LeaseLost, WrongState
from domain.task import LEASE, MAX_CRASHES, MAX_STRIKES, Phase, Task, TaskError, TaskStatus
from tests.builders import NOW, a_running_task, a_task

SECOND = timedelta(seconds=1)
FAILURE = TaskError("engine_failed", "it broke")
WAIT = timedelta(seconds=5)


def held_token(task: Task) -> int:
    assert task.lease is not None
    return task.lease.token


class TaskLife(RuleBasedStateMachine):
    """Any sequence of what workers, callers and the sweeper may do to one task."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.task = a_task()
        self.ended: TaskStatus | None = None
        self.progress = 0.0
        self.tokens: list[int] = []

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def claim(self) -> None:
        due = self.task.status is TaskStatus.QUEUED and self.task.run_after <= self.now
        if not due:
            with pytest.raises(WrongState):
                self.task.claim(worker="w", now=self.now)
            return
        self.task.claim(worker="w", now=self.now)
        assert not self.tokens or self.task.token > self.tokens[-1]
        self.tokens.append(self.task.token)
        self.progress = self.task.progress

    @precondition(lambda self: self.task.lease is not None)
    @rule(fraction=st.floats(-1, 2), progress=st.floats(-1, 2), eta=st.none() | st.integers(-5, 5))
    def advance(self, fraction: float, progress: float, eta: int | None) -> None:
        self.task.advance(
            token=held_token(self.task), phase=Phase.TRANSCRIBING, fraction=fraction, progress=progress, eta_ms=eta,
            now=self.now,
        )  # fmt: skip
        assert self.task.progress >= self.progress
        self.progress = self.task.progress

    @precondition(lambda self: self.task.lease is not None)
    @rule()
    def checkpoint(self) -> None:
        self.task.checkpointed(token=held_token(self.task))
        assert self.task.strikes == self.task.crashes == 0

    @precondition(lambda self: self.task.lease is not None)
    @rule()
    def renew(self) -> None:
        self.task.renew(token=held_token(self.task), now=self.now)
        assert self.task.lease is not None
        assert self.task.lease.until == self.now + LEASE

    @precondition(lambda self: self.task.lease is not None)
    @rule(how=st.sampled_from(["complete", "fail", "retry", "wait", "release", "confirm"]))
    def leave(self, how: str) -> None:
        token, attempt = held_token(self.task), self.task.attempt
        if how == "complete":
            self.task.complete(token=token, now=self.now, language="en", duration=1000, processing_ms=10)
        elif how == "fail":
            self.task.fail(token=token, error=FAILURE, now=self.now)
        elif how == "retry":
            self.task.retry(token=token, error=FAILURE, delay=WAIT, now=self.now)
        elif how == "wait":
            self.task.retry(token=token, error=FAILURE, delay=WAIT, now=self.now, strike=False)
        elif how == "release":
            self.task.release(token=token, now=self.now)
            assert self.task.attempt == attempt - 1
        else:
            self.task.cancelled(token=token, now=self.now)

    @precondition(lambda self: self.task.lease is not None)
    @rule(gone=st.booleans())
    def sweep(self, gone: bool) -> None:  # noqa: FBT001 - drawn
        assert self.task.lease is not None
        if self.task.lease.until > self.now and not gone:
            with pytest.raises(WrongState):
                self.task.expire(now=self.now, delay=WAIT)
        else:
            self.task.expire(now=self.now, delay=WAIT, gone=gone)

    @rule()
    def cancel(self) -> None:
        if self.task.status in {TaskStatus.DONE, TaskStatus.ERROR} and not self.task.cancel_requested:
            with pytest.raises(WrongState):
                self.task.request_cancel(now=self.now)
            return
        queued = self.task.status is TaskStatus.QUEUED
        self.task.request_cancel(now=self.now)
        assert not queued or self.task.status is TaskStatus.CANCELLED

    @precondition(lambda self: len(self.tokens) > 1 or (self.tokens and self.task.lease is None))
    @rule(data=st.data())
    def write_late(self, data: st.DataObject) -> None:
        current = self.task.lease.token if self.task.lease else None
        stale = data.draw(st.sampled_from([token for token in self.tokens if token != current]))
        before = repr(self.task)
        late: list[Any] = [
            lambda: self.task.renew(token=stale, now=self.now),
            lambda: self.task.complete(token=stale, now=self.now, language="en", duration=1, processing_ms=1),
            lambda: self.task.fail(token=stale, error=FAILURE, now=self.now),
            lambda: self.task.retry(token=stale, error=FAILURE, delay=WAIT, now=self.now),
            lambda: self.task.release(token=stale, now=self.now),
            lambda: self.task.cancelled(token=stale, now=self.now),
            lambda: self.task.checkpointed(token=stale),
            lambda: self.task.measured(token=stale, duration=1),
        ]
        with pytest.raises(LeaseLost):
            data.draw(st.sampled_from(late))()
        assert repr(self.task) == before

    @invariant()
    def a_task_that_has_ended_stays_ended(self) -> None:
        assert self.ended is None or self.task.status is self.ended
        if self.task.status.final:
            self.ended = self.task.status
            assert self.task.finished_at is not None

    @invariant()
    def whoever_works_on_it_holds_the_lease(self) -> None:
        assert (self.task.lease is not None) == (self.task.status is TaskStatus.PROCESSING)

    @invariant()
    def a_result_exists_when_it_is_done_and_only_then(self) -> None:
        assert (self.task.revision > 0) == (self.task.status is TaskStatus.DONE)
        assert (self.task.error is not None) == (self.task.status is TaskStatus.ERROR)

    @invariant()
    def a_cancelled_task_never_waits_again(self) -> None:
        assert not (self.task.cancel_requested and self.task.status is TaskStatus.QUEUED)

    @invariant()
    def counts_and_estimates_stay_in_bounds(self) -> None:
        assert 0 <= self.task.strikes <= MAX_STRIKES
        assert 0 <= self.task.crashes <= MAX_CRASHES
        assert 0 <= self.task.attempt <= len(self.tokens)
        assert 0 <= self.task.progress <= 1
        assert 0 <= self.task.phase_fraction <= 1
        assert self.task.eta_ms is None or self.task.eta_ms >= 0


TestTaskLife = TaskLife.TestCase
TestTaskLife.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_a_task_whose_engine_fails_three_times_is_given_up() -> None:
    task, now = a_task(), NOW
    for _ in range(MAX_STRIKES):
        assert task.status is TaskStatus.QUEUED
        task.claim(worker="w", now=now)
        task.retry(token=task.token, error=FAILURE, delay=SECOND, now=now)
        now += SECOND
    assert (task.status, task.error, task.attempt) == (TaskStatus.ERROR, FAILURE, 3)


def test_a_task_whose_worker_dies_ten_times_is_given_up() -> None:
    task, now = a_task(), NOW
    for _ in range(MAX_CRASHES):
        assert task.status is TaskStatus.QUEUED
        task.claim(worker="w", now=now)
        task.expire(now=now, delay=SECOND, gone=True)
        now += SECOND
    assert task.status is TaskStatus.ERROR
    assert task.error is not None
    assert (task.error.code, task.crashes, task.attempt) == ("worker_crashed", 10, 10)


def test_crashes_before_a_checkpoint_are_not_held_against_a_task() -> None:
    task, now = a_task(), NOW
    for _ in range(3 * MAX_CRASHES):
        task.claim(worker="w", now=now)
        task.checkpointed(token=task.token)
        task.expire(now=now, delay=SECOND, gone=True)
        now += SECOND
    assert task.status is TaskStatus.QUEUED
    assert task.crashes == 1


def test_waiting_for_something_outside_the_task_costs_nothing() -> None:
    task, now = a_task(), NOW
    for _ in range(3 * MAX_STRIKES):
        task.claim(worker="w", now=now)
        task.retry(token=task.token, error=FAILURE, delay=SECOND, now=now, strike=False)
        now += SECOND
    assert (task.status, task.strikes, task.error) == (TaskStatus.QUEUED, 0, None)


def test_a_lease_is_the_only_way_to_write() -> None:
    task = a_running_task()
    with pytest.raises(LeaseLost):
        task.renew(token=task.token + 1, now=NOW)
