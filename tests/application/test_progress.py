from datetime import datetime

from application.ports.system import Clock
from application.progress import Progress
from domain.task import Phase


class HandClock(Clock):
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.seconds


def test_the_whole_is_as_far_as_the_slower_of_two_stages() -> None:
    progress = Progress(HandClock())
    progress.begin(Phase.TRANSCRIBING, Phase.DIARIZING)
    progress.report(Phase.TRANSCRIBING, 1.0)
    progress.report(Phase.DIARIZING, 0.5)
    phase, fraction, whole, _ = progress.now()
    assert (phase, fraction) == (Phase.DIARIZING, 0.5)
    assert 0.5 < whole < 0.55


def test_phases_follow_one_another_and_the_whole_never_falls() -> None:
    progress = Progress(HandClock())
    wholes = []
    for phase in (Phase.DECODING, Phase.DETECTING, Phase.TRANSCRIBING, Phase.FINISHING):
        progress.begin(phase)
        for fraction in (0.0, 0.7, 0.3, 1.0):
            progress.report(phase, fraction)
            shown, _, whole, _ = progress.now()
            assert shown is phase
            wholes.append(whole)
    assert wholes == sorted(wholes)
    assert wholes[-1] == 1.0


def test_the_time_to_go_follows_from_the_pace_once_there_is_one() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.begin(Phase.TRANSCRIBING)
    assert progress.now()[3] is None
    clock.seconds = 10.0
    progress.report(Phase.TRANSCRIBING, 0.25)
    assert progress.now()[3] == 30_000


def test_a_resumed_attempt_is_not_credited_with_what_an_earlier_one_did() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.begin(Phase.TRANSCRIBING)
    progress.report(Phase.TRANSCRIBING, 0.5)
    progress.now()
    clock.seconds = 10.0
    progress.report(Phase.TRANSCRIBING, 0.75)
    assert progress.now()[3] == 10_000
