"""The port to measuring a transcript against the truth."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from domain.scoring import Reference, Scores
from domain.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgiveness:
    """What diarization errors are not counted: `collar` ms to each side of a reference's edge; overlapping speech."""

    collar: int = 0
    skip_overlap: bool = False


class Scorer(Protocol):
    """Counts errors; stateless."""

    @abstractmethod
    def prepare(self) -> None:
        """Bring in what it measures with, before hours are spent on what shall be measured.

        Raises:
            EngineUnavailable: it is not installed.
        """

    @abstractmethod
    def score(self, reference: Reference, transcript: Transcript, forgiveness: Forgiveness) -> Scores:
        """Score one transcript.

        Words are compared as `plain_words` gives them, in order of time. cpWER joins each speaker's words and maps the
        transcript's speakers to the reference's one to one, so that errors are fewest; a word of nobody belongs to a
        speaker of its own. DER and JER cover the whole recording, with the speakers mapped for the least error; JER
        has no collar. A diarizer that ran and found nobody has missed everybody.

        Raises:
            EngineUnavailable: as `prepare`.
        """
