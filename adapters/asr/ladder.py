"""Decoding again what cannot be believed, with other settings each time; what to keep when nothing helps.

It must not know how decoding is done, nor decode anything again that has passed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.asr.gates import Draft, Gate, supported
from domain.transcript import Suspicion


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How a chunk is decoded: by beam search at temperature 0, else by sampling.

    `prompted` is whether with the prompt and the hotwords; `strict` forbids the same words over and over.
    """

    temperature: float = 0.0
    prompted: bool = True
    strict: bool = False


LADDER = (
    Rung(),
    Rung(prompted=False, strict=True),
    Rung(prompted=False, temperature=0.4),
    Rung(prompted=False, temperature=0.8),
)
"""Beam search, then beam search in which no phrase comes twice, which ends loops and says the same again each time it
is asked; only then sampling, at two of Whisper's five temperatures: each costs as much as the first decoding."""

Decode = Callable[[Sequence[int], Rung], Sequence[Draft]]
"""Decodes the chunks of these numbers, in that order."""

_BELIEVED_IF_NOTHING_ELSE = {None, Suspicion.LOW_PROBABILITY, Suspicion.REPETITION}
"""A loop is cut to its first round, an unlikely text is marked; what is left was never said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a chunk: `draft` is the last word on it, to be kept or not; `doubt` says what is wrong with it."""

    draft: Draft
    attempts: int
    doubt: Suspicion | None = None
    kept: bool = True


def ladder(temperature: float | None) -> tuple[Rung, ...]:
    """Return the usual ladder, or the one rung that was asked for."""
    return LADDER if temperature is None else (Rung(temperature=temperature),)


def settle(decode: Decode, speech: Sequence[int], gate: Gate, rungs: Sequence[Rung] = LADDER) -> list[Outcome]:
    """Decode chunks with so many ms of speech each until their drafts pass the gate, or the ladder ends."""
    tries = [_Tries(length, gate) for length in speech]

    def again(numbers: Sequence[int], rung: Rung) -> Sequence[Draft]:
        drafts = decode(numbers, rung) if numbers else ()
        for number in numbers:
            tries[number].attempts += 1
        return drafts

    everything = range(len(speech))
    for one, draft in zip(tries, again(everything, rungs[0]), strict=True):
        one.add(draft)
    echoes = [number for number in everything if gate.echoes(tries[number].best.text)]
    for number, bare in zip(echoes, again(echoes, replace(rungs[0], prompted=False)), strict=True):
        tries[number].compare(bare)
    for rung in rungs[1:]:
        failing = [number for number in everything if tries[number].is_failing]
        for number, draft in zip(failing, again(failing, rung), strict=True):
            tries[number].add(draft)
    return [one.outcome() for one in tries]


class _Tries:
    """The drafts of one chunk so far, and the best of them."""

    def __init__(self, speech: int, gate: Gate) -> None:
        self._speech = speech
        self._gate = gate
        self._drafts: list[tuple[Draft, Suspicion | None]] = []
        self._echo: Draft | None = None
        self.attempts = 0

    def add(self, draft: Draft) -> None:
        self._drafts.append((draft, self._gate.verdict(draft, self._speech)))

    def compare(self, bare: Draft) -> None:
        """Keep an echo that the decoding without a prompt supports, for it is spelled as the caller wants; or drop it.

        An echo's own loop proves nothing either way: the ladder goes on with the decoding that heard no prompt.
        """
        echo, doubt = self._drafts[-1]
        if doubt is None and supported(echo.text, bare.text):
            return
        self._echo = echo
        self._drafts.clear()
        self.add(bare)

    @property
    def best(self) -> Draft:
        return self._best()[0]

    @property
    def is_failing(self) -> bool:
        return self._best()[1] not in {None, Suspicion.DROPPED}

    def outcome(self) -> Outcome:
        draft, doubt = self._best()
        if not draft.text.strip():
            if self._echo is not None:
                draft, doubt = self._echo, Suspicion.PROMPT_ECHO
            elif self._drafts[0][1]:
                draft, doubt = self._drafts[0]
            return Outcome(draft=draft, attempts=self.attempts, doubt=doubt, kept=False)
        return Outcome(draft=draft, attempts=self.attempts, doubt=doubt, kept=doubt in _BELIEVED_IF_NOTHING_ELSE)

    def _best(self) -> tuple[Draft, Suspicion | None]:
        """A draft that passed; else silence; else the likeliest that is no loop; else the likeliest loop."""
        order = (None, Suspicion.DROPPED, Suspicion.LOW_PROBABILITY, Suspicion.REPETITION)
        ranks = {doubt: rank for rank, doubt in enumerate(order)}
        return min(self._drafts, key=lambda found: (ranks.get(found[1], len(order)), -found[0].average_log_probability))
