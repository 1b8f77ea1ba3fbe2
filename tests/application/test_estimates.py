"""The time to go, foretold from what earlier tasks took; and that a task which stands still is seen to.

Time is a number here: each stage goes at a speed that the test knows.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from application.progress import PATIENCE_SECONDS, STRANGE_SECONDS, Progress
from domain.pace import Pace, Work
from domain.stage import StageName
from domain.task import Phase
from tests.application.test_progress import HandClock

WORKS = {
    Phase.DECODING: Work(stage=StageName.DECODE),
    Phase.DETECTING: Work(stage=StageName.VOICE_ACTIVITY),
    Phase.TRANSCRIBING: Work(stage=StageName.RECOGNITION, engine="whisper"),
    Phase.DIARIZING: Work(stage=StageName.DIARIZATION, engine="pyannote"),
    Phase.FINISHING: Work(stage=StageName.SECOND_LOOK, engine="pyannote"),
}
WINDOW = 300.0
"""Seconds of audio after which recognition says how far it is."""


@dataclass
class Machine:
    """Runs recordings at known speeds: seconds of work for a second of audio, by phase."""

    speeds: dict[Phase, float]

    def run(self, audio: float, paces: dict[Work, Pace], *, done: float = 0.0) -> Iterator[tuple[float, float | None]]:
        """Give, second by second, how long it really takes from there, and what was foretold, if anything was.

        `done` is the part of the recognition that an earlier attempt has done.
        """
        clock = HandClock()
        progress = Progress(clock)
        progress.paces, progress.duration = paces, int(audio * 1000)
        for phase, work in WORKS.items():
            progress.expect(phase, work, step=int(WINDOW * 1000) if phase is Phase.TRANSCRIBING else None)
        took = {phase: speed * audio for phase, speed in self.speeds.items()}
        took[Phase.TRANSCRIBING] *= 1.0 - done
        starts = {Phase.DECODING: 0.0, Phase.DETECTING: took[Phase.DECODING]}
        beside = starts[Phase.DETECTING] + took[Phase.DETECTING]
        starts |= {Phase.TRANSCRIBING: beside, Phase.DIARIZING: beside}
        starts[Phase.FINISHING] = beside + max(took[Phase.TRANSCRIBING], took[Phase.DIARIZING])
        end = starts[Phase.FINISHING] + took[Phase.FINISHING]
        while clock.seconds < end:
            for phase, start in starts.items():
                if clock.seconds >= start:
                    progress.begin(phase)
                    part = min(1.0, (clock.seconds - start) / took[phase])
                    if phase is Phase.TRANSCRIBING:
                        steps = audio / WINDOW
                        part = done + (1.0 - done) * part
                        part = int(part * steps) / steps if part < 1.0 else 1.0
                    progress.report(phase, part)
            eta = progress.now()[3]
            yield end - clock.seconds, None if eta is None else eta / 1000
            clock.seconds += 1.0

    def learned(self, *lengths: float) -> dict[Work, Pace]:
        """What is known after recordings of these lengths, in seconds."""
        paces = {work: Pace() for work in WORKS.values()}
        for audio in lengths:
            for phase, work in WORKS.items():
                paces[work] = paces[work].learned(seconds=self.speeds[phase] * audio, audio=audio)
        return paces


QUICK = Machine({
    Phase.DECODING: 0.005, Phase.DETECTING: 0.01, Phase.TRANSCRIBING: 0.3, Phase.DIARIZING: 0.1, Phase.FINISHING: 0.01,
})  # fmt: skip
VOICES = Machine(QUICK.speeds | {Phase.TRANSCRIBING: 0.05, Phase.DIARIZING: 0.4})


@pytest.mark.parametrize("machine", [QUICK, VOICES])
@pytest.mark.parametrize("audio", [600.0, 3600.0])
def test_after_one_task_the_next_is_foretold_from_its_first_second(machine: Machine, audio: float) -> None:
    told = list(machine.run(audio, machine.learned(1200.0)))
    whole = told[0][0]
    for left, eta in told:
        assert eta is not None
        assert abs(eta - left) <= 0.2 * whole, "an error of more than a fifth"


def test_it_falls_as_time_passes() -> None:
    told = [eta for _, eta in QUICK.run(3600.0, QUICK.learned(1200.0)) if eta is not None]
    rises = [after - before for before, after in itertools.pairwise(told) if after > before]
    assert max(rises, default=0.0) <= 0.05 * told[0]


def test_nothing_is_foretold_of_what_nobody_knows() -> None:
    told = list(QUICK.run(3600.0, {}))
    first = next(number for number, (_, eta) in enumerate(told) if eta is not None)
    assert first > 0.05 * len(told), "before it can be measured there is no estimate"
    assert all(eta is not None and abs(eta - left) <= 0.2 * told[0][0] for left, eta in told[first:])
    partly = {WORKS[Phase.TRANSCRIBING]: Pace(30.0, 100.0)}  # and nothing of the diarizer that runs beside it
    assert next(iter(VOICES.run(3600.0, partly)))[1] is None


def test_a_recording_that_is_unlike_the_others_is_seen_to_be() -> None:
    slower = Machine(QUICK.speeds | {Phase.TRANSCRIBING: 0.9})
    told = list(slower.run(3600.0, QUICK.learned(1200.0)))
    half = told[len(told) // 2 :]
    assert all(eta is not None and abs(eta - left) <= 0.2 * told[0][0] for left, eta in half)


def test_a_resumed_attempt_has_less_to_do() -> None:
    told = list(QUICK.run(3600.0, QUICK.learned(1200.0), done=0.5))[60:]  # recognition has begun by then
    whole = told[0][0]
    assert all(eta is not None and abs(eta - left) <= 0.25 * whole for left, eta in told)


def test_what_was_learned_follows_a_change_and_one_odd_task_does_not_turn_it() -> None:
    rng = random.Random(5)
    pace = Pace()
    for _ in range(20):
        pace = pace.learned(seconds=0.3 * 600 * rng.uniform(0.9, 1.1), audio=600.0)
    assert pace.per_second == pytest.approx(0.3, rel=0.1)
    assert pace.learned(seconds=20.0, audio=5.0).per_second < 0.35, "five seconds of audio, and a model to load"
    for _ in range(5):
        pace = pace.learned(seconds=0.1 * 600, audio=600.0)
    assert pace.per_second < 0.15


def standing(paces: dict[Work, Pace]) -> tuple[Progress, HandClock]:
    clock = HandClock()
    progress = Progress(clock)
    progress.paces, progress.duration = paces, 3_600_000
    for phase, work in WORKS.items():
        progress.expect(phase, work, step=int(WINDOW * 1000))
    progress.begin(Phase.TRANSCRIBING, Phase.DIARIZING)
    return progress, clock


def test_what_takes_longer_than_it_should_stands_still_and_goes_on_again() -> None:
    progress, clock = standing(QUICK.learned(1200.0))
    assert not progress.stalled()
    clock.seconds += 3 * 0.3 * WINDOW  # so long may the slower of the two take to say something
    assert not progress.stalled()
    assert progress.now()[3] is not None
    clock.seconds += 1.0
    assert progress.stalled()
    assert progress.now()[3] is None, "nobody knows when a thing that stands still is done"
    progress.report(Phase.DIARIZING, 0.1)
    assert not progress.stalled()
    assert progress.now()[3] is not None


def test_a_pause_is_no_standstill_however_fast_it_went_before() -> None:
    fast = Machine({phase: speed / 1000 for phase, speed in QUICK.speeds.items()})
    progress, clock = standing(fast.learned(1200.0))
    clock.seconds += PATIENCE_SECONDS
    assert not progress.stalled()
    clock.seconds += 0.1
    assert progress.stalled()


def test_of_an_unknown_stage_nothing_is_said_for_a_minute() -> None:
    progress, clock = standing({})
    clock.seconds += STRANGE_SECONDS
    assert not progress.stalled()
    clock.seconds += 0.1
    assert progress.stalled()
    progress.report(Phase.TRANSCRIBING, 0.1)
    clock.seconds += 2 * STRANGE_SECONDS
    assert not progress.stalled(), "it has taken that long before"


def test_what_has_not_begun_does_not_stand_still() -> None:
    clock = HandClock()
    progress = Progress(clock)
    clock.seconds = 1000.0
    assert not progress.stalled()
    assert progress.now()[3] is None
