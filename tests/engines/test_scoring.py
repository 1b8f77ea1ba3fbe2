"""cpWER as meeteval counts it: the same words, the same speakers, the same errors."""

import random

import meeteval

from adapters.scoring.metrics import MetricsScorer
from domain.scoring import Line, Reference
from tests.contracts.scoring import STRICT, transcript


def test_cpwer_is_what_meeteval_counts() -> None:
    dice = random.Random(5)
    for _ in range(50):
        said, heard = (
            {
                str(number): " ".join(dice.choices("abcde", k=dice.randint(1, 12)))
                for number in range(dice.randint(1, 5))
            }
            for _ in "ab"
        )
        reference = Reference(lines=tuple(Line(text=text, speaker=who) for who, text in said.items()))
        found = transcript(
            *((who, at * 2_000, at * 2_000 + 2_000, text) for at, (who, text) in enumerate(heard.items()))
        )
        ours = MetricsScorer().score(reference, found, STRICT).cpwer
        theirs = meeteval.wer.cp_word_error_rate(said, heard)
        assert ours is not None
        assert (ours.errors, ours.total) == (theirs.errors, theirs.length)
