"""The scorer: its contract, jiwer's opinion, and what is said where its packages are missing."""

import random
import sys
from dataclasses import replace

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scoring.metrics import MetricsScorer
from application.ports.scoring import Forgiveness, Scorer
from domain.errors import EngineUnavailable
from domain.scoring import Line, Rate, Reference, Scores, plain_words
from domain.transcript import Transcript
from tests.contracts.proof import failures
from tests.contracts.scoring import STRICT, ScorerContract, transcript

spoken = st.lists(st.sampled_from(["yes", "no", "well", "it's", "Friday"]), min_size=1, max_size=12).map(" ".join)


class TestMetricsScorer(ScorerContract, adapter=MetricsScorer):
    @pytest.fixture
    def scorer(self) -> Scorer:
        return MetricsScorer()


@given(said=spoken, heard=spoken)
def test_word_errors_are_those_that_jiwer_counts(said: str, heard: str) -> None:
    scores = MetricsScorer().score(Reference(lines=(Line(text=said),)), transcript(("a", 0, 9_000, heard)), STRICT)
    assert scores.wer is not None
    assert scores.wer.value == pytest.approx(jiwer.wer(said.lower(), heard.lower()))


def test_speakers_are_mapped_for_the_fewest_errors_of_all_mappings() -> None:
    from itertools import permutations  # noqa: PLC0415 - for this test alone

    dice = random.Random(3)
    for _ in range(30):
        said, heard = (
            [" ".join(dice.choices("abcd", k=dice.randint(1, 9))) for _ in range(dice.randint(1, 4))] for _ in "ab"
        )
        lines = tuple(Line(text=text, speaker=str(number)) for number, text in enumerate(said))
        found = transcript(*((str(number), number * 9_000, number * 9_000 + 9_000, text)
                             for number, text in enumerate(heard)))  # fmt: skip
        size = max(len(said), len(heard))
        truth, guess = ([*side, *[""] * (size - len(side))] for side in (said, heard))
        least = min(
            sum(_errors(one, other) for one, other in zip(truth, order, strict=True)) for order in permutations(guess)
        )
        scores = MetricsScorer().score(Reference(lines=lines), found, STRICT)
        assert scores.cpwer is not None
        assert scores.cpwer.errors == least


def _errors(said: str, heard: str) -> int:
    if not said:
        return len(heard.split())
    counted = jiwer.process_words(said, heard)
    return int(counted.substitutions + counted.deletions + counted.insertions)


@pytest.mark.parametrize("package", ["rapidfuzz.distance", "pyannote.metrics.diarization"])
def test_a_missing_package_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineUnavailable, match=r"not installed: pip install --editable '\.\[bench\]'") as refused:
        MetricsScorer().prepare()
    assert "\n" not in refused.value.detail


def test_words_of_many_scripts_are_compared_as_their_readers_would() -> None:
    french = "L\u2019été, c'est \u2018bien\u2019 \u2013 n'est-ce pas?"
    assert plain_words(french) == ("l'été", "c'est", "bien", "n'est", "ce", "pas")
    assert plain_words("हिन्दी में") == ("हिन्दी", "में")
    assert plain_words("\uff21\uff22\uff23 \ufb01ne") == ("abc", "fine")
    assert plain_words("…") == ()


# The contract's own proof: scorers that break it in one way each


class Literal(MetricsScorer):
    """Compares words as they are written."""

    def score(self, reference: Reference, transcript: Transcript, forgiveness: Forgiveness) -> Scores:
        scores = super().score(reference, transcript, forgiveness)
        texts = " ".join(line.text for line in reference.lines), " ".join(word.text for word in transcript.words)
        return replace(scores, wer=scores.wer and Rate(_errors(*texts), scores.wer.total))


class Credulous(MetricsScorer):
    """Believes the speakers' labels."""

    def score(self, reference: Reference, transcript: Transcript, forgiveness: Forgiveness) -> Scores:
        scores = super().score(reference, transcript, forgiveness)
        known = {turn.speaker for turn in reference.turns}
        wrong = sum(turn.span.duration for turn in transcript.turns if turn.speaker not in known) / 1000
        return replace(scores, der=scores.der and Rate(scores.der.errors + wrong, scores.der.total))


class Merciful(MetricsScorer):
    """Forgives as much as it likes."""

    def score(self, reference: Reference, transcript: Transcript, forgiveness: Forgiveness) -> Scores:
        del forgiveness
        return super().score(reference, transcript, Forgiveness(collar=500, skip_overlap=True))


class Optimistic(MetricsScorer):
    """Takes what it does not know for right."""

    def score(self, reference: Reference, transcript: Transcript, forgiveness: Forgiveness) -> Scores:
        scores = super().score(reference, transcript, forgiveness)
        return replace(scores, cpwer=scores.cpwer or Rate(0, 1))


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Literal, "test_case_and_punctuation_do_not_count"),
        (Credulous, "test_the_truth_is_without_error_whatever_its_speakers_are_called"),
        (Merciful, "test_a_collar_forgives_edges_and_no_more"),
        (Merciful, "test_overlapping_speech_is_left_out_where_asked"),
        (Optimistic, "test_what_is_not_known_is_not_scored"),
    ],
)
async def test_the_contract_fails_on_a_scorer_that_breaks_it(broken: type[MetricsScorer], promise: str) -> None:
    assert promise in await failures(ScorerContract, scorer=broken)
