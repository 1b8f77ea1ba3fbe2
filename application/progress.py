"""How far an attempt is: each phase's own fraction, the whole, how long it may still take, and whether it moves."""

from collections.abc import Mapping

from application.course import Course
from application.ports.system import Clock
from domain.pace import Pace, Work
from domain.task import Phase

_SHARE: dict[Phase, tuple[float, float]] = {
    Phase.WAITING: (0.0, 0.0),
    Phase.DOWNLOADING: (0.0, 0.0),  # how long that takes is another server's business
    Phase.DECODING: (0.0, 0.02),
    Phase.DETECTING: (0.02, 0.05),
    Phase.TRANSCRIBING: (0.05, 0.98),
    Phase.FINISHING: (0.98, 1.0),
}
"""Where each phase lies on the whole: decoding and voice activity cost about 5 % of an hour on two cores."""
_BESIDE = (Phase.TRANSCRIBING, Phase.DIARIZING)
_EARLY = (Phase.DETECTING, Phase.DECODING, Phase.DOWNLOADING)
PATIENCE_SECONDS = 15.0
"""A pause that is shorter than this is no standstill, however fast the stage was before."""
STRANGE_SECONDS = 60.0
"""The same for a stage of which nothing is known yet: it may be loading its model."""
_OVERDUE = 3.0
"""How often the expected time must pass before nothing having come means anything."""


class Progress:
    """Collects what the stages report, from any thread: each writes its own course, which needs no lock.

    Recognition and diarization run side by side, so the whole is as far as the slower of the two, and takes as long.
    `paces` is what was learned from earlier tasks, `duration` the recording's length in ms once that is known.
    """

    def __init__(self, clock: Clock) -> None:
        self.paces: Mapping[Work, Pace] = {}
        self.duration: int | None = None
        self._clock = clock
        self._courses: dict[Phase, Course] = {}
        self._works: dict[Phase, Work] = {}
        self._steps: dict[Phase, int] = {}
        self._audio: dict[Phase, int] = {}

    def expect(self, phase: Phase, work: Work, *, step: int | None = None) -> None:
        """Note what the phase will consist of, and after how many ms of audio it surely says how far it is."""
        self._works[phase] = work
        if step is not None:
            self._steps[phase] = step

    def measure(self, phase: Phase, audio: int) -> None:
        """Note that the phase has `audio` ms to work on, where that is not the whole recording."""
        self._audio[phase] = audio

    def begin(self, *phases: Phase) -> None:
        """Note that these phases run from now on."""
        for phase in phases:
            self._courses.setdefault(phase, Course(self._clock.monotonic()))

    def report(self, phase: Phase, fraction: float) -> None:
        """Take a phase's fraction; it never falls."""
        self.begin(phase)
        self._courses[phase].report(fraction, self._clock.monotonic())

    def now(self) -> tuple[Phase, float, float, int | None]:
        """Return the current phase, its fraction, the fraction of the whole, and the estimated ms to go, or None.

        There is no estimate while nothing has been learned, nothing can be measured yet, or nothing moves.
        """
        running = self._running()
        for phase in running:
            self._courses[phase].look(self._clock.monotonic())
        left = None if self.stalled() else self._left()
        eta = None if left is None else int(left * 1000)
        done = {phase: self._courses[phase].fraction for phase in running}
        if running and running[0] in _BESIDE:
            busy = next((phase for phase in running if done[phase] < 1.0), running[-1])
            return busy, done[busy], _whole(Phase.TRANSCRIBING, min(done.values())), eta
        phase = running[0] if running else Phase.DECODING
        return phase, done.get(phase, 0.0), _whole(phase, done.get(phase, 0.0)), eta

    def stalled(self) -> bool:
        """Whether nothing has moved for longer than what runs now should take to say something."""
        if not self._courses:
            return False
        still = self._clock.monotonic() - max(course.moved_at for course in self._courses.values())
        return still > max(self._patience(phase) for phase in self._running())

    def _running(self) -> list[Phase]:
        if Phase.FINISHING in self._courses:
            return [Phase.FINISHING]
        if beside := [phase for phase in _BESIDE if phase in self._courses]:
            return beside
        early: list[Phase] = [phase for phase in _EARLY if phase in self._courses]
        return early[:1]

    def _left(self) -> float | None:
        """Seconds to go, or None; what is short beside the rest counts as nothing where nothing is known of it."""
        now = self._clock.monotonic()
        end = self._left_of(Phase.FINISHING, now) or 0.0
        if Phase.FINISHING in self._courses:
            return end
        lefts = [self._left_of(phase, now) for phase in _BESIDE if phase in self._works or phase in self._courses]
        known = [left for left in lefts if left is not None]
        if not lefts or len(known) < len(lefts):
            return None
        begun = any(phase in self._courses for phase in _BESIDE)
        before = [] if begun else [self._left_of(phase, now) or 0.0 for phase in (Phase.DECODING, Phase.DETECTING)]
        return sum(before) + max(known) + end

    def _left_of(self, phase: Phase, now: float) -> float | None:
        expected, course = self._expected(phase, self._audio.get(phase, self.duration)), self._courses.get(phase)
        return expected if course is None else course.left(expected, now)

    def _expected(self, phase: Phase, audio: int | None) -> float | None:
        """Return the seconds that so much audio should take, by what was learned, or None."""
        work = self._works.get(phase)
        pace = None if work is None else self.paces.get(work)
        return None if pace is None or audio is None else pace.per_second * audio / 1000

    def _patience(self, phase: Phase) -> float:
        whole = self._audio.get(phase, self.duration)
        step = self._steps.get(phase, whole)
        expected = self._expected(phase, step if whole is None or step is None else min(step, whole))
        longest = _OVERDUE * self._courses[phase].longest_pause
        if expected is None:
            return max(STRANGE_SECONDS, longest)
        return max(PATIENCE_SECONDS, _OVERDUE * expected, longest)


def _whole(phase: Phase, fraction: float) -> float:
    start, end = _SHARE[phase]
    return start + (end - start) * fraction
