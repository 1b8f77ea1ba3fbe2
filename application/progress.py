"""How far an attempt is: each phase's own fraction, the whole, and how long it may still take."""

from application.ports.system import Clock
from domain.task import Phase

_SHARE: dict[Phase, tuple[float, float]] = {
    Phase.WAITING: (0.0, 0.0),
    Phase.DECODING: (0.0, 0.02),
    Phase.DETECTING: (0.02, 0.05),
    Phase.TRANSCRIBING: (0.05, 0.98),
    Phase.FINISHING: (0.98, 1.0),
}
"""Where each phase lies on the whole: decoding and voice activity cost about 5 % of an hour on two cores."""
_SETTLED = 0.05
"""Below this much of the work an estimate would be a guess."""


class Progress:
    """Collects what the stages report, from any thread: each writes one float, which needs no lock.

    Recognition and diarization run side by side, so the whole is as far as the slower of the two.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fractions: dict[Phase, float] = {}
        self._working_since: tuple[float, float] | None = None

    def begin(self, *phases: Phase) -> None:
        """Note that these phases run from now on."""
        for phase in phases:
            self._fractions.setdefault(phase, 0.0)

    def report(self, phase: Phase, fraction: float) -> None:
        """Take a phase's fraction; it never falls."""
        self._fractions[phase] = min(1.0, max(fraction, self._fractions.get(phase, 0.0)))

    def now(self) -> tuple[Phase, float, float, int | None]:
        """Return the current phase, its fraction, the fraction of the whole, and the estimated ms to go, or None."""
        done = dict(self._fractions)
        if Phase.FINISHING in done:
            return Phase.FINISHING, done[Phase.FINISHING], self._whole(Phase.FINISHING, done[Phase.FINISHING]), 0
        if beside := [phase for phase in (Phase.TRANSCRIBING, Phase.DIARIZING) if phase in done]:
            slowest = min(done[phase] for phase in beside)
            busy = next((phase for phase in beside if done[phase] < 1.0), beside[-1])
            return busy, done[busy], self._whole(Phase.TRANSCRIBING, slowest), self._eta(slowest)
        early = Phase.DETECTING if Phase.DETECTING in done else Phase.DECODING
        fraction = done.get(early, 0.0)
        return early, fraction, self._whole(early, fraction), None

    def _whole(self, phase: Phase, fraction: float) -> float:
        start, end = _SHARE[phase]
        return start + (end - start) * fraction

    def _eta(self, fraction: float) -> int | None:
        now = self._clock.monotonic()
        if self._working_since is None:
            self._working_since = (now, fraction)
        since, first = self._working_since
        if fraction - first < _SETTLED:
            return None
        return int((now - since) / (fraction - first) * (1.0 - fraction) * 1000)
